# Checks that what comments name in `backticks` exists in the code, or as a file.
import re

from source import run, sources, split

SPAN = re.compile(r"`([^`]+)`")
WORD = re.compile(r"[A-Za-z_]\w*")
FOREIGN = re.compile(
    r"\./dev [\w ]+|\b(?:std|boost)::[\w:]+|\"[^\"]*\"|'[^']*'|[\w.+-]*/[\w./+-]*|(?<!\w)-+\w+"
)
PLACEHOLDER = re.compile(r"(?<!\w)<\w+>")  # `<prefix>_<n>` is a pattern, `Future<T>` is code
FILE = re.compile(r"[\w./-]+\.(?:hpp|cpp|md|py|build)\b")
PYTHON_PARAGRAPH = re.compile(r"\*\*Python:\*\*")
NEXT_PARAGRAPH = re.compile(r"\*\*(?!Python)\w+:\*\*|@\w+|^\s*$")

# The language's own words, and what the system or Python calls things.
KNOWN = set(
    """alignas alignof auto bool break case catch char class co_await co_return co_yield concept
    const constexpr continue decltype default delete do double dynamic_cast else enum explicit
    extern false final float for friend goto if inline int long mutable namespace new noexcept
    nullptr operator override private protected public reinterpret_cast requires return short
    signed sizeof static static_assert static_cast struct switch template this throw true try
    typedef typename union unsigned using virtual void volatile while std boost concurrent futures
    asyncio python dev meson ninja ps exit fork main errno""".split()
)


def python_named(comments):
    """For each comment line: does it stand in a paragraph about Python's names?"""
    inside = False
    for comment in comments:
        if PYTHON_PARAGRAPH.search(comment):
            inside = True
        elif NEXT_PARAGRAPH.search(comment):
            inside = False
        yield inside


def spans(lines):
    """(line number, text) of each `span`, by the line on which it begins."""
    comments = [line.comment for line in lines]
    exempt = list(python_named(comments))
    text = "\n".join(comments)
    for match in SPAN.finditer(text):
        number = text.count("\n", 0, match.start())
        if not exempt[number] and "\n\n" not in match[1] and not PLACEHOLDER.search(match[1]):
            yield number + 1, " ".join(match[1].split())


def file_exists(root, name):
    """Is there such a file, be it named from its folder on only?"""
    return any(path.match(name) for top in ("include", "lib", "test", "doc") for path in
               (root / top).rglob(name.rpartition("/")[2])) or (root / name).exists()


def missing_in(span, root, known):
    """What a span names that exists nowhere."""
    files = [name for name in FILE.findall(span) if not file_exists(root, name)]
    words = WORD.findall(FOREIGN.sub(" ", FILE.sub(" ", span)))
    return files + [word for word in words if word not in known]


def check(root):
    texts = {file: split(file.read_text()) for file in sources(root, "include", "lib")}
    words = (WORD.findall(line.code) for lines in texts.values() for line in lines)
    known = KNOWN.union(*words)
    return [
        f"{file.relative_to(root)}:{number}: `{name}` exists nowhere in the code"
        for file, lines in texts.items()
        for number, span in spans(lines)
        for name in missing_in(span, root, known)
    ]


CODE = "int open_door(int key);\n"
CASES = [
    ("alive", {"include/a.hpp": "/// Calls `open_door(key)`, as `std::foo` does.\n" + CODE}, None),
    ("stale", {"include/a.hpp": "// See `shut_door`.\n" + CODE}, "a.hpp:1: `shut_door` exists"),
    ("only in a comment", {"lib/a.cpp": "// `shut`: a shut door\n" + CODE}, "`shut` exists"),
    ("over two lines", {"lib/a.cpp": "// `open_door(int\n// lock)`\n" + CODE}, "`lock` exists"),
    ("Python's", {"lib/a.cpp": "// **Python:** `Door.shut`\n// `x`.\n" + CODE}, None),
    ("no longer Python's", {"lib/a.cpp": "// **Python:** `y`\n// **Threads:** `x`.\n"}, "`x`"),
    ("a pattern", {"lib/a.cpp": "// `<prefix>_<n>`\n"}, None),
    ("a file", {"lib/core/a.cpp": "// `core/a.cpp`, `./dev bench`\n"}, None),
    ("no such file", {"lib/core/a.cpp": "// `core/b.cpp`\n"}, "`core/b.cpp` exists nowhere"),
]

if __name__ == "__main__":
    run(check, CASES)
