"""kill -9 of the server and of workers: what was acknowledged is there, nothing is half done."""

import os
import signal
import time
import unittest
from pathlib import Path

from factory import VEGA, FactoryTest

FLIGHTS = VEGA / "flights-3m.parquet"


def descendants(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            pass
    return found


class CrashTest(FactoryTest):
    def wait_for_worker(self, server):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = descendants(server.process.pid)
            if found:
                return found[0]
            time.sleep(0.01)
        raise AssertionError("no worker was started")

    def start_import(self, server):
        return server.request(
            "POST",
            "/api/v1/projects/default/datasets/flights/versions",
            FLIGHTS.read_bytes(),
            content_type="application/vnd.apache.parquet",
        )

    def test_a_killed_server_takes_its_jobs_up_again(self):
        server = self.server()
        answer = self.start_import(server)
        self.assertEqual(answer.status, 202)
        worker = self.wait_for_worker(server)
        server.kill()
        time.sleep(0.2)
        self.assertFalse(Path(f"/proc/{worker}").exists() and "Z" not in Path(f"/proc/{worker}/stat").read_text(),
                         "the worker outlived its server")
        again = self.server()
        job = again.job(answer)
        self.assertEqual(job["state"], "succeeded", job)
        self.assertEqual(job["result"]["row_count"], 3_000_000)

    def test_a_killed_worker_leaves_nothing_and_is_tried_again(self):
        server = self.server()
        answer = self.start_import(server)
        os.kill(self.wait_for_worker(server), signal.SIGKILL)
        job = server.job(answer)
        self.assertEqual(job["state"], "succeeded", job)
        self.assertEqual(job["result"]["version"], 1)

    def test_a_killed_training_ends_with_the_reason_and_its_best_model(self):
        self.command("dataset", "add", "cars", VEGA / "cars.json")
        server = self.server()
        answer = server.request(
            "POST",
            "/api/v1/projects/default/runs",
            {"dataset": "cars", "target": "Horsepower", "model": "power", "budget": {"time": "60s"}},
        )
        worker = self.wait_for_worker(server)
        jobs = self.home / "tmp" / "jobs"
        while not list(jobs.glob("*/checkpoint.json")):
            time.sleep(0.01)
        os.kill(worker, signal.SIGKILL)
        job = server.job(answer)
        self.assertEqual(job["state"], "failed", job)
        self.assertIn("killed", job["error"]["detail"])
        versions = server.request("GET", "/api/v1/projects/default/models/power/versions").json()
        self.assertEqual(len(versions["versions"]), 1, versions)
        card = server.request("GET", "/api/v1/projects/default/models/power/versions/1/card?format=md").body.decode()
        self.assertIn("Not tested: the run was stopped", card)
        self.assertNotIn("Measured once", card)
        self.assertEqual(job["error"]["request_id"], answer.headers["X-Request-Id"])

    def test_a_command_for_a_moment_leaves_the_jobs_of_a_killed_server_alone(self):
        self.command("dataset", "add", "cars", VEGA / "cars.json")
        server = self.server()
        answer = server.request(
            "POST",
            "/api/v1/projects/default/runs",
            {"dataset": "cars", "target": "Horsepower", "model": "power", "budget": {"time": "60s"}},
        )
        self.wait_for_worker(server)
        server.kill()
        job = answer.json()["id"]
        self.command("dataset", "list")
        self.assertEqual(self.command_json("job", "show", job)["state"], "queued")
        log = self.command("job", "log", job)
        self.assertEqual(log.count("waits for the next `cromford server`"), 1, log)
        self.assertNotIn("once more", log)
        # Its own work is done all the same; and the next server goes on with what was left.
        self.command("dataset", "add", "penguins", VEGA / "penguins.json")
        again = self.server()
        self.wait_for_worker(again)
        self.assertEqual(again.request("GET", answer.headers["Location"]).json()["state"], "running")
        again.request("POST", answer.headers["Location"] + ":cancel")
        self.assertEqual(again.job(answer)["state"], "cancelled")

    def test_acknowledged_versions_survive_kill_at_any_moment(self):
        for round_ in range(5):
            server = self.server()
            rows = f"a,b\n{round_},1\n"
            answer = server.request(
                "POST", f"/api/v1/projects/default/datasets/d{round_}/versions", rows, content_type="text/csv"
            )
            self.assertEqual(server.job(answer)["state"], "succeeded")
            server.kill()
        names = [d["name"] for d in self.command_json("dataset", "list")["datasets"]]
        self.assertEqual(names, [f"d{i}" for i in range(5)])
        for name in names:
            self.command("dataset", "rows", name)


if __name__ == "__main__":
    unittest.main()
