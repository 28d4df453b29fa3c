"""The closed loop on the real program: a stream whose relation changes, candidates that are trained, judged, rolled out,
refused and rolled back, and a server that is killed in between."""

import datetime
import http.client
import json
import random
import threading
import time
import unittest

from factory import PATIENCE_S, FactoryTest

ENDPOINT = "/api/v1/projects/default/endpoints/late"
START = datetime.datetime(2001, 2, 1)
WORK = ("collecting", "choosing", "training", "judging")
POLICY = {
    "monitor": {"window": "1d", "outcome_delay": "0s"},
    "gate": [{"better_than_champion": {"metric": "log_loss", "confidence": 0.95}}],
    "retrain": {
        "when": ["quality"],
        "cooldown": "1d",
        "budget": {"rows_min": 200},
        "train": {"budget": {"trials": 2}},
    },
    "rollout": {"strategy": "canary", "steps": [50, 100], "step": "12h"},
    "guards": {"rows_min": 30, "prediction_psi_max": 50},
}


class Stream:
    """Rows of a relation that is turned round when `changed`, in event time."""

    def __init__(self, seed=1):
        self.chance = random.Random(seed)
        self.changed = False
        self.now = START
        self.count = 0

    def row(self):
        origin, distance = self.chance.choice(["ORD", "DFW", "SFO"]), self.chance.randint(100, 2500)
        far = distance > 1300
        if origin == "DFW":
            far = not far
        if self.changed:
            far = not far
        late = self.chance.random() < (0.85 if far else 0.15)
        return {"origin": origin, "distance": distance}, late

    def batch(self, count, hours):
        rows, truths, ids, at = [], [], [], []
        for i in range(count):
            row, late = self.row()
            rows.append(row)
            truths.append(late)
            ids.append(f"r{self.count}")
            at.append((self.now + datetime.timedelta(hours=hours * i / count)).isoformat() + "Z")
            self.count += 1
        self.now += datetime.timedelta(hours=hours)
        return rows, truths, ids, at


class LoopTest(FactoryTest):
    def begin(self, **changes):
        self.stream = Stream()
        lines = ["origin,distance,late"]
        for _ in range(1500):
            row, late = self.stream.row()
            lines.append(f"{row['origin']},{row['distance']},{'true' if late else 'false'}")
        data = self.write("late.csv", "\n".join(lines) + "\n")
        self.command("dataset", "add", "late", data)
        self.command("train", "late", "--target", "late", "--model", "late", "--trials", "2")
        self.command("deploy", "late")
        self.start()
        self.put_policy({**POLICY, **changes})

    def start(self):
        self.running = self.server()

    def put_policy(self, policy):
        tag = self.running.request("GET", ENDPOINT + "/policy").headers["ETag"]
        answer = self.running.request("PUT", ENDPOINT + "/policy", policy, {"If-Match": tag})
        self.assertEqual(answer.status, 200, answer.body)

    def loop(self):
        return self.running.request("GET", ENDPOINT + "/lifecycle").json()

    def post(self, verb, body=None, status=200):
        answer = self.running.request("POST", ENDPOINT + verb, {} if body is None else body)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def send(self, count=150, hours=6, lie=None):
        """Predictions and what came of them; `lie` turns the outcomes of rows that this version answered."""
        rows, truths, ids, at = self.stream.batch(count, hours)
        answers = self.post(":predict", {"rows": rows, "ids": ids, "at": at})["predictions"]
        outcomes = []
        for answer, truth, name, time_of in zip(answers, truths, ids, at):
            if lie is not None and answer["model_version"] == lie:
                truth = not answer["value"] == "true"
            outcomes.append({"id": name, "value": truth, "at": time_of})
        self.post(":outcomes", {"outcomes": outcomes})
        return answers

    def turn(self):
        """Rounds until no job of the loop is under way."""
        deadline = time.monotonic() + 3 * PATIENCE_S
        while time.monotonic() < deadline:
            stages = {stage["name"]: stage for stage in self.post(":check")["stages"]}
            self.assertTrue(stages["lifecycle"]["ok"], stages["lifecycle"])
            loop = self.loop()
            if loop["stage"] not in WORK:
                return loop
            time.sleep(0.1)
        raise AssertionError(f"the loop does not move: {loop}")

    def until(self, *ends, send=None, turns=40):
        """Sends and turns until the loop enters a stage or ends a run so."""
        known = len(self.loop()["history"])
        for _ in range(turns):
            (send or self.send)()
            loop = self.turn()
            news = [entry["to"] for entry in loop["history"][known:]]
            if any(end in news for end in ends):
                return loop
        raise AssertionError(f"none of {ends} came: {loop['stage']} {loop['history'][known:]}")

    def champion(self):
        endpoint = self.running.request("GET", ENDPOINT).json()
        champions = [variant for variant in endpoint["variants"] if variant["role"] == "champion"]
        self.assertEqual(len(champions), 1, endpoint)
        return champions[0]["model_version"]

    def last(self):
        return self.loop()["history"][-1]

    def test_a_change_is_noticed_learnt_and_promoted(self):
        self.begin()
        for _ in range(8):
            self.send()
            self.assertEqual(self.turn()["stage"], "idle")
        self.assertEqual(self.loop()["history"], [], "a healthy stream asks for nothing")
        self.stream.changed = True
        loop = self.until("promoted")
        first = loop["history"][0]
        self.assertIn("quality", first["reason"])
        self.assertEqual(self.champion(), int(loop["champion"].split("@")[1]))
        self.assertGreater(self.champion(), 1)
        evidence = self.running.request("GET", ENDPOINT + "/evidence/" + loop["evidence"]).json()
        self.assertTrue(evidence["passed"])
        self.assertEqual(evidence["candidate"], loop["champion"])
        promoted = [entry for entry in loop["history"] if entry["to"] == "promoted"][-1]
        self.assertEqual(promoted["evidence"], loop["evidence"])
        shown = self.command("endpoint", "history", "late")
        self.assertIn("promoted", shown)
        # Back to the champion before, in one step.
        self.post(":rollback")
        self.assertEqual(self.champion(), int(promoted["reason"].split("@")[1]))

    def test_a_bad_candidate_is_refused(self):
        self.begin(gate=[{"metric": "auc", "comparison": ">=", "value": 0.999}])
        for _ in range(4):
            self.send()
        self.post(":retrain", {"reason": "a try"})
        self.post(":retrain", status=422)
        loop = self.turn()
        self.assertEqual(loop["history"][-1]["to"], "rejected")
        self.assertIn("auc", loop["history"][-1]["reason"])
        self.assertEqual(self.champion(), 1)
        evidence = self.running.request("GET", ENDPOINT + "/evidence/" + loop["evidence"]).json()
        self.assertFalse(evidence["passed"])

    def to_canary(self):
        self.begin(gate=[{"metric": "auc", "comparison": ">=", "value": 0.6}])
        for _ in range(4):
            self.send()
        self.post(":retrain")
        loop = self.turn()
        self.assertEqual(loop["stage"], "canary", loop["history"])
        return int(loop["candidate"].split("@")[1])

    def test_a_canary_that_does_worse_is_rolled_back(self):
        candidate = self.to_canary()
        self.until("rolled_back", send=lambda: self.send(count=200, hours=2, lie=candidate))
        self.assertIn("worse on live traffic", self.last()["reason"])
        self.assertEqual(self.champion(), 1)
        self.assertEqual({answer["model_version"] for answer in self.send()}, {1})

    def test_a_server_that_is_killed_goes_on(self):
        self.begin(gate=[{"metric": "auc", "comparison": ">=", "value": 0.6}])
        for _ in range(4):
            self.send()
        self.post(":retrain")
        seen = set()
        for _ in range(60):
            self.post(":check")
            stage = self.loop()["stage"]
            if stage not in seen:
                seen.add(stage)
                self.running.kill()
                self.start()
                self.assertEqual(self.loop()["stage"], stage)
                self.assertEqual(self.champion(), 1)
            if stage == "canary":
                break
            time.sleep(0.3)
        self.assertIn("training", seen)
        self.until("promoted")
        self.assertEqual(self.champion(), 2)
        # Each job was carried out once: one candidate was made, not two.
        models = self.running.request("GET", "/api/v1/projects/default/models/late/versions").json()
        self.assertEqual(len(models["versions"]), 2)

    def test_a_person_decides_on_the_evidence(self):
        self.begin(approval="required", gate=[{"metric": "auc", "comparison": ">=", "value": 0.6}])
        for _ in range(4):
            self.send()
        self.post(":retrain")
        loop = self.turn()
        self.assertEqual(loop["stage"], "approval", loop["history"])
        self.post(":approve", {"evidence": "0" * 64}, status=409)
        self.command("endpoint", "approve", "late", "--evidence", loop["evidence"], "--note", "checked")
        self.assertEqual(self.turn()["stage"], "canary")
        self.assertIn("checked", self.last()["reason"])

    def test_a_training_that_is_killed_changes_nothing_that_serves(self):
        self.begin(retrain={"when": ["quality"], "budget": {"rows_min": 200}, "train": {"budget": {"time": "30s"}}})
        for _ in range(4):
            self.send()
        self.post(":retrain")
        for _ in range(2000):
            self.post(":check")
            loop = self.loop()
            if loop["stage"] == "training" and loop["job"]:
                answer = self.running.request("POST", f"/api/v1/projects/default/jobs/{loop['job']}:cancel", {})
                if answer.status == 200:
                    break
            time.sleep(0.02)
        self.turn()
        self.assertEqual(self.last()["to"], "failed", self.loop()["history"])
        self.assertIn("training", self.last()["reason"])
        self.assertEqual(self.champion(), 1)

    def test_an_endpoint_that_is_deleted_takes_its_loop_along(self):
        self.to_canary()
        self.assertEqual(self.running.request("DELETE", ENDPOINT).status, 204)
        self.assertEqual(self.running.request("GET", ENDPOINT + "/lifecycle").status, 404)
        self.command("deploy", "late@1")
        self.assertEqual(self.loop()["history"], [])

    def test_no_request_fails_while_models_are_swapped_and_rolled_back(self):
        self.begin()
        self.command("train", "late", "--target", "late", "--model", "late", "--trials", "2", "--seed", "7")
        answered, failures, stopping = [0], [], threading.Event()

        def ask():
            connection = http.client.HTTPConnection(self.running.address, timeout=30)
            body = json.dumps({"rows": [{"origin": "ORD", "distance": 612}]})
            while not stopping.is_set():
                try:
                    connection.request("POST", ENDPOINT + ":predict", body, {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status != 200:
                        failures.append(text)
                except (OSError, http.client.HTTPException) as error:
                    failures.append(error)
                    return
                answered[0] += 1

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        slowest = 0
        for _ in range(20):
            deployed = self.running.request("PUT", ENDPOINT, {"model": "late@2"})
            self.assertEqual(deployed.status, 200, deployed.body)
            begin = time.monotonic()
            self.post(":rollback")
            slowest = max(slowest, time.monotonic() - begin)
            self.assertEqual(self.champion(), 1)
        stopping.set()
        for client in clients:
            client.join()
        self.assertEqual(failures, [])
        self.assertGreater(answered[0], 100)
        self.assertLess(slowest, 1 if PATIENCE_S <= 60 else 10, "a rollback takes less than a second")


if __name__ == "__main__":
    unittest.main()
