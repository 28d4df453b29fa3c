"""Predictions and outcomes: what was answered is in the log, what was acknowledged is on disk, also after kill -9."""

import http.client
import json
import os
import random
import threading
import time
import unittest

from factory import FactoryTest

ENDPOINT = "/api/v1/projects/default/endpoints/late"
# The long version: CROMFORD_KILLS=1000.
KILLS = int(os.environ.get("CROMFORD_KILLS", "12"))


def rows_of(count, seed=1):
    chance = random.Random(seed)
    lines = ["origin,distance,late"]
    for _ in range(count):
        origin, distance = chance.choice(["ORD", "DFW", "SFO"]), chance.randint(100, 2500)
        late = chance.random() < (0.6 if origin == "ORD" else 0.2) + distance / 20000
        lines.append(f"{origin},{distance},{'true' if late else 'false'}")
    return "\n".join(lines) + "\n"


class Client(threading.Thread):
    """Predicts and tells outcomes as fast as it can, and remembers what was acknowledged."""

    def __init__(self, address, name):
        super().__init__()
        self.address, self.name_ = address, name
        self.predicted, self.told = [], []
        self.ending = False

    def run(self):
        number = 0
        try:
            connection = http.client.HTTPConnection(self.address, timeout=30)
            while not self.ending:
                number += 1
                name = f"{self.name_}-{number}"
                body = {"rows": [{"origin": "ORD", "distance": number}], "ids": [name]}
                if self.post(connection, ":predict", body):
                    self.predicted.append(name)
                if number % 3 == 0:
                    outcome = {"outcomes": [{"id": name, "value": number % 2 == 0, "at": "2001-02-01T13:00:00Z"}]}
                    if self.post(connection, ":outcomes", outcome):
                        self.told.append((name, number % 2 == 0))
        except (OSError, http.client.HTTPException):
            pass  # The server is gone.

    def post(self, connection, verb, body):
        connection.request("POST", ENDPOINT + verb, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200


class FeedbackTest(FactoryTest):
    def deploy(self):
        data = self.write("late.csv", rows_of(600))
        self.command("dataset", "add", "late", data)
        self.command("train", "late", "--target", "late", "--model", "late", "--trials", "2")
        self.command("deploy", "late")

    def test_a_prediction_meets_its_outcome(self):
        self.deploy()
        server = self.server()
        body = {"rows": [{"origin": "ORD", "distance": 612}], "ids": ["order-17"], "at": ["2001-02-01T10:00:00Z"]}
        answer = server.request("POST", ENDPOINT + ":predict", body).json()["predictions"][0]
        told = server.request(
            "POST",
            ENDPOINT + ":outcomes",
            {"outcomes": [{"id": "order-17", "value": True, "at": "2001-02-01T13:00:00Z"}, {"id": "order-18", "value": False}]},
        )
        self.assertEqual(told.status, 200, told.body)
        receipt = told.json()
        self.assertEqual((receipt["accepted"], receipt["joined"], receipt["waiting"], receipt["rejected"]), (2, 1, 1, []))
        found = server.request("GET", ENDPOINT + "/predictions/order-17").json()
        self.assertEqual(found["at"], "2001-02-01T10:00:00Z")
        self.assertEqual(found["row"], {"origin": "ORD", "distance": 612})
        self.assertEqual((found["value"], found["probability"]), (answer["value"], answer["probability"]))
        self.assertEqual((found["outcome"]["value"], found["outcome"]["at"]), ("true", "2001-02-01T13:00:00Z"))
        # A V2 client's prediction is logged, too.
        infer = {
            "parameters": {"id": "v2"},
            "inputs": [{"name": "distance", "shape": [1], "datatype": "INT64", "data": [100]}],
        }
        self.assertEqual(server.request("POST", "/v2/models/late/infer", infer).status, 200)
        self.assertEqual(server.request("GET", ENDPOINT + "/predictions/v2").json()["row"]["distance"], 100)

    def test_bad_outcomes_are_named(self):
        self.deploy()
        server = self.server()
        for body, status, words in [
            ("{", 400, "JSON"),
            ({"outcomes": [{"id": "a"}]}, 400, "has no 'value'"),
            ({"outcomes": [{"id": "a", "value": 1, "at": "soon"}]}, 400, "'at' cannot be"),
            ({"outcome": []}, 400, "unknown field"),
        ]:
            answer = server.request("POST", ENDPOINT + ":outcomes", body)
            self.assertEqual(answer.status, status, answer.body)
            self.assertIn(words, answer.json()["detail"])
        other = server.request("POST", ENDPOINT.replace("late", "early") + ":outcomes", {"outcomes": []})
        self.assertEqual(other.status, 404)
        mixed = {"outcomes": [{"id": "a", "value": "maybe"}, {"id": "b", "value": True, "at": "2999-01-01T00:00:00Z"}, {"id": "c", "value": True}]}
        receipt = server.request("POST", ENDPOINT + ":outcomes", mixed).json()
        self.assertEqual(receipt["accepted"], 1)
        self.assertEqual([one["id"] for one in receipt["rejected"]], ["a", "b"])
        self.assertEqual(server.request("GET", ENDPOINT + "/predictions/nobody").status, 404)

    def test_outcomes_from_a_file(self):
        self.deploy()
        server = self.server()
        body = {"rows": [{"distance": 1}, {"distance": 2}, {"distance": 3}], "ids": ["7", "8", "9"]}
        self.assertEqual(server.request("POST", ENDPOINT + ":predict", body).status, 200)
        landed = self.write("landed.csv", "id,value,at\n7,true,2001-02-01 13:00\n8,false,2001-02-01 14:00\n10,true,\n")
        result = self.command_json("outcome", "add", "late", landed)["result"]
        self.assertEqual((result["accepted"], result["joined"], result["waiting"]), (3, 2, 1))
        log = self.folder / "log.csv"
        self.command("endpoint", "log", "late", "--output", log)
        lines = log.read_text().splitlines()
        self.assertEqual(lines[0].split(",")[:9], ["id", "at", "model_version", "variant", "value", "probability", "latency_us", "outcome", "outcome_at"])
        by_id = {line.split(",")[0]: line.split(",") for line in lines[1:]}
        self.assertEqual(sorted(by_id), ["7", "8", "9"])
        self.assertEqual([by_id[name][7] for name in "789"], ["true", "false", ""])
        self.assertEqual(by_id["7"][8], "2001-02-01T13:00:00Z")
        self.assertIn("no predictions", self.refused(5, "endpoint", "log", "late", "--to", "2001-01-01", "--output", log))
        self.assertIn("is not a time", self.refused(2, "endpoint", "log", "late", "--to", "soon", "--output", log))
        again = self.command_json("outcome", "add", "late", landed)["result"]
        self.assertEqual((again["joined"], again["duplicates"]), (0, 2))
        self.assertIn("no column 'value'", self.refused(2, "outcome", "add", "late", self.write("bad.csv", "id,valeu\n7,true\n")))
        self.refused(5, "outcome", "add", "early", landed)
        self.refused(5, "outcome", "add", "late", self.folder / "nowhere.csv")

    def test_the_log_is_a_dataset_to_train_on(self):
        self.deploy()
        server = self.server()
        chance = random.Random(5)
        rows = [{"origin": chance.choice(["ORD", "DFW"]), "distance": chance.randint(100, 2500)} for _ in range(400)]
        ids = [f"f{i}" for i in range(len(rows))]
        self.assertEqual(server.request("POST", ENDPOINT + ":predict", {"rows": rows, "ids": ids}).status, 200)
        told = [{"id": name, "value": row["origin"] == "ORD"} for name, row in zip(ids, rows)]
        self.assertEqual(server.request("POST", ENDPOINT + ":outcomes", {"outcomes": told[:300]}).status, 200)
        result = self.command_json("endpoint", "compact", "late")["result"]
        self.assertEqual((result["dataset"], result["version"], result["rows_written"], result["rows_left"]), ("late-log", 1, 400, 0))
        self.assertTrue(self.command_json("endpoint", "compact", "late")["result"]["unchanged"])
        self.assertEqual(server.request("POST", ENDPOINT + ":outcomes", {"outcomes": told}).status, 200)
        self.assertEqual(self.command_json("endpoint", "compact", "late")["result"]["version"], 2)
        known = self.command_json("dataset", "rows", "late-log", "--where", "outcome is not null", "--limit", "1000")["rows"]
        self.assertEqual(len(known), 400)
        shown = self.command_json("dataset", "show", "late-log")
        self.assertIn("late-log@1", shown["parents"])
        self.assertTrue(shown["sources"][0]["name"].startswith("predictions-"))
        ignored = [w for c in ("id", "value", "probability", "variant", "model", "endpoint") for w in ("--ignore", c)]
        self.command("train", "late-log", "--target", "outcome", "--model", "learnt", "--trials", "2", *ignored)
        self.assertEqual(self.command_json("model", "show", "learnt")["target"], "outcome")
        self.assertIn("is the log of", self.refused(3, "dataset", "add", "late-log", self.write("x.csv", "a\n1\n")))
        self.refused(5, "endpoint", "compact", "early")

    def test_answers_are_judged_by_what_happened(self):
        self.deploy()
        server = self.server()
        chance = random.Random(9)

        def day(number, share):
            rows = [{"origin": chance.choice(["ORD", "DFW"]), "distance": chance.randint(100, 2500)} for _ in range(500)]
            ids = [f"d{number}-{i}" for i in range(len(rows))]
            at = [f"2001-02-{number:02}T{i // 25:02}:00:00Z" for i in range(len(rows))]
            answer = server.request("POST", ENDPOINT + ":predict", {"rows": rows, "ids": ids, "at": at})
            self.assertEqual(answer.status, 200, answer.body)
            late = [chance.random() < one["probability"] for one in answer.json()["predictions"]]
            told = [{"id": i, "value": v, "at": t.replace(":00:00Z", ":30:00Z")} for i, v, t in zip(ids, late, at)]
            told = told[: int(share * len(told))]
            self.assertEqual(server.request("POST", ENDPOINT + ":outcomes", {"outcomes": told}).status, 200)

        day(1, 1.0)
        day(2, 0.5)
        stages = server.request("POST", ENDPOINT + ":check", {}).json()["stages"]
        quality = next(stage for stage in stages if stage["name"] == "quality")
        self.assertEqual(quality["found"], {"predictions": 1000, "outcomes": 750, "corrections": 0, "more": False})
        server.kill()
        server = self.server()
        self.assertTrue(all(stage["ok"] for stage in server.request("POST", ENDPOINT + ":check", {}).json()["stages"]))
        shown = self.command_json("monitor", "show", "late")
        first, second = shown["quality"]["windows"]
        self.assertEqual((first["rows"], first["coverage"], first["state"]), (500, 1.0, "mature"))
        self.assertEqual((second["rows"], second["coverage"], second["state"]), (500, 0.5, "provisional"))
        loss = first["metrics"]["log_loss"]
        band = shown["estimate"]["windows"][0]["metrics"]["log_loss"]
        self.assertTrue(loss["lower"] < loss["value"] < loss["upper"])
        self.assertEqual(band["measured"], loss["value"])
        self.assertLess(abs(band["value"] - loss["value"]), 2 * (band["upper"] - band["value"]))
        self.assertEqual(shown["bias"], [])
        # Whether a flight from there is late is closer to a coin's toss than elsewhere.
        self.assertEqual([(one["column"], one["value"]) for one in shown["segments"]], [("origin", "ORD")])

    def test_kill_9_loses_nothing_that_was_acknowledged(self):
        self.deploy()
        chance = random.Random(7)
        predicted, told = [], []
        for life in range(KILLS):
            server = self.server()
            clients = [Client(server.address, f"life{life}-{k}") for k in range(6)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.05, 0.4))
            server.kill()
            for client in clients:
                client.ending = True
                client.join()
                predicted += client.predicted
                told += client.told
        self.assertGreater(len(predicted), KILLS)
        self.assertGreater(len(told), KILLS)
        server = self.server()
        connection = http.client.HTTPConnection(server.address, timeout=30)

        def found(name):
            connection.request("GET", f"{ENDPOINT}/predictions/{name}")
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else answer.read()

        outcomes = dict(told)
        lost = [name for name in predicted if not isinstance(found(name), dict)]
        self.assertEqual(lost, [], f"of {len(predicted)} answered predictions")
        wrong = [name for name, value in outcomes.items() if found(name)["outcome"]["value"] != str(value).lower()]
        self.assertEqual(wrong, [], f"of {len(outcomes)} acknowledged outcomes")
        # None is there twice: each outcome that is sent again is a duplicate.
        body = {"outcomes": [{"id": n, "value": v, "at": "2001-02-01T13:00:00Z"} for n, v in outcomes.items()]}
        receipt = server.request("POST", ENDPOINT + ":outcomes", body).json()
        self.assertEqual((receipt["joined"], receipt["corrections"]), (0, 0), receipt)


if __name__ == "__main__":
    unittest.main()
