# Checks the shape of the sources: lengths, first lines, macros, sleeps in tests, their names.
import re
from pathlib import Path

from source import run, sources, split

MAX_LINES, MAX_COLUMNS = 400, 100
SCRIPTS = ("dev", ".ci/run", "tools/demo")
CODE_FOLDERS = ("include", "lib", "test", "samples", "bench")
MAX_MACROS = 5
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
SLEEP = re.compile(
    r"\b(?:sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b"
    r"|(?<![\w.>])(?<!aio::)sleep\s*\("
)
DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)")
ATOMIC_FIELD = re.compile(
    r"^\s*(?:(?:mutable|static|inline|alignas\([^)]*\))\s+)*std::atomic(?:<.*>|_\w+)\s+\w+\s*[{=;]"
)
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
TEST_NAME = re.compile(rf"\bTEST_CASE(?:_\w+)?\s*\([^\")]*({LITERAL}(?:\s*{LITERAL})*)")
SENTENCE = re.compile(r"[^:]+(?:::[^:]+)*: \S+(?: \S+)+")


def commented(lines, index):
    """Is there a comment on the line, or right above it? Neighbouring fields may share one."""
    if lines[index].comment:
        return True
    while index > 0 and (lines[index - 1].code.strip() or lines[index - 1].comment):
        index -= 1
        if not lines[index].code.strip():
            return True
        if not lines[index].code.rstrip().endswith(";"):
            return False
    return False


def any_file(file, text):
    """(line number, complaint) for a source in any language."""
    raw = text.splitlines()
    marks = ("// ",) if file.suffix in (".hpp", ".cpp") else ("# ", '"""')
    if len(raw) > MAX_LINES:
        yield len(raw), f"longer than {MAX_LINES} lines"
    first = raw[1:2] if raw and raw[0].startswith("#!") else raw[:1]
    if not first or not first[0].startswith(marks):
        yield 1, "the first line is no comment on what the file is"
    if file.suffix == ".hpp" and "#pragma once" not in raw:
        yield 1, "no #pragma once"
    for number, line in enumerate(raw, 1):
        if len(line) > MAX_COLUMNS:
            yield number, f"longer than {MAX_COLUMNS} columns"


def cpp_file(name, lines):
    """(line number, complaint) for a C++ source."""
    in_test, in_library = name.startswith("test/"), name.startswith(("include/", "lib/"))
    for index, line in enumerate(lines):
        number, define = index + 1, DEFINE.match(line.code)
        if UNFINISHED.search(line.comment):
            yield number, "unfinished: finish it, or file an issue"
        if in_test and SLEEP.search(line.code):
            yield number, "a test sleeps: synchronise instead"
        if in_library and define and not define[1].startswith("PLAIT_"):
            yield number, f"macro {define[1]}: its name does not start with PLAIT_"
        if in_library and ATOMIC_FIELD.match(line.code) and not commented(lines, index):
            yield number, "an atomic without a comment on who writes, who reads, in which order"
        if "reinterpret_cast" in line.code and in_library:
            near = " ".join(other.comment for other in lines[max(0, index - 8) : index + 1])
            if "SAFETY:" not in near:
                yield number, "reinterpret_cast without a SAFETY: comment"


def test_names(text):
    for match in TEST_NAME.finditer(text):
        name = re.sub(r'"\s*"', "", match[1]).strip('"')
        if not SENTENCE.fullmatch(name):
            number = text.count("\n", 0, match.start()) + 1
            yield number, f'"{name}": a test is called "function: a sentence on what it does"'


def macros(root):
    files = sources(root, "include", "lib")
    return {m[1] for f in files for l in split(f.read_text()) if (m := DEFINE.match(l.code))}


def check(root):
    problems = []
    for file in sources(root, *CODE_FOLDERS, suffixes=(".hpp", ".cpp", ".py")):
        name, text = str(file.relative_to(root)), file.read_text()
        found = list(any_file(file, text))
        if file.suffix != ".py":
            found += cpp_file(name, split(text))
            found += test_names(text) if name.startswith("test/") else []
        problems += [f"{name}:{number}: {complaint}" for number, complaint in sorted(found)]
    for script in filter(Path.exists, (root / name for name in SCRIPTS)):
        found = any_file(script, script.read_text())
        problems += [f"{script.relative_to(root)}:{n}: {complaint}" for n, complaint in found]
    if len(names := macros(root)) > MAX_MACROS:
        problems.append(f"{len(names)} macros, at most {MAX_MACROS}: {', '.join(sorted(names))}")
    return problems


TOP = "// A file.\n"
ATOMIC = "std::atomic<int> x_{0};\n"
CAST = "auto p = reinterpret_cast<int*>(q);\n"
CASES = [
    ("well shaped", {"include/a.hpp": TOP + "#pragma once\n", "lib/a.cpp": TOP}, None),
    ("400 lines", {"lib/a.cpp": TOP * 400}, None),
    ("401 lines", {"lib/a.cpp": TOP * 401}, "longer than 400 lines"),
    ("101 columns", {"bench/a.cpp": TOP + "//" + "-" * 99}, "a.cpp:2: longer than 100 columns"),
    ("no first line", {"samples/a.cpp": "int x;\n"}, "first line"),
    ("a script", {"dev": "#!/bin/sh\n" + "# A file.\n" * 400}, "dev:401: longer than 400"),
    ("no pragma", {"include/a.hpp": TOP}, "pragma"),
    ("unfinished", {"lib/a.cpp": TOP + "int x;  // TODO: y\n"}, "a.cpp:2: unfinished"),
    ("a sleep", {"test/a.cpp": TOP + "std::this_thread::sleep_for(1s);\n"}, "sleeps"),
    ("a loop's sleep", {"test/a.cpp": TOP + "auto a = aio::sleep(1s);\n"}, None),
    ("a sleep in words", {"test/a.cpp": TOP + '// sleep_for\nauto s = "usleep";\n'}, None),
    ("a macro of ours", {"lib/a.cpp": TOP + "#define PLAIT_X 1\n"}, None),
    ("a macro", {"lib/a.cpp": TOP + "#define X 1\n"}, "macro X"),
    ("6 macros", {"lib/a.cpp": "".join(f"#define PLAIT_{i}\n" for i in range(6))}, "6 macros"),
    ("a bare atomic", {"lib/a.cpp": TOP + "\n" + ATOMIC}, "an atomic without"),
    ("a commented atomic", {"lib/a.cpp": TOP + "\n// Why.\n" + ATOMIC + ATOMIC}, None),
    ("a bare cast", {"lib/a.cpp": TOP + CAST}, "SAFETY"),
    ("an argued cast", {"lib/a.cpp": TOP + "// SAFETY: q is an int's.\n" + CAST}, None),
    ("a test named well", {"test/a.cpp": TOP + 'TEST_CASE("get: gives the value [x]") {}\n'}, None),
    ("a test's long name", {"test/a.cpp": TOP + 'TEST_CASE("get: gives "\n "it") {}\n'}, None),
    ("a test named badly", {"test/a.cpp": TOP + 'TEST_CASE("basic") {}\n'}, '"basic"'),
]

if __name__ == "__main__":
    run(check, CASES)
