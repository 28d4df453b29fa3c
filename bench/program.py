"""Start-up, idle memory and command times of the built program.

Each figure is the median of several runs; beside wall time stands processor time, which tells a
slow program from a busy machine.
"""

import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from results import PROGRAM, ROOT, Results

CARS = ROOT / "vendor/node_modules/vega-datasets/data/cars.json"


def run(*words):
    subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def command_ms(*words, runs=25):
    """Median wall and processor time of a command."""
    walls, processors = [], []
    for _ in range(runs):
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        walls.append((time.perf_counter() - start) * 1e3)
        processors.append((usage.ru_utime + usage.ru_stime) * 1e3)
        if process.returncode != 0:
            raise SystemExit(f"{words} ended with {process.returncode}")
    return statistics.median(walls), statistics.median(processors)


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
        server.stdout.close()
    return statistics.median(starts), statistics.median(memory)


def main():
    results = Results("program")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run(PROGRAM, "--home", home, "dataset", "add", "cars", CARS)
        start, memory = server_figures(home)
        results.add("server: start to ready", start, "ms", limit=300)
        results.add("server idle: resident", memory, "MiB", limit=60)
        for what, limit, words in (
            ("`cromford --version`", 20, ["--version"]),
            ("`cromford dataset list`, hosting the factory itself", 60, ["--home", home, "dataset", "list"]),
        ):
            wall, processor = command_ms(PROGRAM, *words)
            results.add(what, wall, "ms", limit=limit, detail=f"processor {processor:.0f} ms")
    results.save()


if __name__ == "__main__":
    main()
