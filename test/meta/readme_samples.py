#!/usr/bin/env python3
"""Every C++ block of README.md and doc/*.md stands, line for line, in a sample that is run."""
import re

from source import run


def check(root):
    pages = [page for page in (root / "README.md", *sorted((root / "doc").glob("*.md")))
             if page.exists()]
    samples = [sample.read_text() for sample in (root / "samples").rglob("*.cpp")]
    problems = []
    for page in pages:
        for block in re.findall(r"^```cpp\n(.*?)\n```", page.read_text(), re.M | re.S):
            if not any(block in sample for sample in samples):
                problems.append(f"{page.name}: stands in no sample: {block.splitlines()[0]}")
    return problems


BLOCK = "```cpp\nint x;\n```\n"
CASES = [
    ("in a sample", {"README.md": BLOCK, "samples/a.cpp": "int x;\n"}, None),
    ("in no sample", {"README.md": BLOCK, "samples/a.cpp": "int y;\n"}, "stands in no sample"),
    ("in a page of doc", {"doc/a.md": BLOCK}, "a.md: stands in no sample"),
    ("no page", {}, None),
]

if __name__ == "__main__":
    run(check, CASES)
