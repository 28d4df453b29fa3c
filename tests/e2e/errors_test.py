"""Bad input at every door: the message names the thing and the remedy, and nothing has changed."""

import json
import os
import socket
import threading
import time
import unittest
import urllib.parse

from factory import VEGA, FactoryTest


class CommandErrorsTest(FactoryTest):
    def test_unknown_commands_flags_and_names_offer_the_nearest(self):
        self.assertIn("dataset", self.refused(2, "datset", "list"))
        self.assertIn("--target", self.refused(2, "train", "x", "--taget", "y"))
        self.command("dataset", "add", "penguins", VEGA / "penguins.json")
        self.assertIn("penguins", self.refused(5, "dataset", "show", "penguin"))
        self.assertIn("version", self.refused(5, "dataset", "show", "penguins@9"))
        self.assertIn("Species", self.refused(2, "train", "penguins", "--target", "Specis"))

    def test_a_name_that_is_none(self):
        for name in ("Ünder", "-x", "a" * 64, "a b", "../x"):
            self.assertIn("name", self.refused(2, "dataset", "add", "--", name, VEGA / "cars.json").lower())
        self.assertEqual(self.command_json("dataset", "list")["datasets"], [])

    def test_files_that_cannot_be_read(self):
        self.assertIn("nothere.csv", self.refused(5, "dataset", "add", "x", self.folder / "nothere.csv"))
        empty = self.write("empty.csv", "")
        self.assertIn("empty", self.refused(2, "dataset", "add", "x", empty))
        binary = self.folder / "noise.parquet"
        binary.write_bytes(b"PAR1" + os.urandom(4096))
        self.assertIn("noise.parquet", self.refused(2, "dataset", "add", "x", binary))
        self.assertEqual(self.command_json("dataset", "list")["datasets"], [])

    def test_sql_that_reaches_for_more_than_the_input(self):
        for query in (
            "select * from read_csv('/etc/passwd')",
            "select * from '/etc/passwd'",
            "copy input to '/tmp/x'",
            "select 1; select 2",
            "attach 'x.db'",
            "select * from duckdb_settings()",
            "select getenv('HOME')",
        ):
            self.refused(2, "dataset", "add", "x", VEGA / "cars.json", "--query", query)
        self.refused(2, "dataset", "add", "x", VEGA / "cars.json", "--query", "select nothere from input")
        self.assertEqual(self.command_json("dataset", "list")["datasets"], [])

    def test_checks_that_reject(self):
        rules = self.write("checks.json", '[{"column": "Horsepower", "not_null": true, "on_fail": "reject"}]')
        message = self.refused(3, "dataset", "add", "cars", VEGA / "cars.json", "--checks", rules)
        self.assertIn("Horsepower", message)
        wrong = self.write("wrong.json", '[{"column": "Horsepower", "nut_null": true}]')
        self.assertIn("not_null", self.refused(2, "dataset", "add", "cars", VEGA / "cars.json", "--checks", wrong))
        self.assertEqual(self.command_json("dataset", "list")["datasets"], [])

    def test_rows_that_cannot_be_read_go_to_quarantine(self):
        file = self.write("rows.csv", "a,b\n" + "".join(f"{i},{i * 2}\n" for i in range(500)) + "1,2,3,4\n")
        result = self.command_json("dataset", "add", "rows", file)["result"]
        self.assertEqual((result["row_count"], result["quarantined"]), (500, 1))

    def test_training_that_cannot_be(self):
        constant = self.write("constant.csv", "a,y\n" + "".join(f"{i},same\n" for i in range(100)))
        self.command("dataset", "add", "constant", constant)
        self.assertIn("y", self.refused(2, "train", "constant", "--target", "y", "--trials", "1"))
        self.assertIn("--time", self.refused(2, "train", "constant", "--target", "y", "--time", "soon"))
        few = self.write("few.csv", "a,y\n1,0\n2,1\n")
        self.command("dataset", "add", "few", few)
        self.refused(2, "train", "few", "--target", "y", "--trials", "1")

    def test_errors_are_problem_documents_with_json(self):
        done = self.run_command("--json", "dataset", "show", "nothing")
        self.assertEqual(done.returncode, 5)
        self.assertEqual(done.stdout, "")
        problem = json.loads(done.stderr)
        self.assertEqual((problem["status"], problem["code"]), (404, "NOT_FOUND"))
        self.assertIn("nothing", problem["detail"])

    def test_a_pipeline_file_with_mistakes_changes_nothing(self):
        file = self.write("p.yaml", "pipeline: p\ndataset:\n  nmae: x\n  source: {file: nothere.csv}\n")
        message = self.refused(2, "pipeline", "apply", file)
        self.assertIn("line 3", message)
        self.assertIn("name", message)
        self.assertEqual(self.command_json("pipeline", "list")["pipelines"], [])

    def test_a_damaged_package_is_refused(self):
        self.command("dataset", "add", "penguins", VEGA / "penguins.json")
        self.command("train", "penguins", "--target", "Species", "--trials", "1", "--model", "species")
        package = self.folder / "species.package"
        self.command("model", "export", "species", package)
        bytes_ = bytearray(package.read_bytes())
        bytes_[len(bytes_) // 2] ^= 0xFF
        package.write_bytes(bytes_)
        message = self.refused(2, "model", "import", package, "--model", "copy")
        self.assertIn("damaged", message)
        self.assertEqual([m["name"] for m in self.command_json("model", "list")["models"]], ["species"])


class HostileConditionTest(FactoryTest):
    """Conditions of users run in processes of their own: they cost the server neither memory nor its end."""

    ENDLESS = "(select count(*) from range(1000000000000) t(x) where x % 7 = 3) > 0"
    GREEDY = "id = 0 and length(repeat('x', 1500000000)) > 0"

    def rows(self, server, where):
        query = urllib.parse.urlencode({"where": where})
        return server.request("GET", f"/api/v1/projects/default/datasets/a/versions/latest/rows?{query}")

    def test_they_take_neither_the_memory_nor_the_threads_nor_the_end_of_the_server(self):
        self.command("dataset", "add", "a", self.write("a.csv", "id,v\n" + "".join(f"{i},{i % 7}\n" for i in range(999))))
        server = self.server()
        self.assertEqual(len(self.rows(server, "v = 3").json()["rows"]), 100)
        self.assertIn("column", self.rows(server, "nothere = 3").json()["detail"])
        greedy = self.rows(server, self.GREEDY)
        self.assertGreaterEqual(greedy.status, 400, greedy.body)
        self.assertIn("memory", greedy.json()["detail"])

        answers = []
        endless = [threading.Thread(target=lambda: answers.append(self.rows(server, self.ENDLESS))) for _ in range(8)]
        for thread in endless:
            thread.start()
        while len(answers) < 5:  # Three may run, the others are told so at once.
            time.sleep(0.01)
        self.assertEqual({answer.status for answer in answers}, {503})
        self.assertEqual(server.request("GET", "/api/v1/projects/default/datasets").status, 200)
        self.assertEqual(server.stop(), 0)
        for thread in endless:
            thread.join()
        self.assertEqual(len(answers), 8)


class HomeErrorsTest(FactoryTest):
    def test_a_second_server_says_who_holds_the_home(self):
        server = self.server()
        message = self.refused(6, "server", "--listen", "127.0.0.1:0")
        self.assertIn(str(server.process.pid), message)

    def test_an_occupied_port_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertIn(str(port), self.refused(7, "server", "--listen", f"127.0.0.1:{port}"))

    def test_an_open_address_needs_a_token(self):
        self.assertIn("token", self.refused(3, "server", "--listen", "0.0.0.0:0"))

    def test_a_folder_that_is_no_home_is_left_alone(self):
        self.home.mkdir()
        (self.home / "thesis.txt").write_text("precious")
        self.refused(3, "dataset", "list")
        self.assertEqual(sorted(p.name for p in self.home.iterdir()), ["thesis.txt"])

    def test_a_damaged_database_is_named(self):
        self.command("dataset", "list")
        (self.home / "cromford.db").write_bytes(b"SQLite format 3\0" + os.urandom(8192))
        self.assertIn("cromford.db", self.refused(1, "dataset", "list"))

    def test_a_server_that_is_not_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        done = self.run_command("dataset", "list")
        self.assertEqual(done.returncode, 0)
        import subprocess

        from factory import PROGRAM

        done = subprocess.run(
            [PROGRAM, "--url", f"http://127.0.0.1:{port}", "dataset", "list"], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 7)
        self.assertIn(str(port), done.stderr)


class HttpErrorsTest(FactoryTest):
    def test_what_can_never_run_is_refused_before_it_is_a_job(self):
        server = self.server()
        project = "/api/v1/projects/default"
        rows = "age,smoker\n" + "".join(f"{i},{'yes' if i % 3 else 'no'}\n" for i in range(50))
        server.job(server.request("POST", project + "/datasets/people/versions", rows, content_type="text/csv"))
        run = {"dataset": "people", "target": "smoker"}
        for field, value in (("task", "clustering"), ("metric", "auk"), ("learners", ["magic"])):
            answer = server.request("POST", project + "/runs", {**run, field: value})
            self.assertEqual(answer.status, 400, answer.body)
            self.assertEqual(answer.json()["errors"][0]["pointer"], "/" + field)
        answer = server.request("POST", project + "/runs", {**run, "task": "regression", "metric": "auc"})
        self.assertEqual(answer.status, 400, answer.body)
        answer = server.request(
            "POST",
            project + "/datasets/more/versions",
            {"source": {"url": "ftp://example.org/rows.csv"}},
            content_type="application/vnd.cromford.import+json",
        )
        self.assertEqual(answer.status, 400, answer.body)
        answer = server.request("POST", project + "/models/m/versions/1:score?input_format=xls", rows, content_type="text/csv")
        self.assertEqual(answer.status, 400, answer.body)
        self.assertEqual(len(server.request("GET", project + "/jobs").json()["jobs"]), 1)

    def problem(self, answer, status, word):
        self.assertEqual(answer.status, status, answer.body)
        problem = answer.json()
        self.assertEqual(problem["status"], status)
        self.assertIn(word, json.dumps(problem))
        self.assertTrue(problem["request_id"])
        return problem

    def test_predict_bodies(self):
        server = self.server()
        self.command("dataset", "add", "penguins", VEGA / "penguins.json")
        self.command("train", "penguins", "--target", "Species", "--trials", "1", "--model", "species")
        self.command("deploy", "species")
        path = "/api/v1/projects/default/endpoints/species:predict"
        self.problem(server.request("POST", path, "{"), 400, "JSON")
        self.problem(server.request("POST", path, {"row": [{}]}), 400, "rows")
        wrong_type = server.request("POST", path, {"rows": [{}, {"Beak Length (mm)": "long"}]})
        self.assertIn("/rows/1/Beak Length (mm)", self.problem(wrong_type, 400, "Beak")["errors"][0]["pointer"])
        self.problem(server.request("POST", path, {"rows": [{"Beak Lenght (mm)": 1}]}), 400, "Beak Length (mm)")
        ignored = server.request("POST", path + "?unknown=ignore", {"rows": [{"what": 1}]})
        self.assertEqual(ignored.status, 200, ignored.body)
        self.problem(server.request("POST", path.replace("species:", "spices:"), {"rows": [{}]}), 404, "spices")
        infer = server.request("POST", "/v2/models/species/infer", {"inputs": [{"name": "x"}]})
        self.assertEqual(infer.status, 400)
        self.assertIn("error", infer.json())

    def test_methods_paths_types_and_hosts(self):
        server = self.server()
        self.problem(server.request("GET", "/api/v1/nothing"), 404, "nothing")
        self.problem(server.request("PATCH", "/api/v1/projects/default/datasets"), 405, "PATCH")
        self.problem(server.request("GET", "/api/v1/projects/default/datasets?page_size=-1"), 400, "page_size")
        self.problem(server.request("POST", "/api/v1/projects/default/runs", "x", content_type="text/plain"), 415, "text/plain")
        rebound = server.request("GET", "/api/v1/projects/default/datasets", headers={"Host": "evil.example"})
        self.assertIn(rebound.status, (400, 403, 421))
        crossed = server.request(
            "POST", "/api/v1/projects/default/runs", {}, headers={"Origin": "http://evil.example"}
        )
        self.assertEqual(crossed.status, 403)

    def test_server_files_are_for_the_owner_only(self):
        server = self.server()
        request = {"source": {"file": "/etc/passwd"}}
        path = "/api/v1/projects/default/datasets/x/versions"
        kind = "application/vnd.cromford.import+json"
        self.problem(server.request("POST", path, request, content_type=kind), 403, "owner")
        private = {"source": {"url": "http://127.0.0.1:1/x.csv"}}
        answer = server.request("POST", path, private, content_type=kind)
        if answer.status == 202:
            job = server.job(answer)
            self.assertEqual(job["state"], "failed")
            self.assertIn("127.0.0.1", json.dumps(job["error"]))
        else:
            self.assertIn(answer.status, (400, 403))


if __name__ == "__main__":
    unittest.main()
