"""What a run's folder says, and what is no record of a run."""

import json

import pytest

from jaxdigits.plots.record import Record, facts, read_record, tables
from jaxdigits.runs import RunError

CONFIG = dict(network="mlp", data="digits", seeds=2, epochs=3, gradient="by_hand",
              ema=None, options={"hidden": [8, 8]})  # fmt: skip
HEAD = dict(format=1, versions={"jax": "0.1"}, device="cpu", config=CONFIG)
ROW = dict(epoch=1, loss=[0.5, 0.25], valid_loss=1.0, valid_accuracy=0.9)
RESULT = dict(test_accuracy=0.98765, test_interval=[0.9, 1.0], interval_over="seeds",
              parameters=12345, seconds=7.4, best_epoch=[2, 2])  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(HEAD))
    (tmp_path / "metrics.jsonl").write_text(f"{json.dumps(ROW)}\n" * 2)
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    return tmp_path


def test_a_record_is_what_the_files_say(folder):
    assert read_record(folder) == Record(HEAD, [ROW, ROW], RESULT)


def test_a_run_that_was_stopped_early_has_less_to_say(folder):
    (folder / "metrics.jsonl").unlink()
    (folder / "result.json").unlink()
    record = read_record(folder)
    assert record == Record(HEAD, (), {})
    assert facts(record) == {"networks": "2", "epochs": "0 of 3", "gradient": "by_hand"}
    assert list(tables(record)) == ["Configuration", "Environment"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("metrics.jsonl", "{", "Expecting property name"),
        ("metrics.jsonl", '{"loss": 1, "valid_loss": 1}', "line 1 has no 'valid_accuracy'"),
        ("metrics.jsonl", "[1]", "it is not a JSON object"),
        ("result.json", "", "Expecting value"),
        ("result.json", '{"test_accuracy": 1}', "it has no 'test_interval'"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(folder, name, text, said):
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(RunError) as caught:
        read_record(folder)
    assert str(caught.value).startswith(f"{folder / name} cannot be used: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_facts_are_in_words(folder):
    assert facts(read_record(folder)) == {
        "networks": "2",
        "test accuracy": "98.77 %",
        "95 % interval over seeds": "90.00–100.00 %",
        "parameters": "12,345",
        "training": "7 s",
        "epochs": "2 of 3",
        "gradient": "by_hand",
    }


def test_the_tables_have_all_settings_and_every_epoch(folder):
    found = tables(read_record(folder))
    metrics, settings = found["Metrics of each epoch"], found["Configuration"]
    assert metrics[0] == ["epoch", "loss", "valid loss", "valid accuracy"]
    assert metrics[1:] == [["1", "0.5 0.25", "1", "0.9"]] * 2
    assert ["mlp: hidden", "8 8"] in settings
    assert ["ema", "none"] in settings
    assert ["jax", "0.1"] in found["Environment"]


def test_what_only_some_epochs_have_is_in_the_table(folder):
    record = read_record(folder)
    first, second = record.history
    record = record._replace(history=[first, second | {"warnings": {"dead": "all"}}])
    head, *rows = tables(record)["Metrics of each epoch"]
    assert head[-1] == "warnings"
    assert [row[-1] for row in rows] == ["none", "dead all"]
