"""`jaxdigits bench`: what it prints and writes, of workloads that take no time."""

import json
import os

import jax
import pytest

from jaxdigits import bench
from jaxdigits.bench import workloads as w


@pytest.fixture
def tiny(monkeypatch):
    """Two workloads in place of the table's, and no MNIST."""
    table = {
        "S1": w.train_mlp((784, 3, 10), 2),
        "S2-forward": w.lif_layer(4, 3, 2, back=False),
    }
    monkeypatch.setattr(bench, "WORKLOADS", table)
    monkeypatch.setattr(bench, "mnist_folder", lambda given: None)
    return table


@pytest.fixture
def first(cli, tiny, tmp_path):
    """(answer, file) of a run with everything but a comparison."""
    file = tmp_path / "bench.json"
    args = ("--repeats", 2, "--json", file, "--figure", tmp_path / "f.png")
    return cli("bench", "S1", "S2", *args), file


def test_each_workload_has_a_line_with_every_column(first, tmp_path):
    answer, _ = first
    assert (answer.code, answer.err) == (0, "")
    head, one, two, _, last = answer.out.splitlines()
    assert head.split() == ["step", "ms", "quartiles", "floor", "ms", "ratio", "samples/s",
                            "GFLOP/s", "MB", "compile", "s"]  # fmt: skip
    assert (one.split()[0], two.split()[0]) == ("S1", "S2-forward")
    assert len(one.split()) == len(two.split()) == 10
    assert last == f"figure in {tmp_path / 'f.png'}"
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


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


def test_without_mnist_w9_says_so(cli, tiny):
    answer = cli("bench", "W9-cnn", "S1", "--repeats", 1)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[1].split()[:5] == ["W9-cnn", "skipped:", "no", "MNIST", "in"]


def test_w9_says_where_the_time_went(cli, tiny, monkeypatch, tmp_path):
    parts = {"total": 9.0, "import": 1.0, "data": 1.0, "compile": 3.0, "training": 4.0}
    row = dict(cold_seconds=parts, reached=False, valid_accuracies=[0.5, 0.625], goal=0.98,
               peak_rss_bytes=5_000_000)  # fmt: skip
    monkeypatch.setattr(bench, "mnist_folder", lambda given: tmp_path)
    monkeypatch.setattr(bench, "measure_cold", lambda name, folder: row)
    answer = cli("bench", "W9-snn", "--json", tmp_path / "b.json")
    assert (answer.code, answer.err) == (0, "")
    line = answer.out.splitlines()[1]
    assert line.split(maxsplit=1)[1] == (
        "total 9.0 s, import 1.0 s, data 1.0 s, compile 3.0 s, training 4.0 s; "
        "goal not reached: 62.50 % after 2 epochs; peak 5 MB"
    )
    assert bench.load(tmp_path / "b.json")["rows"]["W9-snn"] == row


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("S3",), "unknown workload 'S3': choose from S1, S2-forward, W9-snn, W9-cnn"),
        (("S1", "--repeats", 0), "--repeats must be >= 1, got 0"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_timed(one_line, tiny, args, message):
    assert one_line("bench", *args) == (2, message)


@pytest.mark.parametrize("option", ["--json", "--figure"])
def test_a_file_in_no_folder_is_refused_before_anything_is_timed(cli, tiny, tmp_path, option):
    file = tmp_path / "none" / "x.svg"
    answer = cli("bench", "S1", option, file)
    wanted = f"jaxdigits: cannot write {file}: there is no folder {file.parent}\n"
    assert answer == (2, "", wanted)


def test_a_figure_of_an_unknown_kind_is_refused_before_anything_is_timed(
    one_line, tiny, tmp_path
):
    file = tmp_path / "x.gif2"
    message = f"cannot draw {file}: name it .png, .svg or .pdf"
    assert one_line("bench", "S1", "--figure", file) == (2, message)


def test_without_steps_there_is_no_figure(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path))
    file = tmp_path / "x.png"
    answer = cli("bench", "W9-cnn", "--data-dir", tmp_path, "--figure", file)
    assert f"W9-cnn         skipped: no MNIST in {tmp_path}" in answer.out
    assert answer.out.endswith("no steps: no figure\n")
    assert not file.exists()


def test_files_to_compare_with_are_read_first(one_line, tiny, tmp_path):
    other = tmp_path / "other.json"
    assert one_line("bench", "--compare", other) == (1, f"{other}: No such file or directory")
    other.write_text('{"schema": "jaxdigits-bench", "version": 0}')
    code, line = one_line("bench", "--compare", other)
    assert (code, line.split("; ")[0]) == (2, f"{other} has schema version 0")


def test_help_says_what_is_measured(cli):
    answer = cli("bench", "--help")
    assert (answer.code, answer.err) == (0, "")
    for word in ("--repeats", "--json", "--compare", "--figure", "--data-dir", "floor", "W9"):
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
        assert os.environ["JAX_PLATFORMS"] == here  # for W9, which is another process
    finally:
        jax.config.update("jax_platforms", before)
