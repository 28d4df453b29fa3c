"""Holds the source tree against the plan of the house: check_structure.py [ROOT]

Without ROOT, that is the clone in which it stands.

The table "The house" in ARCHITECTURE.md says which folder may include which. Checked are: every
include against the module's declared DEPS and against that table; no cycles; third-party libraries
only in their owner's folder; every file belongs to a target and every listed file exists; file
lengths; a README per folder. Prints each fault on a line and exits 1 if there is any.
"""

import re
import sys
from pathlib import Path

LINES_MAX = 600
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
MODULE_CALL = re.compile(r"cromford_module\((.*?)\n?\)", re.S)
PROGRAM_CALL = re.compile(r"add_executable\(\w+\s+(.*?)\)", re.S)
LISTS = ("NAME", "HEADERS", "SOURCES", "TESTS", "FUZZERS", "BENCHES", "DEPS", "LIBS", "TEST_DEPS", "TEST_LIBS")
FILE_LISTS = ("HEADERS", "SOURCES", "TESTS", "FUZZERS", "BENCHES")

# Third-party headers that one folder owns. (Its tests may include them as well.)
OWNED = [
    (re.compile(r"^duckdb"), {"table"}),
    (re.compile(r"^sqlite3|^libpq"), {"store"}),
    (re.compile(r"^xgboost/"), {"learn"}),
    (re.compile(r"^boost/(beast|asio)"), {"http"}),
    (re.compile(r"^grpc"), {"grpc"}),
    (re.compile(r"^simdjson"), {"serve"}),
    (re.compile(r"^yaml-cpp/"), {"flow", "main"}),
    (re.compile(r"^curl/"), {"app", "cli", "ingest"}),
    (re.compile(r"^Eigen/"), {"learn", "model"}),
    (re.compile(r"^sodium"), {"base", "govern", "http"}),
    (re.compile(r"^openssl/"), {"http", "grpc"}),
]
# Folders in which doing I/O by oneself would break a promise of the design.
NO_IO = {"model": re.compile(r"^(fstream|filesystem|sys/socket\.h|unistd\.h)$")}


def read_table(markdown):
    """The rows of the table of folders: {folder: set of folders it may include}."""
    table = {}
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3 or not line.startswith("|"):
            continue
        folders = re.findall(r"`(\w+)`", cells[0])
        if not folders or re.sub(r"[`\w, ]", "", cells[0]):
            continue
        for folder in folders:
            table[folder] = cells[2]
    return resolve(table)


def resolve(table):
    """Turns the words of the third column into sets."""
    order = list(table)
    resolved = {}
    for folder, words in table.items():
        if "everything" in words:
            resolved[folder] = set(order) - {folder}
        elif "all above" in words:
            resolved[folder] = set(order[: order.index(folder)])
        elif words.startswith("any but"):
            resolved[folder] = set(order) - {folder} - set(re.findall(r"\w+", words[len("any but") :]))
        elif "foundational" in words:
            resolved[folder] = set()
        else:
            resolved[folder] = set(re.findall(r"\w+", words)) & set(order)
    return resolved


def read_modules(src):
    """{name: {list name: [words]}} of every cromford_module call, with the folder under "FOLDER"."""
    modules = {}
    for cmake in sorted(src.glob("*/CMakeLists.txt")):
        text = re.sub(r"#.*", "", cmake.read_text())
        module = None
        for call in MODULE_CALL.findall(text):
            module, current = {name: [] for name in LISTS}, None
            for word in call.split():
                if word in LISTS:
                    current = word
                elif current:
                    module[current].append(word)
            module["FOLDER"] = cmake.parent
            modules[module["NAME"][0]] = module
        # A folder's programs are sources of its module, as far as the rules are concerned.
        for files in PROGRAM_CALL.findall(text):
            if module:
                module["SOURCES"] += [word for word in files.split() if word.endswith(".cc")]
    return modules


def check_includes(module, name, table, faults):
    folder = module["FOLDER"]
    allowed = set(module["DEPS"]) | {name}
    for kind in FILE_LISTS:
        may = allowed | (set(module["TEST_DEPS"]) if kind in ("TESTS", "FUZZERS", "BENCHES") else set())
        for file in module[kind]:
            path = folder / file
            if not path.is_file():
                faults.append(f"{folder.name}/CMakeLists.txt lists {file}, which does not exist")
                continue
            for quote, target in INCLUDE.findall(path.read_text(errors="replace")):
                first = target.split("/")[0]
                where = f"{folder.name}/{file} includes {target}"
                if quote == '"' and "/" in target and first in table and first not in may:
                    faults.append(f"{where}, but {name} does not declare {first} in its DEPS")
                if quote == '"' and "/" not in target:
                    faults.append(f"{where}: write the path from src/")
                for pattern, owners in OWNED:
                    if pattern.match(target) and name not in owners and kind in ("HEADERS", "SOURCES"):
                        faults.append(f"{where}, which only {', '.join(sorted(owners))} may")
                if name in NO_IO and NO_IO[name].match(target) and kind in ("HEADERS", "SOURCES"):
                    faults.append(f"{where}: {name} does no I/O")


def check_direction(modules, table, faults):
    for name, module in modules.items():
        if name not in table:
            faults.append(f"the folder {name} is not in the table of ARCHITECTURE.md")
            continue
        for dep in module["DEPS"]:
            if dep not in table[name]:
                faults.append(f"{name} depends on {dep}, which the table of ARCHITECTURE.md does not allow")
        for dep in module["TEST_DEPS"]:
            if dep != "testing" and dep not in modules:
                faults.append(f"{name} names the unknown module {dep} in TEST_DEPS")
    for name in modules:
        cycle = find_cycle(name, modules)
        if cycle:
            faults.append("a cycle: " + " -> ".join(cycle))


def find_cycle(start, modules):
    stack = [(start, [start])]
    seen = set()
    while stack:
        name, path = stack.pop()
        for dep in modules.get(name, {"DEPS": []})["DEPS"]:
            if dep == start:
                return path + [dep]
            if dep not in seen:
                seen.add(dep)
                stack.append((dep, path + [dep]))
    return None


def check_files(src, modules, faults):
    listed = {module["FOLDER"] / file for module in modules.values() for kind in FILE_LISTS for file in module[kind]}
    for path in sorted(src.rglob("*")):
        if path.suffix not in (".h", ".cc") or "testdata" in path.parts:
            continue
        if path not in listed:
            faults.append(f"{path.relative_to(src)} belongs to no target")
        lines = path.read_text(errors="replace").count("\n")
        if lines > LINES_MAX:
            faults.append(f"{path.relative_to(src)} has {lines} lines, the limit is {LINES_MAX}")
    for module in modules.values():
        if not (module["FOLDER"] / "README.md").is_file():
            faults.append(f"{module['FOLDER'].name} has no README.md")
    for name in ("utils", "common", "helpers", "manager"):
        for path in src.rglob(name):
            faults.append(f"{path.relative_to(src)}: no folder is called {name}")


def check(root):
    src = root / "src"
    table = read_table((root / "ARCHITECTURE.md").read_text())
    faults = []
    design = root.parent / "shared" / "DESIGN.md"
    if design.is_file():
        planned = read_table(design.read_text())
        for folder in sorted(set(planned) | set(table)):
            if planned.get(folder) != table.get(folder):
                faults.append(f"the tables of ARCHITECTURE.md and of the design differ for {folder}")
    modules = read_modules(src)
    for name, module in modules.items():
        check_includes(module, name, table, faults)
    check_direction(modules, table, faults)
    check_files(src, modules, faults)
    return faults, modules


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2]
    faults, modules = check(root.resolve())
    for fault in faults:
        print(f"structure: {fault}")
    if not faults:
        print(f"structure: {len(modules)} modules hold")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
