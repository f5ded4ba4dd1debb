# Starts job_service and is its clients: well-behaved, slow, rude and many at once.
# Usage: test_job_service.py EXECUTABLE
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from service_under_test import LIMIT, Service, get, in_threads, read_all, wait_until

EXECUTABLE = ""
PNG = b"\x89PNG\r\n\x1a\n"
RST_ON_CLOSE = struct.pack("ii", 1, 0)


class TestCase(unittest.TestCase):
    def start(self, *options, **popen):
        self.service = Service(EXECUTABLE, *options, **popen)
        self.addCleanup(self.service.kill)
        return self.service

    def start_with_database(self, *options):
        """Its queries wait while this process has locked the file: who is busy is no accident."""
        folder = tempfile.mkdtemp(prefix="job_service")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        file = os.path.join(folder, "orders.sqlite")
        service = self.start("--database", file, *options)
        self.database = sqlite3.connect(file, isolation_level=None, timeout=LIMIT)
        self.addCleanup(self.database.close)
        return service

    def lock(self):
        self.database.execute("BEGIN EXCLUSIVE")

    def unlock(self):
        self.database.execute("COMMIT")

    def begin_query(self, customer=7):
        """A request whose answer is read later."""
        client = self.service.connect()
        self.addCleanup(client.close)
        client.sendall(b"GET /query?customer=%d HTTP/1.1\r\nHost: x\r\n\r\n" % customer)
        return client

    def wait_for_queries(self, **figures):
        def reached():
            queries = self.service.stats()["pools"]["queries"]
            return all(queries[name] == figure for name, figure in figures.items())

        wait_until(reached)

    def assert_ends_well(self):
        """Exit status 0, and no process of its is left."""
        self.assertEqual(self.service.process.wait(LIMIT), 0, self.service.stderr())
        with self.assertRaises(ProcessLookupError):
            os.killpg(self.service.process.pid, 0)

    def stop(self):
        self.service.process.send_signal(signal.SIGTERM)
        self.assert_ends_well()

    def assert_answers(self, session=None):
        status, _, body = get(session, "/query?customer=7") if session else self.service.get(
            "/query?customer=7")
        self.assertEqual((status, json.loads(body)),
                         (200, {"customer": 7, "orders": 20, "cents": 4510}))


class Routes(TestCase):
    def test_each_route_answers_on_one_connection(self):
        with self.start().session() as session:
            self.assert_answers(session)
            status, header, body = get(session, "/")
            self.assertEqual((status, header.get_content_type()), (200, "text/html"))
            self.assertIn(b"</html>", body)
            status, header, body = get(session, "/render?zoom=3&x=2&y=4")
            self.assertEqual((status, header["Content-Type"], body[:8]), (200, "image/png", PNG))
            self.assertEqual(struct.unpack(">II", body[16:24]), (256, 256))
            figures = json.loads(get(session, "/stats")[2])
            self.assertEqual(figures["routes"]["/query"]["count"], 1)
            latency = figures["routes"]["/render"]
            self.assertLess(0, latency["p50_us"])
            self.assertLessEqual(latency["p50_us"], latency["p99_us"])
            self.assertEqual(figures["pools"]["tiles"]["alive"], 1)
        self.stop()

    def test_head_gives_the_header_of_get_alone(self):
        with self.start().session() as session:
            for target in ("/", "/query?customer=7", "/query?customer=x", "/nowhere"):
                status, header, body = get(session, target)
                headed = get(session, target, "HEAD")
                self.assertEqual((headed[0], headed[2]), (status, b""), target)
                self.assertEqual(headed[1].items(), header.items())
                self.assertEqual(int(header["Content-Length"]), len(body))
        self.stop()

    def test_requests_that_make_no_sense_are_told_why(self):
        service = self.start()
        for target, what in (("/query", "there is no customer"),
                             ("/query?customer=1000", "from 0 to 999, not '1000'"),
                             ("/query?customer=7x", "not '7x'"),
                             ("/query?customer=", "not ''"),
                             ("/render?zoom=41&x=0&y=0", "zoom must be a whole number from 0"),
                             ("/render?zoom=2&x=4&y=0", "x must be a whole number from 0 to 3"),
                             ("/render?zoom=2&x=0&y=-1", "not '-1'"),
                             ("/render?zoom=2&&=&x=0", "there is no y")):
            status, _, body = service.get(target)
            self.assertEqual(status, 400, target)
            self.assertIn(what, json.loads(body)["error"])
        self.assertEqual(service.get("/nowhere")[0], 404)
        status, header, _ = service.get("/query?customer=7", "POST", body="x=1")
        self.assertEqual((status, header["Allow"]), (405, "GET, HEAD"))
        self.stop()

    def test_a_crash_fails_alone(self):
        service = self.start("--tile-workers", 2)
        all_rendered = threading.Event()
        ends = []

        def crash():
            while not all_rendered.is_set():
                ends.append(service.get("/crash"))

        crashing = threading.Thread(target=crash)
        crashing.start()
        try:
            targets = [f"/render?zoom=5&x={n}&y=3" for n in range(24)]
            tiles = in_threads(service.get, targets)
        finally:
            all_rendered.set()
            crashing.join()
        self.assertEqual([(t[0], t[2][:8]) for t in tiles], [(200, PNG)] * len(targets))
        for status, _, body in ends:
            self.assertIn(status, (500, 502))
            self.assertIn("was killed by SIGABRT", json.loads(body)["error"])
        tiles = service.stats()["pools"]["tiles"]
        self.assertEqual((tiles["running"], tiles["queue"]), (0, 0))
        self.assertGreaterEqual(tiles["deaths"], 1)
        self.stop()

    def test_a_pool_that_breaks_is_replaced(self):
        service = self.start("--tile-workers", 1)
        for _ in range(12):  # more deaths one after the other than a pool takes for an accident
            status, _, body = service.get("/crash")
            self.assertIn(status, (500, 502))
            self.assertIn("was killed by SIGABRT", json.loads(body)["error"])
        tiles = service.stats()["pools"]["tiles"]
        self.assertEqual(tiles["deaths"], 12)
        self.assertGreaterEqual(tiles["restarts"], 1)
        self.assertEqual(service.get("/render?zoom=5&x=0&y=0")[0], 200)
        self.stop()


class BadClients(TestCase):
    def test_garbage_is_answered_with_what_is_wrong(self):
        service = self.start()
        long_header = b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"
        long_body = b"GET / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
        for request, status in ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
                                (b"GET / HTTP/7.3\r\n\r\n", 400), (b"\r\n" * 3 + b"{}\r\n", 400),
                                (long_header, 431), (long_body, 413)):
            with service.connect() as client:
                client.sendall(request)
                answer = read_all(client)
                self.assertEqual(answer[:12], b"HTTP/1.1 %d" % status)
                self.assertIn(b"Connection: close\r\n", answer)
        self.assert_answers()
        self.stop()

    def test_half_closed_clients_are_answered(self):
        service = self.start()
        with service.connect() as client:
            client.sendall(b"GET /query?customer=7 HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            answers = read_all(client)
        self.assertIn(b'"cents":4510', answers)
        self.assertIn(b"HTTP/1.1 404", answers)
        with service.connect() as client:  # in the middle of a request
            client.sendall(b"GET /query?customer=7 HTT")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), b"")
        self.stop()

    def test_slow_clients_are_given_up(self):
        service = self.start("--request-limit", 0.1)
        with service.connect() as client:
            client.sendall(b"GET /query?customer=7 HTTP/1.1\r\nHo")
            self.assertEqual(read_all(client)[:12], b"HTTP/1.1 408")
        self.stop()

    def test_idle_clients_are_hung_up_on(self):
        service = self.start("--idle-limit", 0.1)
        with service.connect() as client:
            self.assertEqual(read_all(client), b"")
        self.stop()

    def test_clients_that_do_not_read_are_given_up(self):
        service = self.start("--response-limit", 0.1)
        with service.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with self.assertRaises(ConnectionError):
                while True:
                    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        self.stop()

    def test_resetting_clients_leave_nothing_behind(self):
        service = self.start_with_database("--query-workers", 2)
        self.lock()
        clients = [self.begin_query() for _ in range(20)]
        self.wait_for_queries(running=2, queue=18)
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
            client.close()
        self.unlock()
        self.wait_for_queries(running=0, queue=0)
        self.assert_answers()
        self.stop()


class Limits(TestCase):
    def test_a_full_queue_is_503_while_others_wait(self):
        service = self.start_with_database("--query-workers", 1, "--queue-limit", 2,
                                           "--job-limit", 1000)
        self.lock()
        waiting = [self.begin_query() for _ in range(3)]
        self.wait_for_queries(running=1, queue=2)
        status, header, body = service.get("/query?customer=7")
        self.assertEqual((status, header["Retry-After"]), (503, "1"), body)
        self.assertEqual(service.get("/render?zoom=5&x=0&y=0")[0], 200)
        self.unlock()
        for client in waiting:
            self.assertIn(b'"cents":4510', client.recv(4096))
        self.assert_answers()
        self.stop()

    def test_a_job_that_takes_too_long_is_504(self):
        service = self.start_with_database("--query-workers", 1, "--job-limit", 0.1)
        self.lock()
        status, _, body = service.get("/query?customer=7")
        self.assertEqual(status, 504, body)
        self.unlock()
        self.stop()

    def test_one_client_more_waits_until_another_has_gone(self):
        service = self.start("--max-connections", 1)
        with service.session() as session:
            self.assert_answers(session)
            with service.connect() as other:
                other.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
                figures = json.loads(get(session, "/stats")[2])
                self.assertEqual(figures["routes"]["/"]["count"], 0)
                session.close()
                self.assertIn(b"200 OK", read_all(other))
        self.stop()

    def test_without_descriptors_it_sleeps_until_there_are_some(self):
        few = (24, 24)
        service = self.start(
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few))
        clients = [service.connect() for _ in range(few[0])]
        wait_until(lambda: "trying again" in service.stderr())
        before = self.cpu_time()
        time.sleep(0.5)
        self.assertLess(self.cpu_time() - before, 0.25)
        self.assertEqual(service.stderr().count("trying again"), 1)  # said once, tried often
        for client in clients:
            client.close()
        self.assertEqual(service.get("/")[0], 200)
        self.stop()

    def cpu_time(self):
        with open(f"/proc/{self.service.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Shutdown(TestCase):
    def is_refused(self):
        try:
            self.service.connect().close()
            return False
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it was in line when the line was closed
            return False

    def test_sigterm_answers_what_was_asked(self):
        service = self.start_with_database("--drain-limit", 1000, "--job-limit", 1000)
        self.assertEqual(service.get("/render?zoom=5&x=0&y=0")[0], 200)  # starts a worker
        self.lock()
        client = self.begin_query()
        self.wait_for_queries(running=1)
        with service.connect() as idle:
            idle.sendall(b"HEAD / HTTP/1.1\r\n\r\n")
            self.assertIn(b"200 OK", idle.recv(4096))
            service.process.send_signal(signal.SIGTERM)
            self.assertEqual(read_all(idle), b"")
        wait_until(self.is_refused)
        self.assertIsNone(service.process.poll())
        self.unlock()
        answer = read_all(client)
        self.assertIn(b'"cents":4510', answer)
        self.assertIn(b"Connection: close\r\n", answer)
        self.assert_ends_well()

    def test_after_the_drain_limit_the_rest_is_cancelled(self):
        service = self.start_with_database("--drain-limit", 0.1, "--job-limit", 1000)
        self.lock()
        client = self.begin_query()
        self.wait_for_queries(running=1)
        service.process.send_signal(signal.SIGINT)
        self.assertEqual(read_all(client), b"")
        self.assert_ends_well()

    def test_a_second_signal_waits_for_nobody(self):
        service = self.start_with_database("--drain-limit", 1000, "--job-limit", 1000)
        self.lock()
        client = self.begin_query()
        self.wait_for_queries(running=1)
        service.process.send_signal(signal.SIGTERM)
        wait_until(self.is_refused)
        service.process.send_signal(signal.SIGTERM)
        self.assertEqual(read_all(client), b"")
        self.assert_ends_well()


class Load(TestCase):
    def test_no_query_fails_while_workers_crash(self):
        service = self.start()
        done = threading.Event()

        def ask(customer):
            with service.session() as session:
                return [get(session, f"/query?customer={customer}")[0] for _ in range(50)]

        def crash():
            while not done.wait(0.1):
                service.get("/crash")

        crashing = threading.Thread(target=crash)
        crashing.start()
        try:
            statuses = in_threads(ask, range(64))
        finally:
            done.set()
            crashing.join()
        self.assertEqual(statuses, [[200] * 50] * 64)
        self.assertEqual(service.stats()["routes"]["/query"]["count"], 3200)
        self.stop()


class CommandLine(unittest.TestCase):
    def run_with(self, *arguments):
        return subprocess.run([EXECUTABLE, *arguments], capture_output=True, timeout=LIMIT)

    def test_help_shows_the_options(self):
        result = self.run_with("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"--drain-limit", result.stdout)

    def test_nonsense_is_refused(self):
        for arguments in (["--port", "x"], ["--port", "65536"], ["--tile-workers", "0"], ["more"],
                          ["--what"]):
            result = self.run_with(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(b"--help", result.stderr)


if __name__ == "__main__":
    EXECUTABLE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
