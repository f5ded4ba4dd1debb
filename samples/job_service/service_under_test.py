# A running job_service, and clients for it, for the tests.
import contextlib
import http.client
import json
import os
import socket
import subprocess
import tempfile
import threading
import time

LIMIT = 50  # seconds for anything, on a machine that is busy with other things


class Service:
    """The program from its first line to its end."""

    def __init__(self, executable, *options, **popen):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([executable, "--port", "0", *map(str, options)],
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        start_new_session=True, **popen)
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on http://127.0.0.1:"):
            text = self.stderr()
            self.kill()
            raise AssertionError(f"no address but {line!r}; {text}")
        self.port = int(line.rstrip("/\n").rpartition(":")[2])

    def stderr(self):
        return os.pread(self.errors.fileno(), 1 << 20, 0).decode()  # it shares the place of writes

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)

    def session(self):
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, LIMIT))

    def get(self, target, method="GET", **options):
        with self.session() as session:
            return get(session, target, method, **options)

    def stats(self):
        return json.loads(self.get("/stats")[2])


def get(session, target, method="GET", **options):
    """Status, header and body."""
    session.request(method, target, **options)
    response = session.getresponse()
    return response.status, response.headers, response.read()


def read_all(client):
    """What comes until the service hangs up."""
    data = b""
    while part := client.recv(65536):
        data += part
    return data


def wait_until(condition):
    """No test succeeds by this time: it only ends those that have failed."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)


def in_threads(function, items):
    """function(item) for all of them at once; their results."""
    items, results = list(items), {}

    def call(number):
        results[number] = function(items[number])

    threads = [threading.Thread(target=call, args=(n,)) for n in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results.get(n) for n in range(len(items))]
