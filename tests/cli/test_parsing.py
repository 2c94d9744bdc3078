"""What the parser does not understand: one line that says what, and what to do."""

import pytest

from jaxdigits.cli.parsing import in_a_line

COMMANDS = "train, evaluate, predict, plot, check, bench, info"
NETWORKS = "'mlp', 'cnn', 'snn', 'conv_snn', 'event_snn', 'multimodal'"
SAID = {
    "": f"Expected one of {{{COMMANDS}}}; `jaxdigits --help` tells more",
    "learn": f"Unrecognized options: learn; available subcommands: {COMMANDS}; "
             "`jaxdigits --help` tells more",
    "evaluate": "Missing from jaxdigits evaluate: PATH Folder of a run, as `train` printed it. "
                "(required); `jaxdigits evaluate --help` tells more",
    "train perceptron": "invalid choice 'perceptron' for argument 'network'. Expected one of "
                        f"({NETWORKS}); `jaxdigits train --help` tells more",
    "train --lr no --json": "--lr takes FLOAT, got 'no'; `jaxdigits train --help` tells more",
    "train --seed=1.5": "--seed takes INT, got '1.5'; `jaxdigits train --help` tells more",
    "train --weight_decay 0.1 --weight_decay x": "--weight-decay takes FLOAT, got 'x'; "
                                                 "`jaxdigits train --help` tells more",
    "train mlp --hidden a b": "--hidden takes INT [INT ...], got 'a b'; "
                              "`jaxdigits train --help` tells more",
    "train --lr": "Missing value for argument '--lr'. Expected 1 values; "
                  "`jaxdigits train --help` tells more",
    "train --hiden 4": "Unrecognized options: --hiden, 4; perhaps --hidden; "
                       "`jaxdigits train --help` tells more",
}  # fmt: skip


@pytest.mark.parametrize("args", SAID)
@pytest.mark.parametrize("boxes", [False, True])  # of lines, where the terminal has them
def test_what_is_not_understood_is_a_line_and_exit_code_2(one_line, monkeypatch, args, boxes):
    monkeypatch.setattr("tyro._fmtlib._FORCE_UTF8_BOXES", boxes, raising=False)
    assert one_line(*args.split()) == (2, SAID[args])


@pytest.mark.parametrize(
    "args", ["--data letters", "mlp --colour red", "--learn reset", "--reset half"]
)
def test_so_are_other_mistakes(one_line, args):
    assert one_line("train", *args.split())[0] == 2


def test_what_is_in_no_box_is_said_as_it_is():
    assert in_a_line("Error: of\nanother  kind\n", []) == "Error: of another kind"
