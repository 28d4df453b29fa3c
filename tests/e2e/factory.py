"""Drives the real program in end-to-end tests: a home of its own, commands, a server, HTTP."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("CROMFORD_PROGRAM", str(ROOT / "build/release/src/main/cromford"))
VEGA = ROOT / "vendor/node_modules/vega-datasets/data"
SHARED = ROOT.parent / "shared/data"
# Sanitized programs are several times slower.
PATIENCE_S = float(os.environ.get("CROMFORD_TEST_PATIENCE", "60"))


class Answer:
    """What a request gave: status, headers, body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Server:
    """A running `cromford server`."""

    def __init__(self, home, *flags):
        self.home = home
        self.log = open(home.parent / f"{home.name}.log", "ab")
        self.process = subprocess.Popen(
            [PROGRAM, "--home", str(home), "server", "--listen", "127.0.0.1:0", *flags],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line.startswith("listening http="):
            self.process.wait(10)
            raise AssertionError(f"the server did not start: {line!r} {Path(self.log.name).read_text()}")
        self.address = line.split()[1].removeprefix("http=")
        self.url = f"http://{self.address}"
        self.token = json.loads((home / "run/server.json").read_text())["token"]

    def request(self, method, path, body=None, headers=None, content_type="application/json"):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        if isinstance(body, str):
            body = body.encode()
        request = urllib.request.Request(self.url + path, data=body, method=method)
        if body is not None:
            request.add_header("Content-Type", content_type)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def job(self, answer):
        """Waits for the job that an answer named, and gives it in its final state."""
        assert answer.status == 202, (answer.status, answer.body)
        path = answer.headers["Location"]
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < deadline:
            job = self.request("GET", path).json()
            if job["state"] in ("succeeded", "failed", "cancelled"):
                return job
            time.sleep(0.02)
        raise AssertionError(f"the job did not end: {job}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.log.close()
        return self.process.returncode


class FactoryTest(unittest.TestCase):
    """A test case with an empty home."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="cromford-test-"))
        self.home = self.folder / "home"
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            with contextlib.suppress(Exception):
                server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def server(self, *flags, home=None):
        server = Server(home or self.home, *flags)
        self.servers.append(server)
        return server

    def run_command(self, *words, stdin=None, env=None, home=None):
        return subprocess.run(
            [PROGRAM, "--home", str(home or self.home), *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE_S,
            env={**os.environ, **(env or {})},
        )

    def command(self, *words, stdin=None):
        """Runs a command that must succeed, and gives its standard output."""
        done = self.run_command(*words, stdin=stdin)
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def command_json(self, *words):
        return json.loads(self.command("--json", *words))

    def refused(self, exit_code, *words, stdin=None):
        """Runs a command that must fail with this exit code, and gives its standard error."""
        done = self.run_command(*words, stdin=stdin)
        self.assertEqual(done.returncode, exit_code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stderr

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


def needs_shared(test):
    return unittest.skipUnless(SHARED.is_dir(), "left out: ../shared/data is not there")(test)
