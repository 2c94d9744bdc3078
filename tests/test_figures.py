"""The figures in the documents are those that the experiments wrote."""

import json
import runpy
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxdigits.augment import AUGMENTS
from jaxdigits.bench import WORKLOADS
from jaxdigits.measure import cost
from jaxdigits.train.members import take_turns

ROOT = Path(__file__).parent.parent
EXPERIMENTS = ROOT / "experiments"

# (experiment, page): the experiment's function of its results that returns tables.
TABLES = {
    ("accelerator", "accelerators"): "tables",
    ("accuracy", "results"): "table",
    ("augmentation", "augmentation"): "table",
    ("box", "pictures"): "table",
    ("cluster", "many-devices"): "table",
    ("core", "results"): "table",
    ("devices", "many-devices"): "tables",
    ("fields", "fields"): "tables",
    ("growth", "benchmark"): "tables",
    ("ladder", "results"): "table",
    ("learning_rules", "learning-rules"): "table",
    ("members", "many-devices"): "table",
    ("one_row", "benchmark"): "table",
    ("page", "page"): "tables",
    ("pictures", "pictures"): "table",
    ("preparing", "pictures"): "table",
    ("reliability", "resuming"): "table",
    ("robustness", "results"): "table",
    ("search", "search"): "tables",
    ("segmentation", "fields"): "table",
    ("signatures", "signatures"): "tables",
    ("tutorials", "results"): "table",
    ("xla_flags", "benchmark"): "table",
}


@pytest.fixture
def experiment(monkeypatch):
    """A function of a script's name: its names, and its results where it has any."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # absent.py sets both for itself
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")

    def load(name: str) -> tuple[dict[str, Any], Any]:
        results = EXPERIMENTS / f"{name}.json"
        found = json.loads(results.read_text()) if results.exists() else None
        return runpy.run_path(str(EXPERIMENTS / f"{name}.py")), found

    return load


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def words(text: str) -> str:
    return " ".join(text.split())


def parts(tables: str | list[str]) -> list[str]:
    """The tables of an experiment, one by one."""
    return tables.split("\n\n") if isinstance(tables, str) else tables


@pytest.mark.parametrize(("name", "where"), TABLES)
def test_the_tables_of_a_page_are_those_of_its_experiment(name, where, experiment):
    script, results = experiment(name)
    shown = parts(script[TABLES[name, where]](results))
    assert len(shown) >= {"page": 2, "signatures": 2}.get(name, 1)
    assert all(shown)
    assert all(page(where).count(table) == 1 for table in shown)


@pytest.mark.parametrize(
    ("name", "where", "rows"),
    [
        ("core", "results", lambda r: r.values()),
        ("learning_rules", "learning-rules", lambda r: r["run"].values()),
        ("tutorials", "results", lambda r: r.values()),
        ("robustness", "results", lambda r: r.values()),
        ("reliability", "resuming", lambda r: r.values()),
        ("accuracy", "results", lambda r: [row for of in r.values() for row in of.values()]),
        ("ladder", "results", lambda r: [row for of in r.values() for row in of.values()]),
    ],
)
def test_a_page_names_the_machines_of_its_figures(name, where, rows, experiment):
    _, results = experiment(name)
    assert all(row["machine"] in page(where) for row in rows(results))


@pytest.mark.parametrize(
    ("name", "expected", "found"),
    [
        ("core", lambda s: set(s["COMMANDS"]), set),
        ("learning_rules", lambda s: set(s["RULES"]), lambda r: {*r["run"], *r["same"]}),
        ("tutorials", lambda s: set(s["TUTORIALS"]), set),
        ("augmentation", lambda s: set(AUGMENTS), lambda r: set(r["recipes"])),
    ],
)
def test_an_experiment_left_nothing_out(
    name: str, expected: Callable, found: Callable, experiment
):
    script, results = experiment(name)
    assert found(results) == expected(script)


def test_the_results_of_networks_for_chips_are_those_of_the_experiment(experiment):
    chips, results = experiment("neuromorphic")
    assert chips["table"](results, chips["Plan"]()) in page("quantisation")
    assert chips["table_of_exports"](results) in page("quantisation")


def test_an_epoch_of_an_accelerator_is_that_of_its_results(experiment):
    _, results = experiment("accelerator")
    assert results["machine"]["device"] in page("accelerators")
    text, rows = words(page("accelerators")), results["parts"]
    assert f"took {rows['epoch']['snn']['median']:.3f} s" in text
    for name, goal in {"W9-snn": "98 %", "W9-cnn": "99 %"}.items():
        cold = rows["cold"][name]
        assert f"{cold['cold_seconds']['total']:.1f} s" in text
        assert f"{len(cold['valid_accuracies'])} epochs to {goal}" in text


def test_the_programs_for_absent_chips_are_those_of_the_experiment(experiment):
    script, results = experiment("absent")
    assert script["table"](results) in page("accelerators")


def test_the_tables_of_the_benchmark_are_those_of_its_results(experiment, monkeypatch):
    monkeypatch.syspath_prepend(EXPERIMENTS / "benchmark")
    names = ("bench", "results", "limits", "newest")
    bench, *peers = (
        json.loads((EXPERIMENTS / "benchmark" / f"{name}.json").read_text()) for name in names
    )
    assert set(bench["rows"]) == {*WORKLOADS, *experiment("benchmark/cold")[0]["GOALS"]}
    specs = set(experiment("benchmark/specs")[0]["SPECS"])
    assert all(set(each["rows"]) == specs for each in peers)
    of_speed = experiment("speed")[0]["table"]()
    tables = experiment("benchmark/table")[0]["tables"](bench, *peers)
    shown = parts(f"{tables}\n\n{of_speed}")
    assert len(shown) == 3 + 3 + 2 + 2 + 4
    assert all(page("benchmark").count(part) >= shown.count(part) for part in shown)


def test_the_readers_by_cuts_and_by_columns_are_those_of_their_experiment(experiment):
    script, results = experiment("segmentation")
    text = words(page("fields"))
    for row in results["train"].values():
        assert f"{row['parameters']:,} parameters and saw its" in text
        assert f"{row['passes']:.1f} times" in text
        assert row["seconds"] == pytest.approx(script["SECONDS"], rel=0.02)
    free, touching = (
        100 * results["test"][style]["each digit has a segment"][0]
        for style in ("free", "touching")
    )
    assert f"{free:.1f} % of the free fields, and in {touching:.1f} %" in text


def test_devices_draw_the_same_and_train_alike(experiment):
    _, results = experiment("devices")
    rows = [row for of in results["devices"].values() for row in of.values()]
    assert all(row["same_draws"] for row in rows)
    assert all(row["params_apart"] <= 0.2 * row["largest_param"] for row in rows)
    assert all(row["loss_apart"] <= 0.002 for row in rows)
    exact = results["float64"].values()
    assert all(row["params_apart"] <= 1e-12 * row["largest_param"] for row in exact)


def test_the_way_of_members_is_that_of_its_experiment(experiment):
    script, results = experiment("members")
    for name, build in script["NETWORKS"].items():
        row = results["networks"][name]["processor"]
        together, in_turn = (row[way][1] for way in ("together", "in turn"))
        assert take_turns(None, build()) == (together > 1.5 * in_turn), name


def test_the_error_of_a_robust_network_is_that_of_the_experiment(experiment):
    script, results = experiment("robustness")
    assert set(results) <= set(script["NETWORKS"])
    robust = script["by_kind"](results["CNN, robust"]["errors"], script["MIDDLE"])
    assert f"its mean error is {100 * robust['all']:.1f} %" in page("results")


def test_what_two_senses_come_to_is_that_of_the_experiment(experiment):
    script, _ = experiment("two_senses_tables")
    results = json.loads((EXPERIMENTS / "two_senses.json").read_text())
    text = page("multimodal")
    for table in ("table", "speakers_table", "noise_table"):
        assert script[table](results) in text
    assert all(claim in words(text) for claim in script["claims"](results))
    rows = [row for by_seed in results["arms"].values() for row in by_seed.values()]
    rows += [row for by_name in results["speakers"].values() for row in by_name.values()]
    assert all(row["machine"] in text for row in rows)


def test_the_accuracies_of_the_readme_are_those_of_the_experiment(experiment):
    script, results = experiment("accuracy")
    text = words((ROOT / "README.md").read_text())
    for name in ("MLP, augmented", "SNN, augmented"):
        mean = statistics.mean(row["test"] for row in results[name].values())
        assert f"{100 * mean:.2f} % for a" in text
    for name, seeds in results.items():
        assert len(seeds) <= script["RECIPES"][name].seeds


def test_no_reader_of_files_failed():
    rows = json.loads((EXPERIMENTS / "fuzz.json").read_text())["readers"].values()
    assert f"{sum(row['inputs'] for row in rows):,} spoiled files" in page("untrusted-files")
    assert all(row["read"] + row["refused"] == row["inputs"] for row in rows)
    assert not any(row["slow"] + row["over_1_GB"] + row["not_one_line"] for row in rows)


def test_each_comparison_is_in_the_results(experiment):
    script, answers = experiment("comparisons")
    text = page("results")
    assert {"normalisation of a CNN", "normalisation of an SNN"} <= set(answers)
    for question, rows in answers.items():
        assert set(rows) == set(script["QUESTIONS"][question].variants)
        assert script["table"](answers, question) in text
        assert all(row["machine"] in text for seeds in rows.values() for row in seeds)
    script, rungs = experiment("ladder")
    assert {network: set(sizes) for network, sizes in rungs.items()} == {
        network: set(script["rungs"](network)) for network in script["SIZES"]
    }


def test_each_recipe_and_each_comparison_is_a_network_that_can_be_built(experiment):
    accuracy, comparisons, ladder = (
        experiment(name)[0] for name in ("accuracy", "comparisons", "ladder")
    )
    config_of = accuracy["config_of"]
    size = lambda config: cost(config.build()(training=True)).parameters
    configs = {
        name: config_of(recipe.network, recipe.settings, 0)
        for name, recipe in accuracy["RECIPES"].items()
    }
    assert size(configs["CNN under 10,000 parameters"]) < 10_000
    assert size(configs["conv SNN, direct"]) < 1_000_000
    assert configs["conv SNN, direct"].options["steps"] <= 8
    for question in comparisons["QUESTIONS"].values():
        for variant in question.variants.values():
            config_of(question.network, question.common | variant, 0)
    for network in ladder["SIZES"]:
        settings = ladder["rungs"](network).values()
        sizes = [size(config_of(network, of, 0)) for of in settings]
        assert sizes == sorted(set(sizes))
