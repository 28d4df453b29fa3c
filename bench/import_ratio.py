"""Import of the flights by `cromford dataset add`, against DuckDB's bare copy of the same file.

Ours finds types, profiles, hashes and stores a version; theirs reads and writes Parquet with all
its defaults, by the same library in a process of its own. The two take turns, so that each pair
sees the same machine; the ratios are medians over the pairs. Processor time counts every child
process. Usage: import_ratio.py [--pairs N]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import time

from results import BUILD, FLIGHTS, PROGRAM, WORK, Results, median_ratio

COPY = BUILD / "src/table/duckdb_copy_bench"
ROWS = 3_000_000


def timed(words):
    """Wall and processor seconds of a command with all its children, and what it printed."""
    start = time.perf_counter()
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode != 0:
        raise SystemExit(f"{words} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, output.decode()


def flights_csv():
    """The flights as CSV, written once by DuckDB's command of the same name as ours."""
    path = WORK / "flights-3m.csv"
    if not path.is_file():
        unfinished = path.with_suffix(".tmp.csv")
        timed([COPY, FLIGHTS, unfinished])
        unfinished.rename(path)
    return path


def import_once(file):
    home = WORK / "import-home"
    shutil.rmtree(home, ignore_errors=True)
    wall, cpu, output = timed([PROGRAM, "--home", home, "--json", "dataset", "add", "flights", file])
    shutil.rmtree(home, ignore_errors=True)
    if f'"row_count":{ROWS}' not in output.replace(" ", ""):
        raise SystemExit(f"the import of {file} does not say that it has {ROWS} rows: {output[:500]}")
    return wall, cpu


def copy_once(file):
    target = WORK / "copy.parquet"
    wall, cpu, output = timed([COPY, file, target])
    target.unlink()
    if int(output) != ROWS:
        raise SystemExit(f"DuckDB copied {output} rows of {file}")
    return wall, cpu


def compare(results, name, file, pairs):
    import_once(file)  # Brings the files into the cache.
    ours, theirs = [], []
    for _ in range(pairs):
        theirs.append(copy_once(file))
        ours.append(import_once(file))
    for measure, index in (("processor time", 1), ("wall time", 0)):
        mine, bare = [run[index] for run in ours], [run[index] for run in theirs]
        results.add(
            f"import of the flights as {name}: {measure}",
            median_ratio(mine, bare),
            "x",
            limit=2.0,
            detail=f"ours {statistics.median(mine):.2f} s, DuckDB {statistics.median(bare):.2f} s",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    pairs = parser.parse_args().pairs
    WORK.mkdir(parents=True, exist_ok=True)
    results = Results("import")
    compare(results, "CSV", flights_csv(), pairs)
    compare(results, "Parquet", FLIGHTS, pairs)
    results.save()


if __name__ == "__main__":
    main()
