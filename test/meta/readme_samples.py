#!/usr/bin/env python3
"""Every C++ block of README.md and doc/*.md stands, line for line, in a sample that is run."""
import pathlib
import re
import sys


def blocks(text):
    return [block.rstrip("\n") for block in re.findall(r"^```cpp\n(.*?)^```", text, re.M | re.S)]


def missing(pages, sources):
    return [f"{name}: block without a sample: {block.splitlines()[0]}"
            for name, text in pages.items() for block in blocks(text)
            if not any(block in source for source in sources)]


def selftest():
    assert not missing({"page": "```cpp\nint x;\n```\n"}, ["int x;\n"])
    assert missing({"page": "```cpp\nint y;\n```\n"}, ["int x;\n"])


def main():
    if sys.argv[1] == "--selftest":
        return selftest()
    root = pathlib.Path(sys.argv[1])
    files = [root / "README.md", *sorted((root / "doc").glob("*.md"))]
    pages = {str(file): file.read_text() for file in files}
    sources = [p.read_text() for p in (root / "samples").rglob("*.cpp")]
    faults = missing(pages, sources)
    count = sum(len(blocks(text)) for text in pages.values())
    print("\n".join(faults) or f"{count} blocks found in the samples")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
