"""`jaxdigits bench`: what it prints and writes, of workloads that take no time."""

import json

import jax
import pytest

from jaxdigits import bench
from jaxdigits.bench import workloads as w


@pytest.fixture
def tiny(monkeypatch):
    """Two workloads in place of the table's."""
    table = {
        "S1": w.train_mlp((784, 3, 10), 2),
        "S2-forward": w.lif_layer(4, 3, 2, back=False),
    }
    monkeypatch.setattr(bench, "WORKLOADS", table)
    return table


@pytest.fixture
def first(cli, tiny, tmp_path):
    """(answer, file) of a run with everything but a comparison."""
    file = tmp_path / "bench.json"
    return cli("bench", "S1", "S2", "--repeats", 2, "--json", file), file


def test_each_workload_has_a_line_with_every_column(first):
    answer, _ = first
    assert (answer.code, answer.err) == (0, "")
    head, one, two = answer.out.splitlines()
    assert head.split() == ["step", "ms", "quartiles", "floor", "ms", "ratio", "samples/s",
                            "GFLOP/s", "MB", "compile", "s"]  # fmt: skip
    assert (one.split()[0], two.split()[0]) == ("S1", "S2-forward")
    assert len(one.split()) == len(two.split()) == 10


def test_the_file_has_what_is_printed(first):
    answer, file = first
    result = bench.load(file)
    assert list(result["rows"]) == ["S1", "S2-forward"]
    printed = [line.split() for line in answer.out.splitlines()[1:3]]
    for (_, row), cells in zip(result["rows"].items(), printed, strict=True):
        assert float(cells[1]) == pytest.approx(
            1e3 * row["step_seconds"]["median"], rel=0.01, abs=6e-4
        )
        assert float(cells[5]) == pytest.approx(row["ratio"]["median"], abs=0.006)


def test_a_comparison_names_what_is_in_either(cli, first, tmp_path):
    _, file = first
    result = json.loads(file.read_text())
    result["rows"]["gone"] = result["rows"].pop("S2-forward")
    file.write_text(json.dumps(result))
    answer = cli("bench", "--repeats", 1, "--compare", file)
    assert (answer.code, answer.err) == (0, "")
    head, *rows = [line.split() for line in answer.out.splitlines()[-4:]]
    assert head == [
        "old",
        "ratio",
        "new",
        "ratio",
        "change",
        "old",
        "ms",
        "new",
        "ms",
        "change",
    ]
    assert [row[0] for row in rows] == ["S1", "S2-forward", "gone"]
    assert rows[0][3].endswith("%") or rows[0][4] == "%"
    assert "n/a" in rows[1]
    assert "n/a" in rows[2]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("S3",), "unknown workload 'S3': choose from S1, S2-forward"),
        (("S1", "--repeats", 0), "--repeats must be >= 1, got 0"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_timed(one_line, tiny, args, message):
    assert one_line("bench", *args) == (2, message)


def test_a_file_in_no_folder_is_refused_before_anything_is_timed(cli, tiny, tmp_path):
    file = tmp_path / "none" / "x.json"
    answer = cli("bench", "S1", "--json", file)
    message = f"jaxdigits: cannot write {file}: there is no folder {file.parent}\n"
    assert answer == (2, "", message)


def test_files_to_compare_with_are_read_first(one_line, tiny, tmp_path):
    other = tmp_path / "other.json"
    assert one_line("bench", "--compare", other) == (1, f"{other}: No such file or directory")
    other.write_text('{"schema": "jaxdigits-bench", "version": 0}')
    code, line = one_line("bench", "--compare", other)
    assert (code, line.split("; ")[0]) == (
        2,
        f"{other} has schema version 0, not 1: measure again",
    )


def test_help_says_what_is_measured(cli):
    answer = cli("bench", "--help")
    assert (answer.code, answer.err) == (0, "")
    for word in ("--repeats", "--json", "--compare", "floor"):
        assert word in answer.out


def test_a_device_that_is_not_there_is_refused_by_name(cli, tiny):
    before = jax.config.values["jax_platforms"]
    answer = cli("bench", "S1", "--device", "abacus")
    assert answer.code == 2
    assert answer.err == "jaxdigits: --device abacus: JAX finds no such device here\n"
    assert jax.config.values["jax_platforms"] == before


def test_the_device_that_is_there_is_taken(cli, tiny, monkeypatch):
    before = jax.config.values["jax_platforms"]
    monkeypatch.setenv("JAX_PLATFORMS", "")
    here = jax.devices()[0].platform
    try:
        assert cli("bench", "S1", "--repeats", 1, "--device", here).code == 0
    finally:
        jax.config.update("jax_platforms", before)
