# Lists the public headers; with --configured NAME..., checks that the build compiles just these.
import sys
from pathlib import Path

from source import sources


def public_headers(root):
    include = Path(root) / "include"
    return [
        str(file.relative_to(include))
        for file in sources(root, "include/plait", suffixes=(".hpp",))
        if "detail" not in file.parts
    ]


def main():
    root, configured = sys.argv[1], sys.argv[3:]
    present = public_headers(root)
    if sys.argv[2:3] != ["--configured"]:
        print("\n".join(present))
    elif missing := sorted(set(present) ^ set(configured)):
        sys.exit(f"run `meson setup --reconfigure`: headers came or went: {', '.join(missing)}")


if __name__ == "__main__":
    main()
