"""The declared line: applied, run, skipped where nothing changed, gated against the champion."""

import json
import random
import unittest

from factory import FactoryTest

PIPELINE = """
pipeline: late
dataset:
  name: trips
  source: {{file: {file}}}
  query: select distance, hour, distance * 0.01 + hour > 15 as late from input
  checks:
    - {{column: distance, between: [0, 5000], on_fail: quarantine}}
train: {{target: late, metric: auc, seed: {seed}, budget: {{trials: 2}}}}
gate:
  - auc >= {auc}
  - better_than_champion: {{metric: log_loss, confidence: 0.95}}
deploy: {{endpoint: late}}
"""


class PipelineTest(FactoryTest):
    def setUp(self):
        super().setUp()
        random.seed(3)
        rows = [f"{random.randint(1, 2000)},{random.randint(0, 23)}" for _ in range(2000)] + ["9999,3"]
        self.trips = self.write("trips.csv", "distance,hour\n" + "\n".join(rows) + "\n")

    def apply(self, auc=0.6, seed=1):
        file = self.write("late.yaml", PIPELINE.format(file=self.trips, auc=auc, seed=seed))
        return self.command_json("pipeline", "apply", file)

    def states(self):
        run = self.command_json("pipeline", "history", "late")["runs"][0]
        return run["state"], {step["step"]: step["state"] for step in run["steps"]}

    def test_the_line_runs_and_what_has_not_changed_is_not_run_again(self):
        self.apply()
        self.command("pipeline", "run", "late")
        state, steps = self.states()
        self.assertEqual(state, "succeeded")
        self.assertEqual(set(steps.values()), {"succeeded"})
        version = self.command_json("dataset", "show", "trips")
        self.assertEqual((version["row_count"], version["quarantine"]["row_count"]), (2000, 1))
        endpoint = self.command_json("endpoint", "show", "late")
        self.assertEqual(endpoint["variants"][0]["model_version"], 1)

        self.command("pipeline", "run", "late")
        self.assertEqual(set(self.states()[1].values()), {"skipped"})

    def test_files_are_found_beside_the_pipeline_in_whatever_yaml(self):
        self.write("my trips.csv", "distance,hour\n1,2\n")
        for source in (
            "{name: trips, source: {file: my trips.csv}}",
            "\n  name: trips\n  source:\n    files:\n      - my trips.csv\n      - 'trips.csv'",
            '\n  name: trips\n  source: {\n    file:\n      "my trips.csv" }',
        ):
            file = self.write("beside.yaml", f"pipeline: beside\ndataset: {source}\n")
            applied = self.command_json("pipeline", "apply", file)
            self.assertEqual(applied["file"], f"pipeline: beside\ndataset: {source}\n")
            self.assertIn(str(self.folder / "my trips.csv"), json.dumps(applied["spec"]))

    def test_misspelt_names_are_refused_when_applied(self):
        text = PIPELINE.format(file=self.trips, auc=0.6, seed=1)
        for wrong, right, line in (
            ("metric: auc", "auk", 9),
            ("metric: log_loss", "log_los", 12),
            ("seed: 1", "seed: 1, learners: [linear, bosting]", 9),
        ):
            new = f"metric: {right}" if wrong.startswith("metric") else right
            file = self.write("late.yaml", text.replace(wrong, new))
            message = self.refused(2, "pipeline", "apply", file)
            self.assertIn(f"line {line}", message)
            self.assertIn({"auk": "auc", "log_los": "log_loss"}.get(right, "boosting"), message)
        self.assertEqual(self.command_json("pipeline", "list")["pipelines"], [])

    def test_a_gate_that_says_no_keeps_what_serves(self):
        self.apply(seed=2)
        self.command("pipeline", "run", "late")
        # Another seed makes another model, which is the worse of the two.
        self.apply(seed=1)
        message = self.refused(3, "pipeline", "run", "late")
        self.assertIn("champion", message)
        state, steps = self.states()
        self.assertEqual((state, steps["gate"]), ("failed", "failed"))
        self.assertEqual(steps["dataset"], "skipped")
        endpoint = self.command_json("endpoint", "show", "late")
        self.assertEqual([v["model_version"] for v in endpoint["variants"]], [1])
        run = self.command_json("model", "show", "late@2")
        self.assertEqual(run["comparison"]["champion"], "late@1")
        # Another seed keeps the same rows back: none of those compared on has taught the champion.
        self.assertEqual(run["comparison"]["row_count"], run["split"]["test_rows"])
        first = self.command_json("model", "show", "late@1")
        figures = run["comparison"]["metrics"]["auc"]
        self.assertAlmostEqual(figures["champion"], first["metrics"]["auc"]["value"])

    def test_a_metric_below_the_bar_is_refused_by_name(self):
        self.apply(auc=1.1)
        self.assertIn("auc >= 1.1", self.refused(3, "pipeline", "run", "late"))
        self.assertEqual(self.command_json("endpoint", "list")["endpoints"], [])


class EndpointTest(FactoryTest):
    def test_canary_split_promote_and_roll_back(self):
        rows = "a,y\n" + "".join(f"{i % 50},{(i % 50) > 25}\n" for i in range(400))
        self.command("dataset", "add", "d", self.write("d.csv", rows))
        for seed in (1, 2):
            self.command("train", "d", "--target", "y", "--trials", "1", "--seed", seed, "--model", "m")
        self.command("deploy", "m@1", "--endpoint", "e")
        canary = self.command_json("deploy", "m@2", "--endpoint", "e", "--strategy", "canary", "--percent", "20")
        self.assertEqual([v["weight"] for v in canary["variants"]], [80, 20])
        self.command("endpoint", "split", "e", "1=50", "2=50")
        promoted = self.command_json("endpoint", "promote", "e")
        self.assertEqual([(v["model_version"], v["weight"]) for v in promoted["variants"]], [(2, 100)])
        back = self.command_json("endpoint", "rollback", "e")
        self.assertEqual([v["weight"] for v in back["variants"]], [50, 50])
        self.assertIn("e", self.refused(3, "model", "delete", "m", "--yes"))
        self.assertIn("m@", self.refused(3, "dataset", "delete", "d", "--yes"))
        self.command("endpoint", "delete", "e", "--yes")
        self.command("model", "delete", "m", "--yes")
        self.command("dataset", "delete", "d", "--yes")
        self.assertEqual(self.command_json("dataset", "list")["datasets"], [])


if __name__ == "__main__":
    unittest.main()
