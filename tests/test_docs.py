"""What the documents say: their code runs, and their numbers are those of the experiments."""

import json
import re
import runpy
import statistics
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jaxdigits.augment import AUGMENTS
from jaxdigits.bench import WORKLOADS
from jaxdigits.data.cache import places
from jaxdigits.measure import cost
from jaxdigits.reader import FORMATS
from jaxdigits.train.members import take_turns

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [
    "README.md",
    "docs/layers.md",
    "docs/write-a-learning-rule.md",
    "docs/your-own-data.md",
    "docs/search.md",
    "docs/check-your-gradient.md",
    "docs/conventions.md",
    "docs/neuromorphic.md",
    "docs/learning-rules.md",
    "docs/augmentation.md",
    "docs/pictures.md",
    "docs/fields.md",
    "docs/multimodal.md",
    "docs/untrusted-files.md",
    "docs/command-line.md",
    "docs/many-devices.md",
    "docs/resuming.md",
    "docs/exporting.md",
    "docs/coming-from.md",
    "docs/quantisation.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_of_a_page_runs(page, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "page"})
    if page == "README.md":
        printed = capsys.readouterr().out
        assert "ok: True" in printed
        assert float(re.search(r"test accuracy ([\d.]+)%", printed)[1]) > 90


# The notebook's kernel is a process of its own, whose warnings are not this package's.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem
)
def test_notebook_runs_and_prints_what_it_shows(path, monkeypatch):
    if "senses" in path.stem and not any(p.is_dir() for p in places("fsdd/recordings", "fsdd")):
        pytest.skip("the spoken digits are not in JAXDIGITS_DATA")
    for name in ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS"):  # compiled as for a reader
        monkeypatch.delenv(name, raising=False)
    shown, run = (nbformat.read(path, as_version=4) for _ in range(2))
    NotebookClient(run, timeout=120).execute()
    assert _digits(run) == _digits(shown)


def test_the_results_of_the_default_commands_are_those_of_the_experiment():
    core = runpy.run_path(str(ROOT / "experiments" / "core.py"))
    results = json.loads((ROOT / "experiments" / "core.json").read_text())
    page = (ROOT / "docs" / "results.md").read_text()
    assert set(results) == set(core["COMMANDS"])
    assert core["table"](results) in page
    assert all(result["machine"] in page for result in results.values())


def test_the_results_of_the_learning_rules_are_those_of_the_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    rules = runpy.run_path(str(ROOT / "experiments" / "learning_rules.py"))
    results = json.loads((ROOT / "experiments" / "learning_rules.json").read_text())
    page = (ROOT / "docs" / "learning-rules.md").read_text()
    assert set(results["run"]) | set(results["same"]) == set(rules["RULES"])
    assert rules["table"](results) in page
    assert all(result["machine"] in page for result in results["run"].values())


@pytest.mark.parametrize("name", ["page", "signatures"])
def test_the_tables_of_a_page_are_those_of_its_experiment(name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / f"{name}.py"))
    results = json.loads((ROOT / "experiments" / f"{name}.json").read_text())
    tables = experiment["tables"](results)
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert len(tables) == 2
    assert all(table in page for table in tables)


def test_the_results_of_networks_for_chips_are_those_of_the_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    chips = runpy.run_path(str(ROOT / "experiments" / "neuromorphic.py"))
    results = json.loads((ROOT / "experiments" / "neuromorphic.json").read_text())
    page = (ROOT / "docs" / "quantisation.md").read_text()
    assert chips["table"](results, chips["Plan"]()) in page
    assert chips["table_of_exports"](results) in page


def test_the_figures_of_an_accelerator_are_those_of_its_results():
    accelerator = runpy.run_path(str(ROOT / "experiments" / "accelerator.py"))
    results = json.loads((ROOT / "experiments" / "accelerator.json").read_text())
    page = (ROOT / "docs" / "accelerators.md").read_text()
    assert all(table in page for table in accelerator["tables"](results).split("\n\n"))
    assert results["machine"]["device"] in page
    assert f"took {results['parts']['epoch']['snn']['median']:.3f} s" in page


def test_the_figures_of_a_cluster_are_those_of_its_results(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    cluster = runpy.run_path(str(ROOT / "experiments" / "cluster.py"))
    results = json.loads((ROOT / "experiments" / "cluster.json").read_text())
    page = (ROOT / "docs" / "many-devices.md").read_text()
    assert all(table in page for table in cluster["table"](results).split("\n\n"))


def test_the_programs_for_absent_chips_are_those_of_the_experiment(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # the script sets both for itself
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    absent = runpy.run_path(str(ROOT / "experiments" / "absent.py"))
    results = json.loads((ROOT / "experiments" / "absent.json").read_text())
    assert absent["table"](results) in (ROOT / "docs" / "accelerators.md").read_text()


def test_the_tables_of_the_benchmark_are_those_of_its_results(monkeypatch):
    experiments = ROOT / "experiments"
    monkeypatch.syspath_prepend(experiments)
    monkeypatch.syspath_prepend(experiments / "benchmark")
    tables = runpy.run_path(str(experiments / "benchmark" / "table.py"))["tables"]
    specs = runpy.run_path(str(experiments / "benchmark" / "specs.py"))["SPECS"]
    results = "results.json", "bench.json"
    peers, bench = (json.loads((experiments / "benchmark" / r).read_text()) for r in results)
    goals = runpy.run_path(str(experiments / "benchmark" / "cold.py"))["GOALS"]
    assert set(bench["rows"]) == {*WORKLOADS, *goals}
    assert set(peers["rows"]) == set(specs)
    of_speed = runpy.run_path(str(experiments / "speed.py"))["table"]()
    page = (ROOT / "docs" / "benchmark.md").read_text()
    parts = f"{tables(bench, peers)}\n\n{of_speed}".split("\n\n")
    assert len(parts) == 3 + 4 + 4
    for part in parts:
        assert part in page


def test_the_cost_of_augmentation_is_that_of_its_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "augmentation.py"))
    results = json.loads((ROOT / "experiments" / "augmentation.json").read_text())
    page = (ROOT / "docs" / "augmentation.md").read_text()
    assert set(results["recipes"]) == set(AUGMENTS)
    assert experiment["table"](results) in page


def test_what_is_read_of_pictures_is_that_of_its_experiments(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    page = (ROOT / "docs" / "pictures.md").read_text()
    for name in ("pictures", "box", "preparing"):
        experiment = runpy.run_path(str(ROOT / "experiments" / f"{name}.py"))
        results = json.loads((ROOT / "experiments" / f"{name}.json").read_text())
        for part in experiment["table"](results).split("\n\n"):
            assert part in page


def test_what_is_read_of_fields_is_that_of_its_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "fields.py"))
    results = json.loads((ROOT / "experiments" / "fields.json").read_text())
    page = (ROOT / "docs" / "fields.md").read_text()
    for table in ("table", "table_of_promises", "table_of_cheques"):
        assert experiment[table](results) in page


def test_the_readers_by_cuts_and_by_columns_are_those_of_their_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "segmentation.py"))
    results = json.loads((ROOT / "experiments" / "segmentation.json").read_text())
    page = (ROOT / "docs" / "fields.md").read_text()
    assert experiment["table"](results) in page
    words = " ".join(page.split())
    for row in results["train"].values():
        assert f"{row['parameters']:,} parameters and saw its" in words
        assert f"{row['passes']:.1f} times" in words
        assert row["seconds"] == pytest.approx(experiment["SECONDS"], rel=0.02)
    free, touching = (
        results["test"][s]["each digit has a segment"] for s in ("free", "touching")
    )
    assert (
        f"{100 * free[0]:.1f} % of the free fields, and in {100 * touching[0]:.1f} %" in words
    )


def test_the_formats_are_those_of_the_reader():
    page = (ROOT / "docs" / "fields.md").read_text()
    for kind in FORMATS.values():
        assert f"| `{kind.example}` | {kind.text} | {kind.blind} |" in page


def test_what_devices_do_is_that_of_its_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "devices.py"))
    results = json.loads((ROOT / "experiments" / "devices.json").read_text())
    page = (ROOT / "docs" / "many-devices.md").read_text()
    for part in experiment["tables"](results).split("\n\n"):
        assert part in page
    rows = [row for of in results["devices"].values() for row in of.values()]
    assert all(row["same_draws"] for row in rows)
    assert all(row["params_apart"] <= 0.2 * row["largest_param"] for row in rows)
    assert all(row["loss_apart"] <= 0.002 for row in rows)
    exact = results["float64"].values()
    assert all(row["params_apart"] <= 1e-12 * row["largest_param"] for row in exact)


def test_the_way_of_members_is_that_of_its_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "members.py"))
    results = json.loads((ROOT / "experiments" / "members.json").read_text())
    assert experiment["table"](results) in (ROOT / "docs" / "many-devices.md").read_text()
    for name, build in experiment["NETWORKS"].items():
        row = results["networks"][name]["processor"]
        together, in_turn = (row[way][1] for way in ("together", "in turn"))
        assert take_turns(None, build()) == (together > 1.5 * in_turn), name


def test_the_tutorials_of_others_are_those_of_the_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    tutorials = runpy.run_path(str(ROOT / "experiments" / "tutorials.py"))
    results = json.loads((ROOT / "experiments" / "tutorials.json").read_text())
    page = (ROOT / "docs" / "results.md").read_text()
    assert set(results) == set(tutorials["TUTORIALS"])
    assert tutorials["table"](results) in page
    assert all(result["machine"] in page for result in results.values())


def test_the_errors_on_worse_digits_are_those_of_the_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "robustness.py"))
    results = json.loads((ROOT / "experiments" / "robustness.json").read_text())
    page = (ROOT / "docs" / "results.md").read_text()
    assert set(results) <= set(experiment["NETWORKS"])
    assert experiment["table"](results) in page
    assert all(row["machine"] in page for row in results.values())
    robust = experiment["by_kind"](results["CNN, robust"]["errors"], experiment["MIDDLE"])
    assert f"its mean error is {100 * robust['all']:.1f} %" in page


def test_what_two_senses_come_to_is_that_of_the_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "two_senses_tables.py"))
    results = json.loads((ROOT / "experiments" / "two_senses.json").read_text())
    page = (ROOT / "docs" / "multimodal.md").read_text()
    assert experiment["table"](results) in page
    assert experiment["speakers_table"](results) in page
    assert experiment["noise_table"](results) in page
    assert all(claim in " ".join(page.split()) for claim in experiment["claims"](results))
    rows = [row for by_seed in results["arms"].values() for row in by_seed.values()]
    rows += [row for by_name in results["speakers"].values() for row in by_name.values()]
    assert all(row["machine"] in page for row in rows)


def test_the_accuracies_are_those_of_the_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "accuracy.py"))
    results = json.loads((ROOT / "experiments" / "accuracy.json").read_text())
    page = (ROOT / "docs" / "results.md").read_text()
    assert experiment["table"](results) in page
    words = " ".join(README.split())
    for name in ("MLP, augmented", "SNN, augmented"):
        mean = statistics.mean(row["test"] for row in results[name].values())
        assert f"{100 * mean:.2f} % for a" in words
    for name, seeds in results.items():
        assert len(seeds) <= experiment["RECIPES"][name].seeds
        assert all(row["machine"] in page for row in seeds.values())


def test_no_reader_of_files_failed():
    text = (ROOT / "experiments" / "fuzz.json").read_text()
    rows = json.loads(text)["readers"].values()
    page = (ROOT / "docs" / "untrusted-files.md").read_text()
    assert f"{sum(row['inputs'] for row in rows):,} spoiled files" in page
    assert all(row["read"] + row["refused"] == row["inputs"] for row in rows)
    assert not any(row["slow"] + row["over_1_GB"] + row["not_one_line"] for row in rows)


def test_the_limits_of_files_are_those_of_the_readers():
    page = (ROOT / "docs" / "untrusted-files.md").read_text().split("## Spoiled")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    of = lambda name, *limits: [getattr(import_module(f"jaxdigits.{name}"), m) for m in limits]
    limits = {
        "IDX": of("data.idx", "MAX_BYTES"),
        "scikit-learn": of("data.digits", "LARGEST"),
        "PNG": of("data.picture", "MAX_BYTES")
        + of("data.segments", "MAX_PIXELS", "MAX_LENGTH", "SCANS", "MAX_SEGMENTS", "MAX_EXIF"),
        "WAV": of("data.sound", "MAX_BYTES", "MAX_SAMPLES"),
        "N-MNIST": of("data.nmnist", "MAX_FILE", "MAX_FILES"),
        "SHD": of("data.shd", "MAX_FILE", "MAX_RECORDINGS", "MAX_EVENTS"),
        "NIR graph": of("interop.files", "MAX_FILE", "MAX_BYTES")
        + of("interop.graph", "MAX_NODES", "MAX_DEPTH"),
        "`.npz`": of("data.own", "MAX_BYTES"),
        "`config.json`": of("runs.folder", "LARGEST_JSON") + of("options", "LAYERS"),
        "`params.npz`": of("runs.folder", "LARGEST_PARAMS"),
    }
    assert len(rows) == 2 + len(limits)
    for row, (name, values) in zip(rows[2:], limits.items(), strict=True):
        assert row.startswith(f"| {name}")
        assert all(f"{value:,}" in row for value in values), row


def test_the_results_of_reliability_are_those_of_the_experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    experiment = runpy.run_path(str(ROOT / "experiments" / "reliability.py"))
    results = json.loads((ROOT / "experiments" / "reliability.json").read_text())
    page = (ROOT / "docs" / "resuming.md").read_text()
    assert page.count(experiment["table"](results)) == 1
    assert all(result["machine"] in page for result in results.values())


def test_what_is_compared_and_what_sizes_cost_are_those_of_the_experiments(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    page = (ROOT / "docs" / "results.md").read_text()
    load = lambda name: runpy.run_path(str(ROOT / "experiments" / f"{name}.py"))
    results = lambda name: json.loads((ROOT / "experiments" / f"{name}.json").read_text())
    comparisons, answers = load("comparisons"), results("comparisons")
    assert {"normalisation of a CNN", "normalisation of an SNN"} <= set(answers)
    for question, rows in answers.items():
        assert set(rows) == set(comparisons["QUESTIONS"][question].variants)
        assert comparisons["table"](answers, question) in page
        assert all(row["machine"] in page for seeds in rows.values() for row in seeds)
    ladder, rungs = load("ladder"), results("ladder")
    assert {network: set(sizes) for network, sizes in rungs.items()} == {
        network: set(ladder["rungs"](network)) for network in ladder["SIZES"]
    }
    assert ladder["table"](rungs) in page
    assert all(row["machine"] in page for sizes in rungs.values() for row in sizes.values())


def test_each_recipe_and_each_comparison_is_a_network_that_can_be_built(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    load = lambda name: runpy.run_path(str(ROOT / "experiments" / f"{name}.py"))
    accuracy, comparisons, ladder = map(load, ("accuracy", "comparisons", "ladder"))
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


def test_everything_that_a_page_links_to_is_there():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]
    assert {ROOT / page for page in PAGES} < set(pages)
    for page in pages:
        # What Sphinx builds is copied below docs/, from here.
        folder = lambda path: ROOT if path.startswith("notebooks/") else page.parent
        for path, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text()):
            target = folder(path) / path if path else page
            assert target.exists(), f"{page} links to {path}"
            assert not anchor or anchor in _anchors(target), f"{page} links to {path}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """The names that GitHub and the site give to a page's headings."""
    titles = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _digits(notebook) -> list[str]:
    """The percentages and verdicts that a notebook prints; rounding errors may differ."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return re.findall(r"[\d.]+%|True|False", " ".join(o.get("text", "") for o in outputs))
