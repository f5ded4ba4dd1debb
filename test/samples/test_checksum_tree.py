# Runs checksum_tree from outside, beside sha256sum and find: same lists, same verdicts.
# Usage: test_checksum_tree.py EXECUTABLE [--sanitized]
import contextlib
import ctypes
import fcntl
import hashlib
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

EXECUTABLE = ""
SANITIZED = False
LIMIT = 60  # seconds for one run of a program, on a machine that is busy with other things
HUGE = 64 << 30  # bytes of a sparse file: half a minute of hashing at least

LIST_LINE = re.compile(rb"\\?[0-9a-f]{64}  [^\n]+\n")


def run(arguments, cwd, **options):
    options.setdefault("timeout", LIMIT)
    options.setdefault("capture_output", True)
    return subprocess.run(arguments, cwd=cwd, **options)


def checksum_tree(*arguments, cwd, **options):
    return run([EXECUTABLE, *arguments], cwd, **options)


def reference(paths, cwd, program="sha256sum"):
    """What the classic pipeline prints for the regular files below paths."""
    listing = [b"find", *paths, b"-type", b"f", b"-print0"]
    found = run(listing, cwd).stdout.split(b"\0")[:-1]
    lines = [run([program, "--", name], cwd).stdout for name in sorted(found)]
    return b"".join(lines)


def write(path, content=b""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def write_sparse(path, size=HUGE):
    write(path)
    os.truncate(path, size)


def is_list(text):
    return b"".join(LIST_LINE.findall(text)) == text


class TemporaryDirectory(unittest.TestCase):
    def setUp(self):
        self.root = os.fsencode(tempfile.mkdtemp(prefix="checksum_tree"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def make_odd_tree(self):
        names = [b"new\nline", b"back\\slash", b"carriage\rreturn", b"sp ace", b" leading",
                 b"-dash", b"tab\t", b"\xff\xfe", "umläut".encode(), b"*star", b"a\\nb", b"#hash",
                 b".hidden", b"trailing ", b"quote'\"$", b"\\", b"\n", b"x" * 255]
        around_slash = [b"s", b"s.t", b"s-t", b"s t", b"s0", b"s\n"]  # they sort beside s/...
        for number, name in enumerate(names + around_slash[1:]):
            write(self.path(b"tree", name), b"%d" % number * number)
        for name in names[:6] + around_slash:
            write(self.path(b"tree", b"s", name), name)
            write(self.path(b"tree", name + b".d", b"inner"), name)
        write(self.path(b"tree", *[b"deep"] * 200, b"file"), b"deep")
        write(self.path(b"tree", b"large"), bytes(range(256)) * 5000 + b"odd end")
        os.mkdir(self.path(b"tree", b"empty directory"))
        os.mkfifo(self.path(b"tree", b"fifo"))
        os.symlink(b"large", self.path(b"tree", b"link"))
        os.symlink(b"s", self.path(b"tree", b"directory link"))
        os.symlink(b"nowhere", self.path(b"tree", b"dangling"))


class Hashing(TemporaryDirectory):
    def assert_same_list(self, paths):
        ours = checksum_tree(*paths, cwd=self.root)
        self.assertEqual(ours.stdout, reference(paths, self.root), paths)
        self.assertEqual((ours.returncode, ours.stderr), (0, b""))

    def test_prints_what_find_sort_and_sha256sum_print(self):
        self.make_odd_tree()
        for paths in ([b"tree"], [b"tree/"], [b"tree//"], [b"./tree"], [b"."], [self.root],
                      [b"tree/large"], [b"tree/link"], [b"tree/directory link"],
                      [b"tree/directory link/"], [b"tree/fifo"], [b"tree/empty directory"],
                      [b"tree/s0", b"tree/s", b"tree/s.t", b"tree/s"], [b"tree", b"tree/s"]):
            self.assert_same_list(paths)

    def test_prints_the_same_for_any_number_of_jobs(self):
        self.make_odd_tree()
        expected = reference([b"tree"], self.root)
        for jobs in ("-j1", "-j2", "-j64", "--jobs=3"):
            self.assertEqual(checksum_tree(jobs, "tree", cwd=self.root).stdout, expected)

    def test_prints_a_list_that_sha256sum_accepts(self):
        self.make_odd_tree()
        listed = checksum_tree(b"tree", cwd=self.root).stdout
        checked = run(["sha256sum", "-c", "--strict", "--quiet"], self.root, input=listed)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))

    def test_knows_the_algorithms_of_coreutils_and_openssl(self):
        write(self.path(b"tree", b"file\n"), b"content")
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512"):
            ours = checksum_tree("--algorithm", name, "tree", cwd=self.root).stdout
            self.assertEqual(ours, reference([b"tree"], self.root, name + "sum"), name)
        blake = checksum_tree("-a", "BLAKE2b", "tree", cwd=self.root).stdout
        self.assertEqual(blake, reference([b"tree"], self.root, "b2sum"))
        sha3 = checksum_tree("-a", "sha3-256", "tree", cwd=self.root).stdout
        self.assertEqual(sha3[1:65].decode(), hashlib.sha3_256(b"content").hexdigest())

    def test_reports_and_counts_what_is_not_there(self):
        write(self.path(b"file"))
        ours = checksum_tree("nowhere", "file", "file/below", "", cwd=self.root)
        self.assertEqual(ours.returncode, 1)
        self.assertEqual(ours.stdout, reference([b"file"], self.root))
        for text in (b"nowhere: No such file", b"file/below: Not a directory",
                     b"'': No such file", b"WARNING: 3 paths could not be read\n"):
            self.assertIn(text, ours.stderr)

    def test_reports_and_counts_what_may_not_be_read(self):
        def drop_privileges():  # root, too, then needs the permission bits
            for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
                ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP

        for name in (b"a", b"b", b"c/d", b"e"):
            write(self.path(b"tree", name), name)
        os.chmod(self.path(b"tree", b"b"), 0)
        os.chmod(self.path(b"tree", b"c"), 0)
        self.addCleanup(os.chmod, self.path(b"tree", b"c"), stat.S_IRWXU)
        probe = run(["cat", "tree/b"], self.root, preexec_fn=drop_privileges)
        if probe.returncode == 0:
            self.skipTest("this user may read everything")
        ours = checksum_tree("tree", cwd=self.root, preexec_fn=drop_privileges)
        self.assertEqual(ours.returncode, 1)
        self.assertEqual(ours.stdout, reference([b"tree/a", b"tree/e"], self.root))
        for text in (b"tree/b: Permission denied\n", b"tree/c: Permission denied\n",
                     b"WARNING: 2 paths could not be read\n"):
            self.assertIn(text, ours.stderr)

    def test_takes_no_more_memory_for_more_files(self):
        def peak_and_paths(directory):
            reader, writer = os.pipe()
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)  # the program waits for us: it is there
            peak, blocks = 0, []
            with subprocess.Popen([EXECUTABLE, "-j2", directory], stdout=writer) as process:
                os.close(writer)
                while block := os.read(reader, 4096):
                    blocks.append(block)
                    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                        found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
                    peak = int(found[1]) if found else peak
            os.close(reader)
            self.assertEqual(process.returncode, 0)
            return peak, [line[66:] for line in b"".join(blocks).splitlines()]

        peaks, made, directory = {}, 0, self.path(b"tree")
        for count in (200, 40_000, 120_000):  # the last two: more than is in memory at a time
            for number in range(made, count):
                name = directory + b"/%0100x" % (number * 77_777)
                if number % 50_000 == 0:
                    write(original := name)
                else:  # a link, which file systems make faster than a file
                    os.link(original, name)
            made = count
            peaks[count], paths = peak_and_paths(directory)
            self.assertEqual(paths, sorted(directory + b"/" + n for n in os.listdir(directory)))
        if not SANITIZED:
            self.assertLess(peaks[40_000] - peaks[200], 16 * 1024, peaks)
            self.assertLess(peaks[120_000] - peaks[40_000], 5 * 1024, peaks)


class Checking(TemporaryDirectory):
    def setUp(self):
        super().setUp()
        self.make_odd_tree()
        self.good = reference([b"tree"], self.root)

    def assert_same_verdict(self, text, program="sha256sum"):
        theirs = run([program, "-c", "-"], self.root, input=text)
        algorithm = program.removesuffix("sum")
        ours = checksum_tree("-a", algorithm, "--check", "-", cwd=self.root, input=text)
        self.assertEqual(ours.stdout, theirs.stdout, text)
        their_errors = theirs.stderr.replace(program.encode(), b"checksum_tree")
        self.assertEqual(sorted(ours.stderr.splitlines()), sorted(their_errors.splitlines()), text)
        self.assertEqual(ours.returncode, theirs.returncode, text)
        return ours

    def test_accepts_a_good_list(self):
        self.assertEqual(self.assert_same_verdict(self.good).returncode, 0)
        write(self.path(b"list"), self.good)
        ours = checksum_tree("-c", "list", cwd=self.root)
        self.assertEqual((ours.returncode, ours.stderr), (0, b""))

    def test_finds_a_changed_and_a_missing_file(self):
        with open(self.path(b"tree", b"large"), "r+b") as file:
            file.seek(700_000)
            file.write(b"?")
        os.remove(self.path(b"tree", b"new\nline"))
        verdict = self.assert_same_verdict(self.good)
        self.assertEqual(verdict.returncode, 1)
        self.assertIn(b"tree/large: FAILED\n", verdict.stdout)
        self.assertIn(b"\\tree/new\\nline: FAILED open or read\n", verdict.stdout)

    def test_reads_every_form_of_a_line_as_sha256sum_does(self):
        good = run(["sha256sum", "tree/s0"], self.root).stdout[:64]
        lines = [b"%b *tree/s0", b"%b  tree/s0\r", b" \t%b  tree/s0", b"%b tree/s0", b"%b  ",
                 b"%b   tree/s0", b"%b", b"%b\ttree/s0", b"%b0  tree/s0", b"\\%b  tree/s0",
                 b"\\%b  tree/s0\\", b"\\%b  tree/\\q", b"%b  tree", b"%b  tree/link",
                 b"%b  tree/\\", b"SHA256 (tree/s0) = %b", b"SHA256(tree/s0)=  %b",
                 b"SHA256 (tree/s0) = %b ", b"\\SHA256 (tree/new\\nline) = %b",
                 b"SHA256 (a)b) = %b", b"SHA256 tree/s0 = %b", b"MD5 (tree/s0) = %b",
                 b"# %b  tree/s0", b"%b  -", b"%b  tree/s0\0x", b"%b  a'b\1c",
                 b"%b  tree/nowhere\xff$", b"%b a"]
        for line in lines:
            self.assert_same_verdict(line % good + b"\n")
            self.assert_same_verdict(line % good.upper() + b"\n" + line % good)
        for text in (b"", b"\n\n", b"rubbish\n", b"%b  tree/s0\n%b tree/s0\n" % (good, good),
                     b"%b tree/s0\n%b  tree/s0\nrubbish\nrubbish\n" % (good, good),
                     b"%b  tree/s0\n%b  x\n%b  y\n" % (b"0" * 64, b"0" * 64, b"0" * 64)):
            self.assert_same_verdict(text)

    def test_reads_tagged_lists_of_all_algorithms(self):
        for name in ("md5sum", "sha1sum", "sha224sum", "sha384sum", "sha512sum"):
            tagged = run([name, "--tag", "tree/large", "tree/new\nline"], self.root).stdout
            self.assertEqual(self.assert_same_verdict(tagged, name).returncode, 0)

    def test_reports_a_list_that_cannot_be_read(self):
        for name in ("nowhere", "tree", "/dev/null", ""):
            theirs = run(["sha256sum", "-c", name], self.root)
            ours = checksum_tree("--check", name, cwd=self.root)
            self.assertEqual(ours.returncode, theirs.returncode)
            self.assertEqual(ours.stderr, theirs.stderr.replace(b"sha256sum", b"checksum_tree"))


class CommandLine(TemporaryDirectory):
    def test_rejects_what_makes_no_sense(self):
        for arguments, text in (([], b"name a file or directory"), (["-j0", "."], b"from 1 to"),
                                (["-j", "-1", "."], b"from 1 to"), (["-j2x", "."], b"not 2x"),
                                (["-j", "99999999999999999999", "."], b"from 1 to"),
                                (["-j", "", "."], b"not ''"), (["-j"], b"requires an argument"),
                                (["-a", "rot13", "."], b"rot13"), (["--nonsense"], b"--nonsense"),
                                (["-c", "list", "."], b"--check"), (["-"], b"./-")):
            ours = checksum_tree(*arguments, cwd=self.root)
            self.assertEqual((ours.returncode, ours.stdout), (2, b""), arguments)
            self.assertIn(text, ours.stderr)

    def test_shows_help(self):
        ours = checksum_tree("--help", cwd=self.root)
        self.assertEqual((ours.returncode, ours.stderr), (0, b""))
        self.assertIn(b"--algorithm", ours.stdout)

    def test_reports_a_full_disk_and_a_reader_that_has_gone(self):
        write(self.path(b"file"))
        with open("/dev/full", "wb") as full:
            ours = checksum_tree("file", cwd=self.root, capture_output=False, stdout=full,
                                 stderr=subprocess.PIPE)
        self.assertEqual(ours.returncode, 1)
        self.assertEqual(ours.stderr, b"checksum_tree: write error: No space left on device\n")
        reader, writer = os.pipe()
        os.close(reader)
        ours = checksum_tree("file", cwd=self.root, capture_output=False, stdout=writer,
                             stderr=subprocess.PIPE)
        os.close(writer)
        self.assertEqual(ours.returncode, 1)
        self.assertEqual(ours.stderr, b"checksum_tree: write error: Broken pipe\n")


class Interruption(TemporaryDirectory):
    def start(self, *arguments, **options):
        process = subprocess.Popen([EXECUTABLE, *arguments], cwd=self.root, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True, **options)
        self.addCleanup(process.__exit__, None, None, None)  # waits and closes the pipes
        self.addCleanup(process.kill)
        return process

    def bytes_read_by(self, process):
        with open(f"/proc/{process.pid}/io", encoding="ascii") as counters:
            return int(re.search(r"rchar: (\d+)", counters.read())[1])

    def test_ctrl_c_stops_within_a_second_after_a_whole_line(self):
        write(self.path(b"a"))
        for name in (b"b", b"c", b"d"):
            write_sparse(self.path(name))
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("-j2", ".")
            first = process.stdout.readline()  # from now on the huge files are hashed
            begin = time.monotonic()
            os.killpg(process.pid, number)
            rest, errors = process.communicate(timeout=LIMIT)
            self.assertLess(time.monotonic() - begin, 5)
            self.assertEqual((process.returncode, errors), (status, b""))
            self.assertTrue(is_list(first + rest))

    def test_ctrl_c_stops_a_check(self):
        write(self.path(b"a"))
        write_sparse(self.path(b"b"))
        process = self.start("-c", "-", stdin=subprocess.PIPE)
        listed = reference([b"a"], self.root) + b"0" * 64 + b"  b\n"
        os.write(process.stdin.fileno(), listed)
        process.stdin.close()
        self.assertEqual(process.stdout.readline(), b"a: OK\n")
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(timeout=LIMIT), 130)

    def test_ctrl_c_stops_where_nobody_reads_the_output(self):
        for number in range(2_000):
            write(self.path(b"%d" % number))
        process = self.start(".")
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        select.select([process.stdout], [], [], LIMIT)  # the pipe has a block and no room for more
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(timeout=LIMIT), 130)
        self.assertTrue(is_list(process.stdout.read()))

    def test_an_ignored_ctrl_c_stays_ignored(self):
        write(self.path(b"a"))
        write_sparse(self.path(b"b"))
        process = self.start(".", restore_signals=False,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        enough = self.bytes_read_by(process) + (1 << 30)
        while self.bytes_read_by(process) < enough:  # it goes on
            self.assertIsNone(process.poll())
        os.truncate(self.path(b"b"), 0)
        self.assertEqual(process.wait(timeout=LIMIT), 0)

    def test_files_that_vanish_or_change_their_kind_are_reported(self):
        for name in (b"a", b"w", b"x", b"y", b"zz/inner", b"else/where"):
            write(self.path(name))
        for number in range(9_000):  # more than are in flight, so zz is not opened yet
            os.link(self.path(b"a"), self.path(b"v%d" % number))
        write_sparse(self.path(b"b"))
        process = self.start("-j1", ".")
        process.stdout.readline()  # the directory is listed, the only worker is busy with b
        for name in (b"w", b"x", b"y"):
            os.remove(self.path(name))
        shutil.rmtree(self.path(b"zz"))
        os.mkfifo(self.path(b"x"))
        os.symlink(b"a", self.path(b"y"))
        os.symlink(b"else", self.path(b"zz"))
        os.truncate(self.path(b"b"), 0)
        rest, errors = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 1)
        paths = [line[66:] for line in rest.splitlines()]
        self.assertEqual(paths[:2] + paths[-1:], [b"./b", b"./else/where", b"./v999"])
        self.assertEqual(len(paths), 9_002)
        for text in (b"./w: No such file or directory\n", b"./x: Not a regular file\n",
                     b"./y: Not a regular file\n", b"./zz: Not a directory\n",
                     b"WARNING: 4 paths could not be read\n"):
            self.assertIn(text, errors)

    def test_a_terminal_shows_progress_and_ctrl_c_ends_it(self):
        write(self.path(b"a"))
        write_sparse(self.path(b"b"))
        try:
            process, terminal = pty.fork()
        except OSError as error:  # a container without /dev/pts
            self.skipTest(str(error))
        if process == 0:
            os.chdir(self.root)
            os.dup2(os.open("list", os.O_CREAT | os.O_WRONLY), 1)
            os.execve(EXECUTABLE, [EXECUTABLE, "a", "b"], {**os.environ, "TERM": "xterm"})
        shown = b""
        while b"left" not in shown:
            self.assertTrue(select.select([terminal], [], [], LIMIT)[0], shown)
            shown += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        status = os.waitpid(process, 0)[1]
        with contextlib.suppress(OSError):  # EIO: all was read
            while True:
                shown += os.read(terminal, 4096)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 130)
        for text in (rb"\d+ files/s", rb"\d+ MB/s", rb"\d:\d\d left", rb"\d%", rb"\r\x1b\[K$"):
            self.assertRegex(shown, text)
        with open(self.path(b"list"), "rb") as file:
            self.assertTrue(is_list(file.read()))


if __name__ == "__main__":
    EXECUTABLE = os.path.abspath(sys.argv.pop(1))
    SANITIZED = "--sanitized" in sys.argv and not sys.argv.remove("--sanitized")
    unittest.main()
