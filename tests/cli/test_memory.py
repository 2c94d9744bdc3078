"""`jaxdigits train` in less memory: microbatches, mixed precision, storage, recomputation."""

import pytest

from jaxdigits.cli.train import Train


def test_what_saves_memory_reaches_the_configuration():
    saving = dict(precision="mixed", storage="bit", recompute=True)
    config = Train("snn", microbatch=8, **saving).config()
    assert config.microbatch == 8
    assert config.options == saving
    assert Train("snn").config().microbatch is None


def test_training_that_saves_memory_is_a_run_like_any_other(cli, tmp_path):
    saving = ("--microbatch", 16, "--precision", "mixed", "--storage", "bit", "--recompute")
    args = ("--hidden", 8, "--steps", 4, "--epochs", 1, "--out", tmp_path / "run")
    answer = cli("train", "snn", *args, *saving, "--json")
    assert answer.code == 0, answer.err
    accuracy = answer.json()["test_accuracy"]
    again = cli("evaluate", tmp_path / "run", "--json")
    assert again.json()["test_accuracy"] == pytest.approx(accuracy)


REFUSED = """
--microbatch 0          | microbatch must divide the batch, 64, got 0
--microbatch 48         | microbatch must divide the batch, 64, got 48
--microbatch 16 --norm batch | microbatch is not for batch norm, which takes a batch as a
--precision half        | precision must be one of full, mixed, got 'half'
--storage bit           | mlp has no option 'storage'; it has hidden
--recompute             | mlp has no option 'recompute'; it has hidden
snn --storage nibble    | storage must be one of full, byte, bit, got 'nibble'
snn --recompute --gradient eprop | recompute and storage are for backpropagation
snn --storage bit --gradient eprop | recompute and storage are for backpropagation
"""


@pytest.mark.parametrize("case", REFUSED.strip().splitlines())
def test_what_does_not_go_together_is_one_line_and_leaves_no_folder(one_line, tmp_path, case):
    line, message = (part.strip() for part in case.split("|"))
    args = line.split()
    network = [] if args[0] == "snn" else ["mlp"]
    code, said = one_line("train", *network, *args, "--out", tmp_path / "run")
    assert code == 2
    assert said.startswith(message)
    assert not (tmp_path / "run").exists()
