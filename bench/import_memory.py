"""Import of a file three times larger than the memory that the job may use.

The rows are all different (an id, a text of its own) and the columns of every type, so that
neither reading nor the profile gets by on repetition. Measured is the most that the server and its
children ever had resident, code and mapped files included. Usage: import_memory.py [--limit MIB]
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess

from results import PROGRAM, WORK, Results

MIB = 1 << 20


def write_rows(path, bytes_min):
    """Writes rows until the file has `bytes_min` bytes, in constant memory; gives their number."""
    generator = random.Random(11)
    cities = ["Chicago", "Dallas", "Zürich", "São Paulo", "Den Haag", "", "Reykjavík"]
    tails = [
        f"{generator.choice(cities)},{generator.uniform(-1e3, 1e6):.3f},{generator.randrange(10**6)},"
        f"2001-{generator.randrange(1, 13):02}-{generator.randrange(1, 29):02} {generator.randrange(24):02}:30:00,"
        f"{generator.choice(['true', 'false'])},{generator.getrandbits(160):040x}"
        for _ in range(20_011)
    ]
    rows = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write("id,note,city,amount,count,at,flag,digest\n")
        while file.tell() < bytes_min:
            file.writelines(
                f"{rows + i},note {(rows + i) * 2654435761 % 4294967296:08x},{tails[(rows + i) % len(tails)]}\n"
                for i in range(50_000)
            )
            rows += 50_000
    return rows


def import_under(limit_mib, source):
    """The imported version and the peak of resident bytes of a server and its children."""
    home = WORK / "memory-home"
    shutil.rmtree(home, ignore_errors=True)
    config = WORK / "memory.yaml"
    config.write_text(f"listen: 127.0.0.1:0\njobs: {{memory: {limit_mib}MiB}}\n")
    server = subprocess.Popen(
        [PROGRAM, "--home", home, "server", "--config", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        server.stdout.readline()
        done = subprocess.run(
            [PROGRAM, "--home", home, "--json", "dataset", "add", "large", source], capture_output=True, text=True
        )
    finally:
        server.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(server.pid, 0)
        server.returncode = os.waitstatus_to_exitcode(status)
        server.stdout.close()
        shutil.rmtree(home, ignore_errors=True)
    if done.returncode != 0:
        raise SystemExit(f"the import failed: {done.stderr}")
    return json.loads(done.stdout), usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=256, help="MiB")
    limit = parser.parse_args().limit
    WORK.mkdir(parents=True, exist_ok=True)
    source = WORK / "large.csv"
    rows = write_rows(source, 3 * limit * MIB)
    version, peak = import_under(limit, source)
    size = source.stat().st_size / MIB
    source.unlink()
    found = json.dumps(version)
    if f'"row_count": {rows}' not in found:
        raise SystemExit(f"the version does not say that it has {rows} rows: {found[:500]}")
    results = Results("memory")
    results.add(
        "import of a file of three times the memory limit: peak",
        peak,
        "MiB",
        limit=limit,
        detail=f"{rows:,} rows, {size:.0f} MiB of CSV",
    )
    results.save()


if __name__ == "__main__":
    main()
