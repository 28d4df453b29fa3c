"""Start-up, idle memory and command times of the built program: program.py [CROMFORD]

Each figure is the median of several runs; the limits are those of docs/benchmarks.md.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/release/src/main/cromford")
VEGA = ROOT / "vendor/node_modules/vega-datasets/data"


def median_ms(words, runs=15):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def server_figures(home, runs=7):
    starts, memory = [], []
    for _ in range(runs):
        begin = time.perf_counter()
        server = subprocess.Popen(
            [PROGRAM, "--home", home, "server", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        server.stdout.readline()
        starts.append((time.perf_counter() - begin) * 1e3)
        time.sleep(0.5)
        memory.append(resident_mib(server.pid))
        server.send_signal(signal.SIGTERM)
        server.wait()
    return statistics.median(starts), statistics.median(memory)


def main():
    with tempfile.TemporaryDirectory() as folder:
        home = os.path.join(folder, "home")
        subprocess.run(
            [PROGRAM, "--home", home, "dataset", "add", "cars", str(VEGA / "cars.json")],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        start, memory = server_figures(home)
        rows = [
            ("server: start to ready", start, "ms", 300),
            ("server idle: resident", memory, "MiB", 60),
            ("cromford --version", median_ms([PROGRAM, "--version"]), "ms", 20),
            ("cromford dataset list (no server)", median_ms([PROGRAM, "--home", home, "dataset", "list"]), "ms", 60),
        ]
    for name, value, unit, limit in rows:
        print(f"{name:<36} {value:8.1f} {unit:<4} limit {limit:>4}  {'holds' if value < limit else 'MISSED'}")
    print(json.dumps({name: round(value, 2) for name, value, _, _ in rows}))


if __name__ == "__main__":
    main()
