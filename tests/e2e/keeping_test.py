"""What is kept and what goes: objects of what was deleted, answers to repeated requests."""

import os
import signal
import time
import unittest

from factory import PATIENCE_S, VEGA, FactoryTest

CARS = (VEGA / "cars.json").read_bytes()
DATASET = "/api/v1/projects/default/datasets/cars"


class SecretsTest(FactoryTest):
    def test_the_signature_of_an_address_is_neither_shown_nor_kept(self):
        server = self.server()
        source = {"source": {"url": "https://127.0.0.1/data.csv?X-Amz-Signature=SECRETTOKEN123"}}
        answer = server.request("POST", f"{DATASET}/versions", source, content_type="application/vnd.cromford.import+json")
        job = server.job(answer)
        self.assertEqual(job["state"], "failed")
        jobs = "/api/v1/projects/default/jobs"
        for path in (answer.headers["Location"], answer.headers["Location"] + "/log", jobs):
            self.assertNotIn(b"SECRETTOKEN123", server.request("GET", path).body, path)
        # Nor can it be guessed at, letter by letter, or read from the token of a page.
        for query in ("filter=payload.url:SECRET", "order_by=payload.url&fields=id"):
            self.assertEqual(server.request("GET", f"{jobs}?{query}").status, 400)
        self.assertEqual(server.stop(), 0)
        for path in self.home.rglob("*"):
            if path.is_file():
                self.assertNotIn(b"SECRETTOKEN123", path.read_bytes(), path)


class ObjectsTest(FactoryTest):
    def objects(self):
        return {path for path in (self.home / "objects").glob("??/*") if path.is_file()}

    def age(self):
        """As if all objects had been stored a day ago."""
        day_ago = time.time() - 86_400
        for path in self.objects():
            os.utime(path, (day_ago, day_ago))

    def test_objects_go_with_the_last_that_names_them(self):
        self.command("dataset", "add", "cars", VEGA / "cars.json")
        shared = self.objects()
        self.command("dataset", "add", "again", VEGA / "cars.json")
        self.command("dataset", "add", "penguins", VEGA / "penguins.json")
        self.age()
        kept = self.objects()
        self.command("--yes", "dataset", "delete", "penguins")
        left = self.objects()
        self.assertLess(left, kept)
        self.assertEqual(self.command("dataset", "rows", "cars").count("\n") > 5, True)
        # The same rows are the same objects: the other dataset still has them.
        self.command("--yes", "dataset", "delete", "cars")
        self.assertTrue(self.objects() & shared)
        self.command("dataset", "rows", "again")
        self.command("--yes", "dataset", "delete", "again")
        self.assertEqual(self.objects(), set())

    def test_what_was_stored_a_moment_ago_stays(self):
        self.command("dataset", "add", "cars", VEGA / "cars.json")
        stored = self.objects()
        self.command("--yes", "dataset", "delete", "cars")
        self.assertEqual(self.objects(), stored)

    def test_a_server_removes_what_an_earlier_one_left(self):
        self.command("dataset", "add", "cars", VEGA / "cars.json")
        used = self.objects()
        orphan = self.home / "objects/00" / ("1" * 62)
        orphan.parent.mkdir(exist_ok=True)
        orphan.write_text("left by a crash")
        self.age()
        self.server()
        deadline = time.monotonic() + PATIENCE_S
        while orphan.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.objects(), used)

    def test_what_a_job_works_with_is_not_deleted(self):
        server = self.server()
        server.job(server.request("POST", f"{DATASET}/versions", CARS))
        run = server.request(
            "POST",
            "/api/v1/projects/default/runs",
            {"dataset": "cars", "target": "Miles_per_Gallon", "model": "mpg", "budget": {"time": "10m"}},
        )
        self.assertEqual(run.status, 202, run.body)
        refusal = server.request("DELETE", DATASET)
        self.assertEqual(refusal.status, 422, refusal.body)
        self.assertIn("job", refusal.json()["detail"])
        self.assertIn("cancel", refusal.json()["remedy"])
        self.assertEqual(server.request("GET", DATASET).status, 200)


class RepeatedRequestTest(FactoryTest):
    def add(self, server, key, body=CARS):
        return server.request("POST", f"{DATASET}/versions", body, {"Idempotency-Key": key})

    def test_a_repetition_is_answered_again_after_a_restart(self):
        server = self.server()
        first = self.add(server, "one")
        server.job(first)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server = self.server()
        again = self.add(server, "one")
        self.assertEqual(again.status, first.status)
        self.assertEqual(again.body, first.body)
        self.assertEqual(again.headers["Location"], first.headers["Location"])
        self.assertEqual(self.add(server, "one", b'[{"a":1}]').status, 422)
        self.assertEqual(len(server.request("GET", "/api/v1/projects/default/jobs").json()["jobs"]), 1)
        other = self.add(server, "two")
        self.assertNotEqual(other.json()["id"], first.json()["id"])


if __name__ == "__main__":
    unittest.main()
