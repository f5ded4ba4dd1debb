"""One figure of CPython's ProcessPoolExecutor, in nanoseconds: what `processes` asks it for.

usage: processes_cpython.py flood|round_trip|map|argument|result COUNT
"""
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def increment(number):
    return number + 1


def make(size):
    return b"x" * size


def flood(pool, count):
    futures = [pool.submit(increment, number) for number in range(count)]
    assert sum(future.result() for future in futures) == count * (count + 1) // 2
    return count


def round_trip(pool, count):
    for number in range(count):
        assert pool.submit(increment, number).result() == number + 1
    return count


def map_numbers(pool, count):
    chunksize = max(1, count // 8)
    assert sum(pool.map(increment, range(count), chunksize=chunksize)) == count * (count + 1) // 2
    return count


def argument(pool, size):
    assert pool.submit(len, b"x" * size).result() == size
    return 1


def result(pool, size):
    assert len(pool.submit(make, size).result()) == size
    return 1


LOADS = {
    "flood": flood,
    "round_trip": round_trip,
    "map": map_numbers,
    "argument": argument,
    "result": result,
}

if __name__ == "__main__":
    load, count = LOADS[sys.argv[1]], int(sys.argv[2])
    with ProcessPoolExecutor(1 if load in (round_trip, argument, result) else 2) as pool:
        flood(pool, 10)  # its workers have started
        start = time.perf_counter_ns()
        parts = load(pool, count)
        print((time.perf_counter_ns() - start) / parts)
