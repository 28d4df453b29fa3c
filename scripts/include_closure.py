"""Prints FILE and all of our own headers that it includes, directly or not: include_closure.py FILE"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def closure(start):
    seen, queue = set(), [Path(start).resolve()]
    while queue:
        file = queue.pop()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        queue += [SRC / name for name in INCLUDE.findall(file.read_text(errors="replace"))]
    return sorted(seen)


if __name__ == "__main__":
    print("\n".join(str(file) for file in closure(sys.argv[1])))
