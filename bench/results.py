"""What a benchmark found: rows of one table, kept as JSON so that report.py can put them together.

    results = Results("import")
    results.add("flights as CSV: CPU", found=1.3, unit="x", limit=2.0, detail="1.9 s, bare 1.5 s")
    results.save()

A limit is the most that may be found; with at_least=True, the least.
"""

import json
import os
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("CROMFORD_BUILD", ROOT / "build/release"))
PROGRAM = BUILD / "src/main/cromford"
WORK = ROOT / "build/bench"
FLIGHTS = ROOT / "vendor/node_modules/vega-datasets/data/flights-3m.parquet"


def holds(row):
    if row["limit"] is None:
        return None
    return row["found"] >= row["limit"] if row["at_least"] else row["found"] <= row["limit"]


def verdict(row):
    return {None: "", True: "holds", False: "**missed**"}[holds(row)]


def median_ratio(ours, theirs):
    """Of measurements that were taken in pairs: what disturbs the machine disturbs both."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


class Results:
    def __init__(self, part):
        self.part, self.rows = part, []

    def add(self, what, found, unit, limit=None, at_least=False, detail=""):
        row = {
            "part": self.part,
            "what": what,
            "found": round(found, 3),
            "unit": unit,
            "limit": limit,
            "at_least": at_least,
            "detail": detail,
        }
        self.rows.append(row)
        limit_text = "" if limit is None else f"{'at least' if at_least else 'limit'} {limit} {unit}"
        mark = verdict(row).strip("*")
        print(f"{what:<58} {found:10.2f} {unit:<4} {limit_text:<16} {mark:<7} {detail}", flush=True)

    def save(self):
        WORK.mkdir(parents=True, exist_ok=True)
        (WORK / f"{self.part}.json").write_text(json.dumps(self.rows, indent=1) + "\n")
