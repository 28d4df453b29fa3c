"""Puts what the benchmarks found together: build/bench/results.json, and a Markdown table.

Usage: report.py PART... ; exits 1 where a limit is missed or a part left nothing.
"""

import json
import sys

from results import WORK, holds, verdict

UNITS_APART = {"ms", "MiB", "us", "s"}


def figure(value, unit):
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{text} {unit}" if unit in UNITS_APART else f"{text}{unit}"


def main():
    rows, absent = [], []
    for part in sys.argv[1:]:
        file = WORK / f"{part}.json"
        if file.is_file():
            rows += json.loads(file.read_text())
        else:
            absent.append(part)
    for row in rows:
        row["holds"] = holds(row)
    (WORK / "results.json").write_text(json.dumps({"rows": rows, "absent": absent}, indent=1) + "\n")
    print("\n| what | found | limit | | |\n|---|---|---|---|---|")
    for row in rows:
        limit = "" if row["limit"] is None else figure(row["limit"], row["unit"])
        least = "at least " if row["at_least"] else ""
        found = figure(row["found"], row["unit"])
        print(f"| {row['what']} | {found} | {least}{limit} | {verdict(row)} | {row['detail']} |")
    for part in absent:
        print(f"\n{part}: did not run to its end")
    sys.exit(1 if absent or any(row["holds"] is False for row in rows) else 0)


if __name__ == "__main__":
    main()
