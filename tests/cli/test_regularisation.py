"""`jaxdigits train` against overfitting: augmentation, scales, a price on spikes."""

import pytest

from jaxdigits.cli.train import Train


def test_what_is_given_reaches_the_configuration():
    options = dict(rate_penalty=0.5, rate_target=0.1)
    config = Train("snn", augment="robust", **options).config()
    assert config.augment == "robust"
    assert config.options == options
    assert Train("cnn", scale="image").config().options == {"scale": "image"}
    assert Train("mlp", adversarial=0.25).config().adversarial == 0.25
    assert Train("snn").config().augment is None
    assert Train("snn", augment="none").config().augment is None


@pytest.mark.parametrize(
    ("network", "options"),
    [("mlp", ("--augment", "elastic", "--scale", "image")),
     ("conv_snn", ("--adversarial", 0.1, "--steps", 2, "--channels", 2, 4)),
     ("snn", ("--augment", "shift", "--rate-penalty", 2, "--rate-target", 0.05, "--steps", 4))],
)  # fmt: skip
def test_it_is_a_run_like_any_other(cli, tmp_path, network, options):
    args = ("--epochs", 1, "--out", tmp_path / "run")
    options += ("--hidden", 8) if network != "conv_snn" else ()
    answer = cli("train", network, *args, *options, "--json")
    assert answer.code == 0, answer.err
    again = cli("evaluate", tmp_path / "run", "--json")
    assert again.json()["test_accuracy"] == pytest.approx(answer.json()["test_accuracy"])


REFUSED = """
mlp --augment wobble         | unknown augmentation 'wobble': choose from shift, affine
mlp --adversarial 2          | adversarial must be in [0, 1], got 2.0
event_snn --adversarial 0.1  | adversarial is for mlp, cnn, snn, conv_snn, and the
snn --adversarial 0.1 --gradient eprop | adversarial is for mlp, cnn, snn, conv_snn, and the
mlp --scale digit            | scale must be one of ('data', 'image'), got 'digit'
snn --scale image            | snn of lif has no option 'scale'; it has hidden
conv_snn --scale image --encoder rate | only a direct input has a scale
mlp --rate-penalty 1         | mlp has no option 'rate_penalty'; it has hidden
snn --rate-penalty -1        | a rate penalty and its target must be finite and >= 0, got -1.0
snn --rate-penalty 1 --rate-target -1 | a rate penalty and its target must be finite
snn --rate-penalty inf       | a rate penalty and its target must be finite and >= 0, got inf
snn --rate-target 0.1        | rate_target is for a rate_penalty, and there is none: got 0.1
snn --rate-penalty 1 --gradient eprop | rate_penalty is for backpropagation
"""


@pytest.mark.parametrize("case", REFUSED.strip().splitlines())
def test_what_cannot_be_is_one_line_and_leaves_no_folder(one_line, tmp_path, case):
    line, message = (part.strip() for part in case.split("|"))
    code, said = one_line("train", *line.split(), "--out", tmp_path / "run")
    assert code == 2
    assert said.startswith(message)
    assert not (tmp_path / "run").exists()
