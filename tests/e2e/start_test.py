"""What starting the program costs: it maps the large libraries only where they are used."""

import unittest

from factory import VEGA, FactoryTest

LARGE = ("libduckdb", "libxgboost", "libgomp")


class StartTest(FactoryTest):
    def loaded(self, *words):
        """The large libraries that the loader looked for while the command ran."""
        done = self.run_command(*words, env={"LD_DEBUG": "libs"})
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertIn("find library=libc.so", done.stderr)
        return {name for name in LARGE if f"find library={name}" in done.stderr}

    def test_commands_that_read_no_table_load_no_large_library(self):
        self.assertEqual(self.loaded("--version"), set())
        self.assertEqual(self.loaded("dataset", "list"), set())

    def test_looking_at_rows_loads_the_data_engine_only(self):
        self.command("dataset", "add", "cars", VEGA / "cars.json")
        self.assertEqual(self.loaded("dataset", "rows", "cars"), {"libduckdb"})


if __name__ == "__main__":
    unittest.main()
