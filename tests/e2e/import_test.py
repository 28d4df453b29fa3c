"""Files as they should not be, checks as people write them, keys: the right rows or a clear refusal, and nothing left behind."""

import gzip
import json
import os
import unittest

from factory import FactoryTest


class HostileFilesTest(FactoryTest):
    def bytes(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def nothing_is_left(self):
        self.assertEqual(self.command_json("dataset", "list")["datasets"], [])
        left = [path for path in (self.home / "tmp").rglob("*") if path.is_file()]
        self.assertEqual(left, [])
        objects = [path for path in (self.home / "objects").rglob("*") if path.is_file()]
        self.assertEqual(objects, [])

    def test_what_is_no_table_is_refused_by_name(self):
        rows = b"id,x\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 1000) for i in range(50_000))
        packed = gzip.compress(rows)
        files = {
            "empty.csv": (b"", "empty"),
            "blank.csv": (b"\n\n \n", "empty"),
            "nul.csv": (b"id,x\n1,a\0b\n2,\0\n", "neither text"),
            "cut.csv.gz": (packed[: len(packed) // 2], "damaged or cut off"),
            "flipped.csv.gz": (packed[:1000] + b"\xff\xff\xff" + packed[1003:], "damaged or cut off"),
            "cut.csv.zst": (b"\x28\xb5\x2f\xfd\x04\x00", "damaged or cut off"),
            "cut.parquet": (b"PAR1" + os.urandom(200), "cut.parquet"),
            "deep.json": (b"[" * 100_000, "deep.json"),
            "scalar.json": (b"5", "scalar.json"),
        }
        for name, (content, part) in files.items():
            with self.subTest(name):
                message = self.refused(2, "dataset", "add", "x", self.bytes(name, content))
                self.assertIn(name, message)
                self.assertIn(part, message)
                self.assertIn("remedy: ", message)
        self.refused(2, "dataset", "add", "x", "-", stdin="")
        self.assertIn("folder", self.refused(2, "dataset", "add", "x", self.folder))
        self.assertIn("device", self.refused(2, "dataset", "add", "x", "/dev/zero"))
        self.nothing_is_left()

    def test_addresses_of_this_machine_are_refused(self):
        for url in ("http://127.0.0.1:9/x.csv", "http://localhost:9/x.csv", "http://[::1]:9/x", "http://169.254.169.254/"):
            with self.subTest(url):
                self.assertNotEqual(self.run_command("dataset", "add", "x", url).returncode, 0)
        self.nothing_is_left()

    def test_odd_files_are_read(self):
        text = "id,x\n1,aé\n2,b\n"
        files = {
            "le.csv": (text.encode("utf-16-le"), 2),
            "a file with spaces.csv": (text.encode(), 2),
            "crlf and lf.csv": (b"id,x\n1,a\r\n2,b\n3,c\r\n", 3),
            "not utf 8.csv": (b"id,x\n1,\xff\xfe\x80\n2,caf\xe9\n", 2),
            "header.csv": (b"id,x\n", 0),
            "keys.json": (json.dumps([{"a": 1}, {"b": 2}, {"a": 3, "c": "x"}]).encode(), 3),
            "nested.json": (json.dumps([{"a": {"b": [1]}, "l": [1]}, {"a": {"z": 1}, "l": []}]).encode(), 2),
            "wide.csv": ((",".join(f"c{i}" for i in range(2000)) + "\n" + ",".join("1" * 2000) + "\n").encode(), 1),
        }
        for number, (name, (content, rows)) in enumerate(files.items()):
            with self.subTest(name):
                added = self.command_json("dataset", "add", f"d{number}", self.bytes(name, content))
                self.assertEqual((added["result"]["row_count"], added["result"]["quarantined"]), (rows, 0))
        self.command("dataset", "add", "piped", "-", stdin="id,x\n1,2\n")
        self.assertEqual(self.command_json("dataset", "rows", "piped")["rows"], [[1, 2]])

    def test_a_stray_quote_takes_its_line_alone(self):
        file = self.write("quote.csv", 'id,x\n1,"a\n2,b\n3,"c"\n4,5" pipe\n')
        added = self.command_json("dataset", "add", "quoted", file)
        self.assertEqual((added["result"]["row_count"], added["result"]["quarantined"]), (3, 1))
        bad = self.command_json("dataset", "rows", "quoted", "--quarantine")["rows"]
        self.assertEqual((bad[0]["line"], bad[0]["text"]), (2, '1,"a'))
        self.assertIn("quote", bad[0]["reason"])


class ChecksTest(FactoryTest):
    def test_checks_in_yaml_and_json(self):
        rows = self.write("rows.csv", "id,x\n1,5\n2,50\n3,500\n")
        yaml = self.write("checks.yaml", "checks:\n  - {column: x, between: [1, 100], on_fail: quarantine}\n")
        added = self.command_json("dataset", "add", "a", rows, "--checks", yaml)["result"]
        self.assertEqual((added["row_count"], added["quarantined"]), (2, 1))
        shown = self.command_json("dataset", "show", "a")
        self.assertEqual(shown["checks"][0]["failed_rows"], 1)
        column = next(column for column in shown["profile"]["columns"] if column["name"] == "x")
        self.assertEqual((shown["profile"]["row_count"], column["number"]["max"]), (2, 50))
        same = self.write("same.json", '[{"column": "x", "between": [1, 100], "on_fail": "quarantine"}]')
        self.assertTrue(self.command_json("dataset", "add", "a", rows, "--checks", same)["result"]["unchanged"])
        kept = self.write("kept.csv", "id,x\n1,5\n2,50\n")
        self.command("dataset", "add", "b", kept)
        self.assertEqual(self.command_json("dataset", "show", "b")["content_hash"], shown["content_hash"])

    def test_checks_by_upload(self):
        server = self.server()
        path = "/api/v1/projects/default/datasets/c/versions"
        answer = server.request("POST", path + "?checks=-+%7Bcolumn:+x,+betwen:+%5B1,+9%5D%7D", "id,x\n1,5\n", content_type="text/csv")
        self.assertEqual(answer.status, 400)
        self.assertIn("line 1, checks[0].betwen", answer.json()["detail"])
        self.assertEqual(answer.json()["errors"][0]["pointer"], "/checks/0/betwen")

    def test_bad_files_of_checks_name_line_and_key(self):
        rows = self.write("rows.csv", "id,x\n1,5\n")
        cases = {
            "- {column: id, not_null: true}\n- {column: x, betwen: [1, 2]}\n": "line 2, checks[1].betwen",
            "- column: x\n  between: [1\n": "line ",
            "x: 1\n": "line 1, checks: this key is missing",
            "words": "a list of rules",
            "": "is empty",
        }
        for content, part in cases.items():
            with self.subTest(content):
                checks = self.write("bad.yaml", content)
                self.assertIn(part, self.refused(2, "dataset", "add", "x", rows, "--checks", checks))
        self.assertEqual(self.command_json("dataset", "list")["datasets"], [])

    def test_all_rows_set_aside(self):
        rows = self.write("rows.csv", "id,x\n1,5\n")
        checks = self.write("none.yaml", "- {column: x, between: [100, null], on_fail: quarantine}\n")
        added = self.command_json("dataset", "add", "none", rows, "--checks", checks)["result"]
        self.assertEqual((added["row_count"], added["quarantined"]), (0, 1))


class KeysTest(FactoryTest):
    def test_a_key_must_identify_rows(self):
        twice = self.write("twice.csv", "id,x\n1,a\n1,b\n")
        self.assertIn("id", self.refused(3, "dataset", "add", "k", twice, "--key", "id"))
        missing = self.write("missing.csv", "id,x\n,a\n2,b\n")
        self.assertIn("id", self.refused(3, "dataset", "add", "k", missing, "--key", "id"))
        self.assertIn("did you mean 'id'", self.refused(2, "dataset", "add", "k", twice, "--key", "idd"))
        self.command("dataset", "add", "k", twice, "--key", "id,x")

    def test_appended_rows_may_not_repeat_a_key(self):
        first = self.write("first.csv", "id,x\n1,a\n2,b\n")
        self.command("dataset", "add", "k", first, "--key", "id")
        more = self.write("more.csv", "id,x\n2,changed\n3,c\n")
        self.assertIn("id", self.refused(3, "dataset", "add", "k", more, "--append", "--key", "id"))
        self.assertEqual(self.command_json("dataset", "rows", "k")["rows"], [[1, "a"], [2, "b"]])
        # A rule of one's own appends the others.
        rule = self.write("rule.yaml", "- {columns: [id], unique: true, on_fail: quarantine}\n")
        added = self.command_json("dataset", "add", "k", more, "--append", "--checks", rule)["result"]
        self.assertEqual((added["version"], added["row_count"], added["quarantined"]), (2, 3, 1))
        rows = self.command_json("dataset", "rows", "k")["rows"]
        self.assertEqual(rows, [[1, "a"], [2, "b"], [3, "c"]])


if __name__ == "__main__":
    unittest.main()
