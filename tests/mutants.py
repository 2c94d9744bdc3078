"""Write tests/mutants.json: which test files find which planted mistake.

    python tests/mutants.py tests/layers tests/spikes tests/test_contract.py

Each mistake of the two tables (`test_planted_mistakes.py`) is written into a copy of the
package.  Then the tests that execute the mistaken function run there, until one fails.  A
second call continues where the first stopped.  In `found`, true: a test of the file found the
mistake; false: none did; a file that never executes the function is not listed.
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

import jax  # noqa: F401  imported here, once for every fork
import pytest

HERE = Path(__file__).resolve().parent
MATRIX, SECONDS, TABLE = HERE / "mutants.json", 600, "test_planted_mistakes.py"


def mistakes():
    """{name: (file, function, old, new)} of both tables."""
    rows = {}
    for folder, package in {"gradients": "", "gradients/rules": "gradients.rules."}.items():
        spec = importlib.util.spec_from_file_location("table", HERE / folder / TABLE)
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


def marked(source, rows):
    """The source with a mark in the innermost function around each mistake."""
    lines, marks = source.splitlines(keepends=True), defaultdict(set)
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    for name, (_, function, old, _) in rows.items():
        first, last = span(source, function)
        at = first + 1 + "".join(lines[first:last]).split(old)[0].count("\n")
        around = [n for n in functions if first < n.lineno <= at <= n.end_lineno]
        body = max(around, key=lambda n: n.lineno).body
        docstring = isinstance(body[0], ast.Expr) and len(body) > 1
        marks[body[docstring].lineno - 1].add(name)
    for line in sorted(marks, reverse=True):
        indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
        lines.insert(line, f"{indent}__import__('reached').names.update({marks[line]!r})\n")
    return "".join(lines)


class Reach:
    """A pytest plugin that notes which tests of a file execute each mistaken function."""

    def __init__(self):
        self.names = import_module("reached").names
        self.on_import, self.by_test, self.by_fixture = set(), {}, defaultdict(set)

    def pytest_collection_finish(self, session):
        self.on_import |= self.names
        self.names.clear()

    def pytest_runtest_logreport(self, report):
        self.by_test.setdefault(report.nodeid, set()).update(self.names)
        if report.when == "setup":  # its fixtures may serve other tests of the same params
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
    """A pytest plugin that runs nothing but these tests."""

    def __init__(self, tests):
        self.tests = set(tests)

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.tests]


def forked(run):
    """The exit status of `run()` in its own process, with limited time and a log."""
    if (child := os.fork()) == 0:
        signal.alarm(SECONDS)
        with open("log.txt", "w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        try:
            status = int(run())
        except Exception:
            traceback.print_exc()
            status = 70
        sys.stdout.flush()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tested(file, plugin):
    """The status of pytest: 0 if all tests passed, 1 if one failed."""
    return pytest.main(["-x", "-n", "0", file], plugins=[plugin])


def computed(run):
    """The JSON of `run()`, computed in its own process."""
    path = Path("answer.json")
    status = forked(lambda: path.write_text(json.dumps(run())) and 0)
    assert status == 0, Path("log.txt").read_text()
    return json.loads(path.read_text())


def write(path, source):
    Path(path).write_text(source)
    Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)


def tests_that_reach(file, sources, rows):
    """{mistake: tests of the file}"""

    def run():
        plugin = Reach()
        assert tested(file, plugin) == 0, f"{file} fails without a mistake"
        return plugin.tests()

    for path, source in sources.items():
        write(path, marked(source, {k: row for k, row in rows.items() if row[0] == path}))
    tests = computed(run)
    for path, source in sources.items():
        write(path, source)
    return tests


def main(places):
    os.chdir(work := tempfile.mkdtemp())
    sys.path.insert(0, work)
    os.environ["PYTHONPATH"] = work
    for folder in ("jaxdigits", "tests", "docs"):  # a test reads a page
        shutil.copytree(HERE.parent / folder, folder)
    shutil.copy(HERE.parent / "pyproject.toml", work)
    Path("reached.py").write_text("names = set()\n")

    rows = computed(mistakes)
    sources = {path: Path(path).read_text() for path, *_ in rows.values()}
    matrix = json.loads(MATRIX.read_text()) if MATRIX.exists() else {"files": [], "found": {}}
    save = lambda: MATRIX.write_text(json.dumps(matrix, indent=1, sort_keys=True) + "\n")
    files = [f for p in map(Path, places) for f in ([p] if p.suffix else p.rglob("test_*.py"))]
    for file in sorted(str(f) for f in files if f.name != TABLE):
        if file in matrix["files"]:
            continue
        for name, tests in tests_that_reach(file, sources, rows).items():
            found = matrix["found"].setdefault(name, {})
            if file not in found:
                path, *mistake = rows[name]
                write(path, planted(sources[path], *mistake))
                status = forked(lambda file=file, tests=tests: tested(file, Only(tests)))
                write(path, sources[path])
                found[file] = status != 0
                save()
                print(f"{file}: {name}: {'found' if status else 'survived'}", flush=True)
        matrix["files"].append(file)
        save()
    shutil.rmtree(work)


if __name__ == "__main__":
    main(sys.argv[1:])
