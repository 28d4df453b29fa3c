"""What one row of V2 JSON costs: `cromford server` against a raw epoll echo and against FastAPI.

Each server has one thread on one processor, the load (64 keep-alive connections) has another. All
are asked in turn, round by round, so that what disturbs the machine disturbs all; the ratios are
medians over the rounds. The model is the same forest everywhere, 200 trees of depth 6 over 20
numbers, and the answers are compared before anything is measured.
Usage: serving.py [--rounds N] [--seconds S] [--without-fastapi]
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import statistics
import subprocess

from results import BUILD, PROGRAM, ROOT, WORK, Results, median_ratio

TOOLS = BUILD / "bench"
PYTHON = ROOT / "build/bench-venv/bin/python"
PATH = "/v2/models/late/infer"
COLUMNS = 20


def processors():
    """One for the server, another for the load, where there are two."""
    known = sorted(os.sched_getaffinity(0))
    return {known[0]}, {known[-1]}


class Server:
    """A process that says "listening http=HOST:PORT", on one processor."""

    def __init__(self, words):
        processor = processors()[0]
        self.process = subprocess.Popen(
            list(map(str, words)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, processor),
        )
        line = self.process.stdout.readline()
        if "http=" not in line:
            raise SystemExit(f"{words} did not start: {line!r}")
        self.port = int(line.split("http=")[1].split()[0].rpartition(":")[2])

    def answer(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {text[:500]}")
        return json.loads(text)

    def load(self, body_file, seconds):
        words = [TOOLS / "http_load", "--port", self.port, "--process", self.process.pid, "--path", PATH]
        words += ["--body", body_file, "--connections", 64, "--seconds", seconds]
        processor = processors()[1]
        done = subprocess.run(
            list(map(str, words)),
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, processor),
        )
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def matrix_body(row):
    return json.dumps({"inputs": [{"name": "x", "shape": [1, COLUMNS], "datatype": "FP64", "data": row}]})


def columns_body(row):
    tensors = [{"name": f"x{i}", "shape": [1], "datatype": "FP64", "data": [x]} for i, x in enumerate(row)]
    return json.dumps({"inputs": tensors})


def random_row(generator):
    return [round(generator.uniform(-1.5, 1.5), 6) for _ in range(COLUMNS)]


def start_factory(package):
    """A real factory: its home, the imported model, the endpoint, one thread for HTTP."""
    home = WORK / "serving-home"
    shutil.rmtree(home, ignore_errors=True)
    config = WORK / "serving.yaml"
    config.write_text("listen: 127.0.0.1:0\nhttp_threads: 1\n")
    server = Server([PROGRAM, "--home", home, "server", "--config", config])
    for words in (["model", "import", package, "--model", "late"], ["deploy", "late", "--endpoint", "late"]):
        subprocess.run([PROGRAM, "--home", home, "--quiet", *words], check=True, stdout=subprocess.DEVNULL)
    return server


def probability(answer):
    outputs = {output["name"]: output for output in answer["outputs"]}
    return outputs["probabilities"]["data"][-1]


def check_equal(ours, theirs, rows=50):
    """That both serve the same model, up to the float32 of ONNX Runtime."""
    generator = random.Random(3)
    for _ in range(rows):
        body = matrix_body(random_row(generator))
        a, b = probability(ours.answer(body)), probability(theirs.answer(body))
        if abs(a - b) > 1e-4:
            raise SystemExit(f"the peer serves another model: {a} and {b} for {body}")


def report(results, runs):
    def figures(name, key):
        return [run[key] for run in runs[name]]

    def middle(name, key):
        return statistics.median(figures(name, key))

    def against_echo(what, ours, echo, limit=None):
        results.add(
            what,
            median_ratio(figures(ours, "processor_us"), figures(echo, "processor_us")),
            "x",
            limit=limit,
            detail=f"{middle(ours, 'processor_us'):.2f} us, echo {middle(echo, 'processor_us'):.2f} us",
        )

    against_echo("HTTP alone: CPU per request beside a raw echo", "http", "echo")
    against_echo("one row, one tensor [1,20]: CPU per request beside an echo", "matrix", "echo", 2.5)
    against_echo("one row, 20 tensors [1]: CPU per request beside an echo", "columns", "echo-columns", 2.5)
    if "fastapi" in runs:
        beside = "one row on one core beside FastAPI + ONNX Runtime"
        for what, key, unit in (
            ("requests/s", "requests_per_second", "/s"),
            ("requests per second of processor time", "processor_us", " us"),
        ):
            more, less = ("fastapi", "matrix") if key == "processor_us" else ("matrix", "fastapi")
            results.add(
                f"{beside}: {what}",
                median_ratio(figures(more, key), figures(less, key)),
                "x",
                limit=25,
                at_least=True,
                detail=f"{middle('matrix', key):,.1f}{unit}, FastAPI {middle('fastapi', key):,.1f}{unit}",
            )
    for name in ("matrix", "columns"):
        detail = f"p99 {middle(name, 'p99_us'):.0f} us, {middle(name, 'requests_per_second'):,.0f} requests/s"
        results.add(f"one row ({name}), 64 connections: median latency", middle(name, "p50_us"), "us", detail=detail)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--without-fastapi", action="store_true")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    package, trees = WORK / "forest.package", WORK / "forest.json"
    subprocess.run([TOOLS / "forest_model", package, trees], check=True)
    row = random_row(random.Random(5))
    matrix, columns = WORK / "matrix.json", WORK / "columns.json"
    matrix.write_text(matrix_body(row))
    columns.write_text(columns_body(row))

    servers = []

    def started(server):
        servers.append(server)
        return server

    try:
        echo = started(Server([TOOLS / "raw_echo"]))
        http_only = started(Server([TOOLS / "http_echo"]))
        ours = started(start_factory(package))
        asked = {
            "echo": (echo, matrix),
            "http": (http_only, matrix),
            "matrix": (ours, matrix),
            "columns": (ours, columns),
            "echo-columns": (echo, columns),
        }
        if not options.without_fastapi:
            theirs = started(Server([PYTHON, ROOT / "bench/serving/fastapi_service.py", trees]))
            check_equal(ours, theirs)
            asked["fastapi"] = (theirs, matrix)
        runs = {name: [] for name in asked}
        for _ in range(options.rounds):
            for name, (server, body) in asked.items():
                runs[name].append(server.load(body, options.seconds))
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(WORK / "serving-home", ignore_errors=True)
    results = Results("serving")
    report(results, runs)
    results.save()


if __name__ == "__main__":
    main()
