"""The program as a whole: help, exit codes, `check`, and the real thing in a process."""

import json
import subprocess
import sys

import jax.numpy as jnp
import pytest

from jaxdigits.case import Case
from jaxdigits.certificate import CASES
from jaxdigits.layers import relu

HELP = {
    "train": ["--data", "--epochs", "--learning-rate", "--seeds", "--gradient", "--out",
              "--json", "--hidden", "--dropout-rate", "--steps", "--encoder", "--learn"],
    "search": ["--data", "--minutes", "--epochs", "--goal", "--sampler", "--resume", "--hidden",
               "--learning-rate", "low..high"],
    "completion": ["SHELL", "bash"],
    "evaluate": ["--data", "--data-dir", "--figure", "--json"],
    "predict": ["--json", "--max-error", "--csv", "IMAGE"],
    "read": ["FIELD", "--format", "--run", "--max-error", "--csv", "--json"],
    "formats": ["--json"],
    "check": ["--tolerance", "--json"],
    "bench": ["--repeats", "--json", "--compare"],
}  # fmt: skip


@pytest.mark.parametrize("command", HELP)
def test_help_exits_0_and_names_the_options(cli, command):
    answer = cli(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert all(word in answer.out for word in HELP[command])


def test_help_and_version_of_the_program(cli):
    answer = cli("--help")
    assert (answer.code, answer.err) == (0, "")
    assert all(command in answer.out for command in HELP)
    assert cli("--version").out.startswith("jaxdigits 0.")


def test_check_prints_a_row_for_each_variant(cli):
    answer = cli("check", "relu", "cross_entropy")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [
        "relu", "cross_entropy", "cross_entropy,"
    ]  # fmt: skip
    assert lines[-1].startswith("3 checked, 0 disagree; largest relative error ")


def test_check_gives_json_on_the_last_line(cli):
    answer = cli("check", "relu", "--json")
    assert (answer.code, len(answer.out.splitlines())) == (0, 1)
    assert answer.json()["ok"] is True
    assert list(answer.json()["checks"]) == ["relu"]
    assert "1 checked" in answer.err


@pytest.mark.parametrize("wrong", [lambda x: 2 * x, lambda x: x * jnp.nan])
def test_check_exits_1_and_says_which_layer_disagrees(cli, monkeypatch, wrong):
    broken = relu()
    good = broken.backward
    broken = broken._replace(backward=lambda *args: ((), wrong(good(*args)[1])))
    monkeypatch.setitem(CASES, "relu", Case(lambda: broken, (9,)))
    answer = cli("check", "relu", "--json")
    assert answer.code == 1
    assert "DISAGREES: x" in answer.err
    strict = json.loads(answer.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert strict["ok"] is False


def test_an_unknown_check_is_one_line(one_line):
    code, said = one_line("check", "magic")
    assert code == 2
    assert said.startswith("nothing to check is named 'magic'")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("two\n  lines"), 2, "two lines"),
        (OSError(28, "No space left on device", "file"), 1, "file: No space left on device"),
        (OSError(5, "Input/output error"), 1, "output: Input/output error"),
        (RuntimeError("odd"), 1, "RuntimeError: odd (JAXDIGITS_DEBUG=1 shows where)"),
    ],
)
def test_any_error_is_one_line_and_a_code(cli, monkeypatch, error, code, line):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("jaxdigits.certificate.certify", fail)
    answer = cli("check")
    assert (answer.code, answer.err) == (code, f"jaxdigits: {line}\n")


def test_debugging_shows_the_traceback(cli, monkeypatch):
    monkeypatch.setenv("JAXDIGITS_DEBUG", "1")
    with pytest.raises(ValueError, match="nothing to check is named"):
        cli("check", "magic")


LIGHT = [
    ["--help"], ["--version"], ["trian"], ["evaluate", "absent"], ["evaluate", "--help"],
    ["predict", "absent", "a.png"], ["plot", "absent"], ["train", "--resume", "absent"],
    ["read", "--help"], ["formats", "--json"],
]  # fmt: skip


@pytest.mark.parametrize("args", LIGHT, ids=" ".join)
def test_help_and_what_is_not_there_need_no_jax(args):
    program = (
        "import sys; from jaxdigits.cli import run\n"
        "try: code = run(sys.argv[1:])\n"
        "except SystemExit as ended: code = ended.code\n"
        "print('jax' in sys.modules, code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, timeout=60
    )
    code = 0 if "--" in args[-1] else 2 if args == ["trian"] else 1
    assert done.stdout.splitlines()[-1] == f"False {code}", done.stderr
    assert done.stderr.count("\n") == (code > 0)


def spawn(*args, **options):
    command = [sys.executable, "-c", "from jaxdigits.cli import main; main()", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def test_the_program_runs_in_a_process_of_its_own(tmp_path):
    args = ["train", "mlp", "--hidden", "8", "--epochs", "1", "--json"]
    done = spawn(*args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert 0 <= result["test_accuracy"] <= 1
    assert (tmp_path / result["run"] / "params.npz").is_file()
    assert "epoch 1/1  loss " in done.stderr


def test_an_error_in_a_process_of_its_own_is_one_line_and_its_code(tmp_path):
    done = spawn("evaluate", "absent", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("jaxdigits: absent: no such folder")
    assert done.stderr.count("\n") == 1
