"""The structure check must find what it promises to find: each test plants one fault."""

import tempfile
import unittest
from pathlib import Path

from check_structure import check

TABLE = """
| folder | lives here | may include |
|---|---|---|
| `base` | errors | foundational libraries only |
| `table` | tables | base |
| `learn` | learners | base, table |
"""


def cmake(name, deps="", sources="a.cc", tests=""):
    return f"cromford_module(\n  NAME {name}\n  HEADERS a.h\n  SOURCES {sources}\n  TESTS {tests}\n  DEPS {deps})\n"


class StructureTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name) / "project"
        self.write("ARCHITECTURE.md", TABLE)
        for name, deps in (("base", ""), ("table", "base"), ("learn", "base table")):
            self.write(f"src/{name}/CMakeLists.txt", cmake(name, deps))
            self.write(f"src/{name}/a.h", "#pragma once\n")
            self.write(f"src/{name}/a.cc", f'#include "{name}/a.h"\n')
            self.write(f"src/{name}/README.md", "why\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def faults(self):
        return "\n".join(check(self.root)[0])

    def test_a_tree_in_order_has_no_faults(self):
        self.assertEqual(self.faults(), "")

    def test_an_include_that_deps_do_not_name(self):
        self.write("src/base/a.cc", '#include "table/a.h"\n')
        self.assertIn("base/a.cc includes table/a.h", self.faults())

    def test_deps_against_the_table_and_cycles(self):
        self.write("src/base/CMakeLists.txt", cmake("base", "learn"))
        self.assertIn("base depends on learn", self.faults())
        self.assertIn("a cycle: ", self.faults())

    def test_an_owned_library_outside_its_folder(self):
        self.write("src/learn/a.cc", "#include <duckdb.h>\n")
        self.assertIn("learn/a.cc includes duckdb.h, which only table may", self.faults())

    def test_a_file_without_a_target(self):
        self.write("src/table/b_test.cc", "int x;\n")
        self.assertIn("table/b_test.cc belongs to no target", self.faults())

    def test_a_listed_file_that_is_not_there(self):
        self.write("src/table/CMakeLists.txt", cmake("table", "base", tests="gone_test.cc"))
        self.assertIn("lists gone_test.cc, which does not exist", self.faults())

    def test_long_files_missing_readmes_and_drawers(self):
        self.write("src/table/a.h", "\n" * 601)
        (self.root / "src/table/README.md").unlink()
        self.write("src/table/utils/x.txt", "")
        faults = self.faults()
        self.assertIn("table/a.h has 601 lines", faults)
        self.assertIn("table has no README.md", faults)
        self.assertIn("no folder is called utils", faults)

    def test_the_table_against_the_design(self):
        design = self.root.parent / "shared" / "DESIGN.md"
        design.parent.mkdir()
        design.write_text(TABLE.replace("| base, table |", "| base |"))
        self.assertIn("differ for learn", self.faults())


if __name__ == "__main__":
    unittest.main()
