# Checks that weak memory orders and fences carry pair tags, and that tags have all their ends.
import re
from collections import defaultdict

from source import run, sources, split

TAG = re.compile(r"\[([A-Za-z]\w*(?:-[A-Za-z]\w*)*)-(\d)\]")
NEEDS_TAG = re.compile(
    r"memory_order(?:_|::)(?:relaxed|consume|acquire|release|acq_rel)\b"
    r"|\batomic_(?:thread|signal)_fence\s*\("
)
ATOMIC_USE = re.compile(
    NEEDS_TAG.pattern + r"|memory_order|(?:\.|->)(?:load|store|exchange|wait|notify_\w+)\s*\("
    r"|compare_exchange|fetch_(?:add|sub|or|and|xor)|test_and_set|\+\+|--|[-+|&^]="
)
MEMORY_MODEL = "doc/06_memory_model.md"


def ends_statement(line):
    return not line.code.strip() or re.search(r"[;{}:]\s*$|^\s*#", line.code) is not None


def statement_around(lines, index):
    """(first, last) line of the statement that has code on line `index`."""
    first = last = index
    while first > 0 and not ends_statement(lines[first - 1]):
        first -= 1
    while last + 1 < len(lines) and not ends_statement(lines[last]):
        last += 1
    return first, last


def comment_about(lines, index):
    """What is written beside the statement on line `index` and in the comment right above it."""
    first, last = statement_around(lines, index)
    while first > 0 and not lines[first - 1].code.strip() and lines[first - 1].comment:
        first -= 1
    return " ".join(line.comment for line in lines[first : last + 1])


def subject(lines, index):
    """The first line of code at or below a comment, or the empty line that ends it."""
    while not lines[index].code.strip() and index + 1 < len(lines) and lines[index + 1].comment:
        index += 1
    if not lines[index].code.strip() and index + 1 < len(lines):
        index += 1
    return index


def untagged(lines):
    for index, line in enumerate(lines):
        if NEEDS_TAG.search(line.code) and not TAG.search(comment_about(lines, index)):
            yield index + 1


def tags(lines):
    """(line number, name, end, is it at an operation) of each tag. A comment that names several
    ends of one pair describes the protocol, and is an end only where an operation follows it."""
    for index, line in enumerate(lines):
        for name, end in TAG.findall(line.comment):
            about = subject(lines, index)
            first, last = statement_around(lines, about)
            named = {e for n, e in TAG.findall(comment_about(lines, about)) if n == name}
            operates = any(ATOMIC_USE.search(other.code) for other in lines[first : last + 1])
            yield index + 1, name.upper(), int(end), operates or len(named) == 1


def check(root):
    problems, found, at_operation = [], defaultdict(dict), defaultdict(set)
    for file in sources(root, "include", "lib"):
        name, lines = file.relative_to(root), split(file.read_text())
        for number in untagged(lines):
            problems.append(f"{name}:{number}: a weak order or a fence without a [TAG-1]")
        for number, tag, end, used in tags(lines):
            found[tag].setdefault(end, f"{name}:{number}")
            if used:
                at_operation[tag].add(end)
    for tag, ends in found.items():
        for end in range(1, max(2, *ends) + 1):
            if end not in at_operation[tag]:
                where = next(iter(ends.values()))
                problems.append(f"{where}: no operation carries [{tag}-{end}]")
    return problems + undocumented(root, found)


def undocumented(root, found):
    page = root / MEMORY_MODEL
    if not page.exists():
        return []
    listed = {name.upper() for name, _ in TAG.findall(page.read_text())}
    return [f"{MEMORY_MODEL}: does not explain the tag {tag}" for tag in found.keys() - listed] + [
        f"{MEMORY_MODEL}: the code has no tag {tag}" for tag in listed - found.keys()
    ]


FIELD = "// [A-1] the writer\n// publishes to [A-2].\nstd::atomic<int> a_{0};\n"
STORE = "void f() {\n  // [A-1]\n  a_.store(1, std::memory_order_release);\n}\n"
LOAD = "int g() {\n  return a_.load(\n      std::memory_order::acquire);  // [a-2] sees f()\n}\n"
FENCE = "void f() {\n  std::atomic_thread_fence(std::memory_order_seq_cst);\n}\n"
CASES = [
    ("a pair", {"lib/a.cpp": FIELD + STORE + LOAD}, None),
    ("one end", {"lib/a.cpp": STORE}, "no operation carries [A-2]"),
    ("one end and a description", {"lib/a.cpp": FIELD + STORE}, "no operation carries [A-2]"),
    ("no tag", {"lib/a.cpp": STORE.replace("[A-1]", "") + FIELD}, "lib/a.cpp:3: a weak order"),
    ("a fence", {"include/a.hpp": FENCE}, "include/a.hpp:2: a weak order or a fence"),
    ("a tag too far up", {"lib/a.cpp": STORE.replace("[A-1]\n", "[A-1]\n\n")}, "a weak order"),
    ("the default order", {"lib/a.cpp": "int x = a_.load();  // memory_order_relaxed?\n"}, None),
    ("three ends", {"lib/a.cpp": STORE + LOAD + "// [A-3]\nint c = a_.load();\n"}, None),
    ("the page", {"lib/a.cpp": STORE + LOAD, MEMORY_MODEL: "[B-1]"}, "does not explain the tag A"),
    ("the page is old", {"lib/a.cpp": "", MEMORY_MODEL: "[B-1]"}, "the code has no tag B"),
]

if __name__ == "__main__":
    run(check, CASES)
