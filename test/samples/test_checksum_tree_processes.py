# Runs checksum_tree --processes from outside: same as with threads, and no worker is left.
# Usage: test_checksum_tree_processes.py EXECUTABLE
import contextlib
import hashlib
import os
import signal
import sys
import time
import unittest

import test_checksum_tree as base
from test_checksum_tree import LIMIT, checksum_tree, reference, run, write, write_sparse


def children_of(parent):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as status:
                fields = status.read().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(name))
    return found


class Processes(base.TemporaryDirectory):
    start = base.Interruption.start

    def test_they_print_what_threads_print(self):
        self.make_odd_tree()
        os.symlink(b"nowhere", self.path(b"path"))
        for options in (["-asha256"], ["-asha512", "-j3"]):
            ours, theirs = (checksum_tree(*more, *options, "tree", "nowhere", "path", cwd=self.root)
                            for more in (["--processes"], []))
            self.assertEqual((ours.stdout, ours.stderr), (theirs.stdout, theirs.stderr))
            self.assertEqual((ours.returncode, theirs.returncode), (1, 1))
            self.assertIn(b"tree/large\n", ours.stdout)

    def test_they_verify_a_list_and_leave_standard_input_to_the_program(self):
        self.make_odd_tree()
        content = b"from standard input"
        listed = b"%b  -\n" % hashlib.sha256(content).hexdigest().encode()
        write(self.path(b"list"), reference([b"tree"], self.root) + listed)
        os.remove(self.path(b"tree", b"s0"))
        write(self.path(b"tree", b"large"), b"changed")
        theirs = run(["sha256sum", "-c", "list"], self.root, input=content)
        ours = checksum_tree("--processes", "-c", "list", cwd=self.root, input=content)
        self.assertEqual((ours.returncode, ours.stdout), (theirs.returncode, theirs.stdout))
        self.assertEqual(ours.returncode, 1)
        self.assertIn(b"-: OK\n", ours.stdout)

    def test_they_are_not_left_by_ctrl_c(self):
        write(self.path(b"a"))
        for name in (b"b", b"c"):
            write_sparse(self.path(name))
        process = self.start("--processes", "-j2", ".")
        process.stdout.readline()
        deadline = time.monotonic() + LIMIT
        while len(workers := children_of(process.pid)) < 2:
            self.assertLess(time.monotonic(), deadline)
        os.killpg(process.pid, signal.SIGINT)  # the workers have groups of their own
        rest, errors = process.communicate(timeout=LIMIT)
        self.assertEqual((process.returncode, rest, errors), (130, b"", b""))
        while any(os.path.exists(f"/proc/{pid}") for pid in workers):
            self.assertLess(time.monotonic(), deadline)


if __name__ == "__main__":
    base.EXECUTABLE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
