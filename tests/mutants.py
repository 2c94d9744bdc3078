"""Write tests/mutants.json: which test files find which planted mistake.

    python tests/mutants.py tests/layers tests/spikes tests/test_contract.py

Each mistake of the two tables (`test_planted_mistakes.py`) is written into a copy of the
package, and the tests that execute the mistaken function run there until one fails.  Results
are saved after each run, and a second call continues.  In `found`, true: a test of the file
found the mistake; false: none did; a file that never executes the function is not listed.
"""

import ast
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import jax
import optax  # noqa: F401  imported here once, for every fork
import pytest
import scipy.stats  # noqa: F401

HERE = Path(__file__).resolve().parent
MATRIX, SECONDS = HERE / "mutants.json", 600
TABLES = {"gradients": "", "gradients/rules": "gradients.rules."}


def mistakes():
    """{name: (file, function, old, new)} of both tables."""
    rows = {}
    for folder, package in TABLES.items():
        path = HERE / folder / "test_planted_mistakes.py"
        spec = importlib.util.spec_from_file_location("table", path)
        spec.loader.exec_module(table := importlib.util.module_from_spec(spec))
        for name, case, *module, function, old, new in table.MISTAKES:
            module = package + module[0] if module else table.module_of(case, function)
            home = getattr(import_module(f"jaxdigits.{module}"), function).__module__
            rows[f"{case}: {name}"] = home.replace(".", "/") + ".py", function, old, new
    return rows


def span(source, function):
    """The lines of a function at the top of a file: its first and one past its last."""
    (node,) = [n for n in ast.parse(source).body if getattr(n, "name", "") == function]
    return node.lineno - 1, node.end_lineno


def planted(source, function, old, new):
    """The source with the mistake in it."""
    lines, (first, last) = source.splitlines(keepends=True), span(source, function)
    body = "".join(lines[first:last])
    assert body.count(old) == 1, (function, old)
    return "".join([*lines[:first], body.replace(old, new), *lines[last:]])


def marked(source, names, rows):
    """The source with a mark in the innermost function around each mistake."""
    lines, marks = source.splitlines(keepends=True), defaultdict(set)
    inner = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    for name in names:
        _, function, old, _ = rows[name]
        first, last = span(source, function)
        at = first + 1 + "".join(lines[first:last]).split(old)[0].count("\n")
        around = [n for n in inner if first < n.lineno <= at <= n.end_lineno]
        body = max(around, key=lambda n: n.lineno).body
        docstring = isinstance(body[0], ast.Expr) and len(body) > 1
        marks[body[docstring].lineno - 1].add(name)
    for line in sorted(marks, reverse=True):
        indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
        lines.insert(line, f"{indent}__import__('reached').names.update({marks[line]!r})\n")
    return "".join(lines)


class Reach:
    """A pytest plugin: the tests of a file that execute each mistaken function."""

    def __init__(self):
        self.names = import_module("reached").names
        self.on_import, self.by_test, self.by_fixture = set(), {}, defaultdict(set)

    def pytest_collection_finish(self, session):
        self.on_import |= self.names
        self.names.clear()

    def pytest_runtest_logreport(self, report):
        self.by_test.setdefault(report.nodeid, set()).update(self.names)
        if report.when == "setup":  # a fixture may be of several tests with these params
            self.by_fixture[report.nodeid.partition("[")[2]] |= self.names
        self.names.clear()

    def tests(self):
        """{mistake: tests}"""
        tests = defaultdict(list)
        for test, names in self.by_test.items():
            for name in names | self.by_fixture[test.partition("[")[2]] | self.on_import:
                tests[name].append(test)
        return tests


class Only:
    """A pytest plugin: run nothing but these tests."""

    def __init__(self, tests):
        self.tests = set(tests)

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.tests]


def forked(run):
    """The exit status of `run()` in a process of its own: quiet, and limited in time."""
    if (child := os.fork()) == 0:
        signal.alarm(SECONDS)
        with open("log.txt", "w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            status = 70
            try:
                status = int(run())
            except Exception:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tested(file, plugin):
    """The status of pytest: 0 if all passed, 1 if one failed."""
    return pytest.main(["-x", "-n", "0", "-p", "no:cacheprovider", file], plugins=[plugin])


def computed(run, path):
    """The JSON of `run()`, computed in a process of its own."""
    status = forked(lambda: path.write_text(json.dumps(run())) and 0)
    assert status == 0, Path("log.txt").read_text()
    return json.loads(path.read_text())


def write(path, source):
    path.write_text(source)
    Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)


def files_in(places):
    for place in map(Path, places):
        files = [place] if place.suffix else sorted(place.rglob("test_*.py"))
        yield from (str(file) for file in files if file.name != "test_planted_mistakes.py")


def save(matrix):
    MATRIX.write_text(json.dumps(matrix, indent=1, sort_keys=True) + "\n")


def main(places):
    work = Path(tempfile.mkdtemp())
    for folder in ("jaxdigits", "tests"):
        shutil.copytree(HERE.parent / folder, work / folder)
    shutil.copy(HERE.parent / "pyproject.toml", work)
    (work / "reached.py").write_text("names = set()\n")
    os.chdir(work)
    sys.path.insert(0, str(work))
    os.environ |= {
        "PYTHONPATH": str(work), "JAX_COMPILATION_CACHE_DIR": str(work / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }  # fmt: skip
    for name in ("COMPILATION_CACHE_DIR", "PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        value = os.environ[f"JAX_{name}"]
        jax.config.update(f"jax_{name.lower()}", float(value) if "SECS" in name else value)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

    rows = computed(mistakes, work / "answer.json")
    sources = {path: (work / path).read_text() for path, *_ in rows.values()}
    of_path = {path: [name for name in rows if rows[name][0] == path] for path in sources}
    matrix = json.loads(MATRIX.read_text()) if MATRIX.exists() else {"files": [], "found": {}}
    found = matrix["found"]
    for file in files_in(places):
        if file in matrix["files"]:
            continue
        for path, source in sources.items():
            write(work / path, marked(source, of_path[path], rows))

        def reach(file=file):
            plugin = Reach()
            assert tested(file, plugin) == 0, f"{file} fails without a mistake"
            return plugin.tests()

        tests = computed(reach, work / "answer.json")
        for path, source in sources.items():
            write(work / path, source)
        for name in (name for name in tests if file not in found.get(name, {})):
            path, *mistake = rows[name]
            write(work / path, planted(sources[path], *mistake))
            status = forked(lambda file=file, only=tests[name]: tested(file, Only(only)))
            write(work / path, sources[path])
            found.setdefault(name, {})[file] = status != 0
            save(matrix)
            print(f"{file}: {name}: {'found' if status else 'survived'} ({status})", flush=True)
        matrix["files"].append(file)
        save(matrix)
    shutil.rmtree(work)


if __name__ == "__main__":
    main(sys.argv[1:])
