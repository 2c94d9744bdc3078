"""`jaxdigits search`: ranges of options, a winner that `predict` knows, and what it refuses."""

import html
import json
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from jaxdigits.cli.search import AUTO, Search
from jaxdigits.cli.train import Train
from jaxdigits.data import digits
from jaxdigits.runs.folder import load_config
from jaxdigits.search.budget import Budget
from jaxdigits.search.space import Choice, Real, Whole
from jaxdigits.search.words import command_of

SMALL = ("--hidden", 8, "--learning-rate", "1e-3..3e-2:log", "--longest", 1, "--epochs", 24)


@pytest.fixture(scope="module")
def searched(cli, tmp_path_factory):
    """(answer, folder) of a search of one rung."""
    folder = tmp_path_factory.mktemp("searched") / "search"
    return cli("search", "mlp", *SMALL, "--out", folder, "--json"), folder


def parsed(line: str) -> Search:
    return Search.parsed(line.split())


def test_a_search_prints_its_four_numbers_and_writes_a_run(searched, cli):
    answer, folder = searched
    assert answer.code == 0, answer.err
    result = answer.json()
    assert result["trials"] == result["member_epochs"] == 24
    assert result["run"] == str(folder / "best")
    lines = answer.err.splitlines()
    assert lines[0].startswith(
        "searching mlp on 958 images (digits), 1,437 in 3 folds to choose, in "
    )
    assert "best" in lines[2]
    assert "24 trials  24 of 24 epochs" in lines[2]
    for text in ("claimed by", "corrected for", "fresh seeds", "test set", "the default"):
        assert text in answer.err
    assert cli("evaluate", folder / "best", "--json").json()["test_accuracy"] == pytest.approx(
        result["test_accuracy"]
    )


def test_the_winner_reads_pictures(searched, cli, tmp_path):
    _, folder = searched
    image = np.asarray(digits()[1].inputs[:1])[0]
    Image.fromarray(255 - image).resize((112, 112)).save(tmp_path / "x.png")
    answer = cli("predict", folder / "best", tmp_path / "x.png", "--json")
    assert answer.code == 0, answer.err


def test_a_report_begins_with_words_and_has_the_command_of_the_winner(searched, cli):
    result, folder = searched[0].json(), searched[1]
    answer = cli("plot", folder, "--json")
    assert answer.code == 0, answer.err
    assert answer.json()["figures"] == ["best", "halving", "slices", "importance"]
    text = (folder / "plots" / "report.html").read_text()
    assert text.count("<svg role=") == 4
    assert "<script" not in text
    assert "24 trials, 24 epochs; the winner: network mlp" in text
    assert text.index("The best of 24 trials looks better") < text.index("<svg role=")
    for number in (result["claimed"], result["corrected"]["value"], result["test_accuracy"]):
        assert f"<dd>{100 * number:.2f} %</dd>" in text
    command = html.unescape(text.split("<pre class=scroll>")[1].split("</pre>")[0])
    assert command.startswith("jaxdigits train mlp --data digits --epochs 1 --learning-rate ")
    assert f"--seed {result['seed']}" in command


def test_the_command_of_the_winner_trains_the_same_network(searched):
    config = load_config(searched[1] / "best")
    assert Train.parsed(shlex.split(command_of(config))[2:]).config() == config


def test_a_finished_search_is_said_to_be_so(searched, cli, one_line):
    _, folder = searched
    answer = cli("search", "--resume", folder)
    assert answer.code == 0
    assert answer.out.startswith(f"{folder} has its result")
    assert one_line("search", "mlp", *SMALL, "--out", folder)[1].startswith(
        f"{folder} has a search: go on with --resume"
    )
    for option in (("--seed", 3), ("--goal", "cost"), ("--host", "1/2"), ("--lanes", 4)):
        text = one_line("search", "--resume", folder, *option)[1]
        assert "leave out its options" in text
    code, text = one_line("evaluate", folder)
    assert code == 1
    assert text == f"{folder} is a search: pass {folder / 'best'}, the run that it chose"


def test_a_lost_clock_costs_no_decision(searched, cli, one_line, tmp_path):
    shutil.copytree(searched[1], folder := tmp_path / "search")
    (folder / "clock.json").unlink()
    (folder / "result.json").unlink()
    before = (folder / "journal.jsonl").read_bytes()
    _, text = one_line("search", "--resume", folder)
    assert text == f"{folder / 'clock.json'} has no budget: pass --minutes or --epochs"
    answer = cli("search", "--resume", folder, "--epochs", 24, "--json")
    assert answer.code == 0, answer.err
    assert (folder / "journal.jsonl").read_bytes() == before


def test_a_search_of_the_journal_goes_on_with_a_larger_budget(searched, cli, tmp_path):
    _, folder = searched
    answer = cli("search", "--resume", folder, "--epochs", 48, "--json")
    assert answer.code == 0, answer.err
    assert answer.json()["trials"] == 48
    assert json.loads((folder / "result.json").read_text())["trials"] == 48


def test_a_resume_without_time_leaves_the_result_as_it_is(searched, cli, one_line, tmp_path):
    shutil.copytree(searched[1], folder := tmp_path / "search")
    text = one_line("search", "--resume", folder, "--minutes", "0.0001")[1]
    assert text.startswith(f"{folder} has used ")
    assert text.endswith(" minutes, and --minutes counts them: pass more")
    place = folder / "result.json"
    result = json.loads(place.read_text())
    winner = next(row for row in result["fresh"] if row["trial"] == result["winner"])
    winner["accuracy"] += [0.5]  # a seed more than the new winner will have
    place.write_text(json.dumps(result))
    best = (folder / "best" / "params.npz").read_bytes()
    answer = cli("search", "--resume", folder, "--epochs", 72, "--json")
    assert answer.json() == result
    assert f"{folder / 'best'} stays" in answer.err
    assert (folder / "best" / "params.npz").read_bytes() == best
    assert json.loads(place.read_text()) == result
    (folder / "best" / "params.npz").unlink()
    answer = cli("search", "--resume", folder, "--epochs", 72, "--json")
    assert answer.code == 0, "a winner that cannot be read does not stay"
    assert (folder / "best" / "params.npz").exists()


def test_options_become_ranges_choices_and_fixed_values():
    command = parsed("snn --steps 4..9 --hidden 16|32,16 --norm none|batch --ema none|0.9 "
                     "--neuron lif|alif --threshold 0.5..1 --recompute true|false "
                     "--batch=32|64")  # fmt: skip
    assert command.entries == {
        "steps": Whole(4, 9), "hidden": Choice((16,), (32, 16)),
        "norm": Choice(None, "batch"), "ema": Choice(None, 0.9),
        "neuron": Choice("lif", "alif"), "threshold": Real(0.5, 1.0),
        "recompute": Choice(True, False), "batch": Choice(32, 64),
    }  # fmt: skip
    mixed = parsed("mlp --input-noise none|0.01..0.3 --seed 4 --dropout-rate 0.1")
    assert mixed.entries == {"input_noise": Choice(0.0, Real(0.01, 0.3))}
    assert mixed.settings == {"seed": 4, "dropout_rate": 0.1}
    assert parsed("").network == AUTO


def test_an_option_of_one_neuron_alone_depends_on_it():
    command = parsed("snn --neuron lif|alif --adaptation 0..1")
    assert command.entries["adaptation"] == Real(0.0, 1.0, when=("neuron", "alif"))


def test_a_space_of_few_images_has_batches_that_fit():
    space = parsed("mlp")._space(90)
    assert space.entries["batch"] == 11
    assert parsed("mlp")._space(600).entries["batch"] == Choice(32, 64)
    own = parsed("mlp --hidden 8|16")
    assert list(own._space(5000).entries) == ["network", "hidden"]
    assert own._space(90).entries["batch"] == 11
    assert Budget(1.0, None).minutes == 1.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mlp --learning-rate 3e-2..1e-4", "the range 0.03..0.0001 is reversed"),
        ("mlp --learning-rate 1..1", "is empty: pass 1.0 as a fixed value"),
        ("mlp --hidden a|b", "--hidden must be a whole number, got 'a'"),
        ("mlp --hiden 8|16", "unknown option --hiden; perhaps --hidden"),
        ("mlp --minutes 1..2", "--minutes takes a single value, got '1..2'"),
        ("mlp --minutes 0", "minutes must be > 0, got 0"),
        ("mlp --minutes -3", "minutes must be > 0, got -3"),
        ("symbols", "symbols is a folder: pass it as --data symbols"),
        ("mlp --minutes 1 --epochs 9", "pass --minutes or --epochs, not both"),
        ("mpl", "network must be one of auto, "),
        ("mlp --input-noise 0..0.3", "input_noise 0..0.3 holds 0"),
        ("mlp --dropout-rate 0.5..1.5", "dropout_rate must be in [0, 1), got 1.5"),
        ("mlp --goal speed", "goal must be one of accuracy, cost, front, got 'speed'"),
        ("--resume nowhere", "nowhere has no journal.jsonl of a search"),
        ("--data ./nowhere", "no such file or folder"),
        ("--steps 5|8", "--steps is an option of snn alone: name the network, as `jaxdigits"),
        ("--input-dropout 0.1", "--input-dropout is an option of mlp alone"),
    ],
)
def test_bad_input_is_refused_in_one_line(one_line, line, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "symbols").mkdir()
    code, text = one_line("search", *line.split())
    assert code in (1, 2)
    assert message in text


def test_a_class_with_few_pictures_is_refused_by_name(one_line, tmp_path):
    train, _ = digits()
    for n in np.flatnonzero(train.label < 2)[:50]:
        home = tmp_path / "marks" / ("up", "down")[train.label[n]]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(train.inputs[n : n + 1])[0]).save(home / f"{n}.png")
    few = sorted((tmp_path / "marks" / "down").iterdir())[12:]
    for path in few:
        path.unlink()
    code, text = one_line("search", "mlp", "--data", tmp_path / "marks", "--epochs", 24)
    assert code == 1
    assert "class 'down' has" in text
    assert "a search needs 20 of each: add some, or take the class out" in text
    code, text = one_line("search", "--data", tmp_path / "marks", "--group-by", "_")
    assert "no '_' in its name, which --group-by _ needs behind the writer" in text
    assert "--host needs --out" in one_line("search", "mlp", "--host", "1/2")[1]
    assert "host must be a number of all" in one_line("search", "mlp", "--host", "3/2")[1]
