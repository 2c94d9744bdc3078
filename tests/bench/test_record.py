"""What is written can be read and compared; what is something else is refused by name."""

import json

import pytest

from jaxdigits.bench import load, measure, report
from jaxdigits.runs.plain_files import write_json

FIELDS = {
    "what", "step_seconds", "floor_seconds", "ratio", "samples_per_second", "flops_per_step",
    "flops_per_second", "compile_seconds", "program_bytes", "turns", "floor_parts",
}  # fmt: skip


@pytest.fixture(scope="module")
def result(tiny):
    """A report of two rows."""
    names = ["S1", "S2-backward"]
    return report({name: measure(tiny[name], repeats=2) for name in names}, repeats=2)


def test_a_row_has_every_figure_and_they_agree(result, tiny):
    for name, row in result["rows"].items():
        assert set(row) == FIELDS
        median = row["step_seconds"]["median"]
        assert row["samples_per_second"] * median == pytest.approx(tiny[name].samples)
        assert row["flops_per_second"] * median == pytest.approx(tiny[name].flops)
        turns = row["turns"]
        ratios = sorted(s / f for s, f in zip(turns["step"], turns["floor"], strict=True))
        assert row["ratio"]["median"] == pytest.approx(sum(ratios) / 2)
        for of in ("step_seconds", "floor_seconds", "ratio"):
            assert 0 < row[of]["low"] <= row[of]["median"] <= row[of]["high"]


def test_the_report_says_where_it_was_measured(result):
    assert (result["schema"], result["version"], result["repeats"]) == ("jaxdigits-bench", 1, 2)
    assert set(result["machine"]) >= {"processor", "cores", "load_average", "jax", "device"}


def test_what_is_saved_is_read_again(result, tmp_path):
    write_json(tmp_path / "b.json", result)
    assert load(tmp_path / "b.json") == json.loads(json.dumps(result))


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"schema": "other"}', "\x00"])
def test_a_file_that_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "x").write_text(text)
    with pytest.raises(ValueError, match=r"x is not a result of `jaxdigits bench --json`"):
        load(tmp_path / "x")


def test_another_version_is_refused_by_number(result, tmp_path):
    (tmp_path / "x").write_text(json.dumps(result | {"version": 7}))
    with pytest.raises(ValueError, match="schema version 7, not 1: measure again"):
        load(tmp_path / "x")


@pytest.mark.parametrize("rows", [None, [], {"W1": None}, {"W1": {}}, {"W1": {"ratio": 2}}])
def test_a_report_without_times_is_refused(result, tmp_path, rows):
    (tmp_path / "x").write_text(json.dumps(result | {"rows": rows}))
    with pytest.raises(ValueError, match="x is damaged"):
        load(tmp_path / "x")


def test_rows_of_cold_starts_are_read_too(result, tmp_path):
    rows = {"W9": {"cold_seconds": {"total": 9.0}}}
    write_json(tmp_path / "x", result | {"rows": rows})
    assert load(tmp_path / "x")["rows"] == rows
