#!/usr/bin/env python3
"""Question: what do the umbrella headers add to the compile time of their standard headers?"""
import argparse
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
AIMS = {'plait/futures.hpp': 1.2, 'plait/aio.hpp': 1.5}
PEERS = {
    'Boost.Asio thread_pool': """
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
""",
    'Boost.Asio coroutines': '#include <boost/asio.hpp>',
    'Boost.Thread executors': """
#define BOOST_THREAD_VERSION 4
#define BOOST_THREAD_PROVIDES_EXECUTORS
#include <boost/thread/executors/basic_thread_pool.hpp>
#include <boost/thread/future.hpp>
""",
    'oneTBB': '#include <tbb/tbb.h>',
}
MODES = {'-fsyntax-only': ['-fsyntax-only'], '-O1 -c': ['-O1', '-c', '-o', os.devnull]}


def standard_headers(include, umbrella):
    """The standard headers that the umbrella reaches through plait's own headers."""
    seen, standard, todo = set(), set(), [umbrella]
    while todo:
        header = todo.pop()
        if header in seen:
            continue
        seen.add(header)
        for name in INCLUDE.findall((include / header).read_text()):
            (todo.append if name.startswith('plait/') else standard.add)(name)
    return sorted(standard)


def compiles(command, source):
    """Whether the peer is there and the compiler takes it."""
    trial = subprocess.run(command + ['-fsyntax-only', str(source)], capture_output=True)
    return trial.returncode == 0


def seconds_of(command, source):
    """Wall-clock time of one compilation."""
    start = time.monotonic()
    subprocess.run(command + [str(source)], check=True)
    return time.monotonic() - start


def measure(command, sources, repeat):
    """Samples of each source, taken in turn so that a disturbance hits all of them."""
    samples = {name: [] for name in sources}
    for _ in range(repeat):
        for name, source in sources.items():
            samples[name].append(seconds_of(command, source))
    return samples


def print_case(name, samples, umbrella):
    """Ours, then the others with the ratio of the medians; the aim is against the first other."""
    ours = statistics.median(samples[umbrella])
    for i, (contender, times) in enumerate(samples.items()):
        median = statistics.median(times)
        ratio = f'{ours / median:.2f}' if i > 0 else ''
        limit = AIMS[umbrella]
        aim = f'<= {limit:g}' if i == 1 else ''
        verdict = ('reached' if ours <= limit * median else 'MISSED') if i == 1 else ''
        print(f'{name if i == 0 else "":32} {contender:22} {min(times):10.2f} {median:10.2f}'
              f' {ratio:>9}  {aim:17} {verdict}'.rstrip(), flush=True)


def parse_arguments():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--compiler', default=os.environ.get('CXX', 'g++'))
    parser.add_argument('--include', type=pathlib.Path, default=here.parent / 'include')
    parser.add_argument('--repeat', type=int, default=5)
    parser.add_argument('--quick', action='store_true',
                        help='ours only, once: shows that the program works')
    options = parser.parse_args()
    if options.quick:
        options.repeat = 1
    return options


def main():
    options = parse_arguments()
    os.environ['CCACHE_DISABLE'] = '1'  # a compiler cache would be measured instead
    command = shlex.split(options.compiler) + ['-std=c++20', f'-I{options.include}']
    for umbrella in AIMS:
        measure_umbrella(options, command, umbrella)


def measure_umbrella(options, command, umbrella):
    """Prints the table of one header."""
    standard = standard_headers(options.include, umbrella)
    texts = {umbrella: f'#include <{umbrella}>\n',
             'its standard headers': ''.join(f'#include <{name}>\n' for name in standard)}
    if not options.quick:
        texts.update(PEERS)
    print(f'\ncompile_time: one #include, by {options.compiler} -std=c++20')
    print(f'the {len(standard)} standard headers: {" ".join(standard)}')
    print(f'figures: seconds, best and median of {options.repeat} (ratio of the medians)')
    print(f'{"case":32} {"contender":22} {"best":>10} {"median":>10} {"ours/its":>9}'
          f'  {"aim":17} verdict')
    with tempfile.TemporaryDirectory() as folder:
        sources = {}
        for i, (name, text) in enumerate(texts.items()):
            source = pathlib.Path(folder) / f'source_{i}.cpp'
            source.write_text(text)
            if name not in PEERS or compiles(command, source):
                sources[name] = source
        for mode, flags in MODES.items():
            print_case(mode, measure(command + flags, sources, options.repeat), umbrella)


if __name__ == '__main__':
    sys.exit(main())
