# Reads C++ sources as the meta tests need them, code and comment apart; and runs a check.
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)"""
    r"""|(?P<raw>R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)")"""
    r"""|(?P<text>"(?:\\.|[^"\\\n])*")|(?P<char>(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+')""",
    re.S | re.X,
)


COMMENT_MARK = re.compile(r"/\*+|\*/|//[/!]?<?")


@dataclass
class Line:
    """One line of a source: `code` with its literals emptied, and the text of its comments."""

    code: str
    comment: str


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def split(text):
    """The lines of a C++ text, code and comments apart. An #include keeps its file name."""
    code, comment, end = [], [], 0
    for match in TOKEN.finditer(text):
        plain, piece = text[end : match.start()], match.group()
        end = match.end()
        is_comment = match["line"] or match["block"]
        is_file_name = re.search(r"#\s*include\s*$", plain)
        empty_literal = '""' + "\n" * piece.count("\n")
        code += [plain, blank(piece) if is_comment else piece if is_file_name else empty_literal]
        comment += [blank(plain), COMMENT_MARK.sub("  ", piece) if is_comment else blank(piece)]
    code.append(text[end:])
    comment.append(blank(text[end:]))
    pairs = zip("".join(code).split("\n"), "".join(comment).split("\n"))
    return [Line(c.rstrip(), k.strip()) for c, k in pairs]


def sources(root, *folders, suffixes=(".hpp", ".cpp")):
    """All sources under the folders of `root`, in the order of their names."""
    found = (p for folder in folders for p in (Path(root) / folder).rglob("*"))
    return sorted(p for p in found if p.suffix in suffixes)


def selftest(check, cases):
    """Runs the check on small planted trees; each must give the complaint named, or none."""
    for name, files, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                file = Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            problems = check(Path(folder))
        seen = any(expected in problem for problem in problems) if expected else not problems
        if not seen:
            sys.exit(f"selftest: {name}: expected {expected or 'no complaint'}, got {problems}")
    print(f"selftest: {len(cases)} cases, each judged rightly")


def run(check, cases):
    """The command line of every check: SCRIPT [--selftest | ROOT]."""
    if sys.argv[1:] == ["--selftest"]:
        return selftest(check, cases)
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parents[2]
    problems = check(root)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
