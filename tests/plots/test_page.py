"""A run's record, and its page: one file that fetches nothing, whatever is written in it."""

import json
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from jaxdigits.plots import raster_figure
from jaxdigits.plots.of_network import Drawing
from jaxdigits.plots.page import Record, facts, page, read_record
from jaxdigits.runs import RunError

EVIL = '<script>alert("x")</script>&'
VOID = {"meta", "br", "img", "link"}
CONFIG = dict(network="mlp", data="digits", seeds=2, epochs=3, gradient="by_hand",
              ema=None, options={"hidden": [8, 8]})  # fmt: skip
HEAD = dict(format=1, versions={"jax": "0.1"}, device="cpu", config=CONFIG)
ROW = dict(epoch=1, loss=[0.5, 0.25], valid_loss=1.0, valid_accuracy=0.9)
RESULT = dict(test_accuracy=0.98765, test_interval=[0.9, 1.0], interval_over="seeds",
              parameters=12345, seconds=7.4, best_epoch=[2, 2])  # fmt: skip


class Seen(HTMLParser):
    """Tags, attributes and text of a page, whose tags must close in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def seen():
    drawing = Drawing("raster", f"Spikes {EVIL}", EVIL, raster_figure({"a": np.eye(3)}))
    config = CONFIG | {"network": EVIL, "options": {EVIL: EVIL}}
    head = HEAD | dict(versions={EVIL: EVIL}, device=EVIL, config=config)
    history = [ROW | {EVIL: EVIL, "warnings": [{EVIL: [EVIL]}]}]
    record = Record(head, history, RESULT | {"interval_over": EVIL})
    return Seen(page(EVIL, EVIL, record, [drawing], ([EVIL], [[EVIL]], EVIL)))


def test_all_values_are_text(seen):
    assert "script" not in seen.tags
    assert seen.text.count(EVIL) == 20
    assert seen.tags.count("svg") == 1


def test_it_fetches_nothing(seen):
    assert not {"link", "img", "iframe", "object"} & set(seen.tags)
    for name, value in seen.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:"))
    assert "url(" not in seen.text
    assert "@import" not in seen.text


def test_it_is_made_for_phones_and_for_dark_rooms(seen):
    assert ("content", "width=device-width, initial-scale=1") in seen.attributes
    assert "prefers-color-scheme: dark" in seen.text
    assert ("lang", "en") in seen.attributes


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
    text = page("a run", "its folder", record, [])
    assert text.count("<details>") == 2
    assert "Metrics" not in text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metrics.jsonl", "{", "Expecting property name"),
        ("metrics.jsonl", '{"loss": 1, "valid_loss": 1}', "line 1 has no 'valid_accuracy'"),
        ("metrics.jsonl", "[1]", "it is not a JSON object"),
        ("result.json", "", "Expecting value"),
        ("result.json", '{"test_accuracy": 1}', "it has no 'test_interval'"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(folder, name, text, message):
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(RunError) as caught:
        read_record(folder)
    assert str(caught.value).startswith(f"{folder / name} cannot be used: ")
    assert message in str(caught.value)
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


def test_a_run_that_nothing_trained_has_no_time_of_training(folder):
    record = read_record(folder)._replace(result=dict(list(RESULT.items())[:3]))
    assert "training" not in facts(record)
    assert facts(record)["test accuracy"] == "98.77 %"


def rows_of(record):
    text = page("a run", "its folder", record, [])
    rows = [line for line in text.splitlines() if line.startswith(("<tr>", "<thead>"))]
    cells = [Seen(row.replace("</t", "|</t")).text.split("|") for row in rows]
    return [[cell for cell in row if cell] for row in cells], text


def test_the_page_has_all_settings_and_every_epoch(folder):
    rows, text = rows_of(read_record(folder))
    assert rows[0] == ["epoch", "loss", "valid loss", "valid accuracy"]
    assert rows[1:3] == [["1", "0.5 0.25", "1", "0.9"]] * 2
    for row in (["mlp: hidden", "8 8"], ["ema", "none"], ["jax", "0.1"], ["device", "cpu"]):
        assert row in rows
    assert text.startswith("<!doctype html>")


def test_values_of_only_some_epochs_are_in_the_page(folder):
    record = read_record(folder)
    first, second = record.history
    record = record._replace(history=[first, second | {"warnings": {"dead": "all"}}])
    (head, *rows), _ = rows_of(record)
    assert head[-1] == "warnings"
    assert [row[-1] for row in rows[:2]] == ["none", "dead all"]


def test_without_jinja2_the_error_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r'jinja2: pip install "jaxdigits\[plots\]"'):
        page("", "", read_record(folder), [])
