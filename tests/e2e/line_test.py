"""The whole line by commands alone: a CSV becomes a dataset, a model, an endpoint, predictions."""

import csv
import unittest

from factory import VEGA, FactoryTest


class LineTest(FactoryTest):
    def test_from_a_csv_to_predictions(self):
        made = self.command_json("dataset", "add", "penguins", VEGA / "penguins.json")
        self.assertEqual(made["result"]["row_count"], 344)
        shown = self.command_json("dataset", "show", "penguins")
        self.assertEqual(shown["row_count"], 344)
        self.assertIn("Species", [column["name"] for column in shown["schema"]])

        trained = self.command_json("train", "penguins", "--target", "Species", "--trials", "3", "--model", "species")
        self.assertEqual(trained["result"]["model"], "species")
        model = self.command_json("model", "show", "species")
        self.assertEqual(model["task"], "multiclass")
        self.assertGreater(model["metrics"]["accuracy"]["value"], 0.9)
        self.assertEqual(model["lineage"]["dataset"], "penguins")
        self.assertRegex(model["lineage"]["content_hash"], "^[0-9a-f]{64}$")
        self.assertIn("# Model card", self.command("model", "card", "species", "--format", "md"))
        log = self.command("job", "log", trained["id"])
        for step in ("read 344 rows of", "searching", "trials done: 3; best so far", "trial 1: ", "on test rows: accuracy",
                     "wrote the package"):
            self.assertIn(step, log)
        log = self.command("job", "log", made["id"])
        self.assertIn("read penguins.json: json", log)
        self.assertIn("344 rows of", log)

        endpoint = self.command_json("deploy", "species", "--endpoint", "species")
        self.assertEqual(endpoint["variants"][0]["role"], "champion")

        output = self.folder / "out.csv"
        self.command("dataset", "export", "penguins", self.folder / "rows.csv")
        self.command("predict", "--model", "species", "--input", self.folder / "rows.csv", "--output", output, "--explain", "2")
        with open(output) as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 344)
        self.assertIn("probability_Adelie", rows[0])
        self.assertIn("reason_1", rows[0])

    def test_rows_of_something_else_are_not_scored(self):
        self.command("dataset", "add", "penguins", VEGA / "penguins.json")
        self.command("train", "penguins", "--target", "Species", "--trials", "2", "--ignore", "Sex", "--model", "species")
        output = self.folder / "out.csv"
        score = ("predict", "--model", "species", "--output", output, "--input")
        other = self.write("other.csv", "d,e\n1,2\n")
        self.assertIn("none of the columns", self.refused(2, *score, other))
        typo = self.write("typo.csv", "Iland,Beak Length (mm)\nDream,40\n")
        self.assertIn("did you mean 'Island'", self.refused(2, *score, typo))
        self.assertFalse(output.exists())
        job = self.command_json(*score, typo, "--unknown", "ignore")
        warnings = " ".join(job["result"]["warnings"])
        self.assertIn("count as missing", warnings)
        self.assertIn("does not know: Iland", warnings)
        # The target and what training left out are no strangers.
        known = self.write("known.csv", "Island,Species,Sex,Beak Length (mm)\nDream,Adelie,MALE,40\n")
        self.command(*score, known)

    def test_the_same_line_beside_a_running_server(self):
        server = self.server()
        self.command("dataset", "add", "penguins", VEGA / "penguins.json")
        self.command("train", "penguins", "--target", "Species", "--trials", "2", "--model", "species")
        self.command("deploy", "species")
        answer = server.request(
            "POST",
            "/api/v1/projects/default/endpoints/species:predict",
            {"rows": [{"Beak Length (mm)": 39.1, "Flipper Length (mm)": 181, "Island": "Torgersen"}], "explain": 2},
        )
        self.assertEqual(answer.status, 200, answer.body)
        prediction = answer.json()["predictions"][0]
        self.assertEqual(prediction["value"], "Adelie")
        self.assertEqual(len(prediction["reasons"]), 2)
        tensors = {
            "inputs": [
                {"name": "Beak Length (mm)", "datatype": "FP64", "shape": [1], "data": [39.1]},
                {"name": "Flipper Length (mm)", "datatype": "FP64", "shape": [1], "data": [181]},
                {"name": "Island", "datatype": "BYTES", "shape": [1], "data": ["Torgersen"]},
            ]
        }
        inferred = server.request("POST", "/v2/models/species/infer", tensors).json()
        outputs = {output["name"]: output for output in inferred["outputs"]}
        self.assertEqual(outputs["prediction"]["data"], ["Adelie"])
        self.assertAlmostEqual(
            max(outputs["probabilities"]["data"]), max(prediction["probabilities"].values()), places=12
        )
        self.check_listed_fields(server)
        self.assertEqual(server.stop(), 0)

    def check_listed_fields(self, server):
        """Each field of a listed resource is described, and a list may be filtered and ordered by it."""
        described = server.request("GET", "/api/v1/openapi.json").json()["components"]["schemas"]
        project = "/api/v1/projects/default"
        for path, schema in (
            ("/datasets", "Dataset"),
            ("/datasets/penguins/versions", "DatasetVersion"),
            ("/runs", "Run"),
            ("/models", "Model"),
            ("/models/species/versions", "ModelVersion"),
            ("/endpoints", "Endpoint"),
            ("/jobs", "Job"),
        ):
            page = server.request("GET", project + path).json()
            items = next(value for value in page.values() if isinstance(value, list))
            self.assertTrue(items, path)
            fields = {field for item in items for field in item}
            self.assertLessEqual(fields, set(described[schema]["properties"]), path)
            for field in fields:
                answer = server.request("GET", f"{project}{path}?filter={field}!=null&order_by={field}&fields={field}")
                self.assertIn(answer.status, (200, 400) if field.endswith("_at") else (200,), answer.body)
            answer = server.request("GET", f"{project}{path}?filter=nosuch=1")
            self.assertEqual(answer.status, 400, answer.body)
            self.assertIn("there is no field 'nosuch'", answer.json()["detail"])

    def test_the_same_input_gives_the_same_version_and_the_same_package(self):
        first = self.command_json("dataset", "add", "cars", VEGA / "cars.json")
        again = self.command_json("dataset", "add", "cars", VEGA / "cars.json")
        self.assertFalse(first["result"]["unchanged"])
        self.assertTrue(again["result"]["unchanged"])
        self.assertEqual(again["result"]["version"], 1)
        packages = []
        for _ in range(2):
            run = self.command_json("train", "cars", "--target", "Horsepower", "--trials", "3", "--seed", "7", "--model", "power")
            version = run["result"]["model_version"]
            file = self.folder / f"power{version}.package"
            self.command("model", "export", f"power@{version}", file)
            packages.append(file.read_bytes())
        self.assertEqual(packages[0], packages[1])


if __name__ == "__main__":
    unittest.main()
