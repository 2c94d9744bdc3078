"""`jaxdigits train`."""

import datetime
import shlex
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from jaxdigits.cli.events import Events
from jaxdigits.cli.neurons import Neurons
from jaxdigits.cli.options import NETWORKS_OWN, Float, Folder, Int, Ints, Name, default, given
from jaxdigits.cli.processes import Processes, is_first
from jaxdigits.cli.report import (
    epoch_reporter,
    percent,
    report_to,
    say,
    say_json,
    say_note,
    tensorboard,
)
from jaxdigits.cli.senses import Senses
from jaxdigits.cli.stopping import stopping
from jaxdigits.data import DATASETS, mnist

OPTIONS = (
    "hidden", "channels", "kernel", "activation", "norm", "pool", "scale", "dropout_rate",
    "input_dropout", "input_noise", "hidden_noise", "steps", "encoder", "surrogate", "readout",
    "precision", "storage", "recompute", "rate_penalty", "rate_target",
)  # fmt: skip
ALSO_RESUMED = ("resume", "json", "data_dir", "keep", "tensorboard", "machines")


@dataclass(frozen=True)
class Train:
    """Train a network, choose its epoch on validation data, and test it once.

    Without arguments: a spiking network on the built-in digits, in under a minute. What is
    not given has a default for the network and the data; an option that the network does not
    have is refused.

      $ jaxdigits train
      $ jaxdigits train mlp --data mnist --seeds 8
      $ jaxdigits train cnn --data mnist --augment elastic --out runs/cnn
      $ jaxdigits train snn --gradient eprop_random --hidden 256

    What comes out is a folder, for `evaluate`, `predict` and `plot`: config.json, metrics.jsonl
    with a line an epoch, params.npz of the best epoch, and result.json with the test accuracy.
    """

    network: Positional[Literal["mlp", "cnn", "snn", "conv_snn", "event_snn", "multimodal"]] = (
        "snn"
    )
    """Which network."""
    data: Literal["digits", "mnist", "digits+fsdd", "mnist+fsdd"] = "digits"
    """digits: 1,797 real ones that come along. mnist: from --data-dir, JAXDIGITS_DATA, the
    cache, or downloaded (11 MB). +fsdd: each heard too, for multimodal: 3,000 recordings from
    JAXDIGITS_DATA, the cache, or downloaded (16 MB)."""
    data_dir: Folder = None
    """Folder with MNIST's four files."""
    epochs: Int = None
    """Passes over the training set."""
    batch: Int = None
    """Examples per step."""
    lr: Float = None
    """Peak learning rate of AdamW."""
    weight_decay: Float = None
    """Weight decay of AdamW, on weights only."""
    schedule: Name = None
    """Of the learning rate: cosine, after a short warm-up; one_cycle; or constant."""
    smoothing: Float = None
    """Label smoothing of the cross-entropy, 0 to 1."""
    ema: Float = None
    """Decay of the average of the weights that is kept; 0 keeps the weights themselves."""
    augment: Annotated[str | None, default("none; multimodal: noisy", "NAME")] = None
    """Train on other images of the same digits, made anew in each step: shift, affine, elastic
    (affine and elastic), noisy (elastic, and some in noise), or robust (moved further, in other
    light, on other paper, with blots)."""
    adversarial: Float = None
    """By how much pixels, in [0, 1], are changed in training to mislead the network; 0.1 to
    0.25 is usual."""
    patience: Annotated[int | None, default("never", "INT")] = None
    """Stop after so many epochs without a better one: a higher validation accuracy, or the same
    at a lower loss."""
    microbatch: Annotated[int | None, default("what is quick here", "INT")] = None
    """Examples that a step takes at a time: the same gradient in less memory."""
    seed: int = 0
    """All randomness comes from it."""
    seeds: int = 1
    """Train so many networks, with seed, seed + 1, ..., in one compiled program."""
    gradient: Annotated[str, arg(metavar="NAME")] = "by_hand"
    """by_hand, by_autodiff (jax.grad of the same network), or a learning rule: bptt, eprop,
    eprop_random, eprop_adaptive, eprop_online, ottt, ottt_online, feedback, drtp, forward,
    rtrl; eventprop for event_snn."""
    out: Folder = None
    """Folder of the run; by default a new one in runs/."""
    resume: Folder = None
    """Go on with the run in this folder, as it was configured, from its newest checkpoint: what
    comes of it is what would have come without the stop, bit for bit."""
    steps_per_save: Annotated[int | None, default("after each epoch", "INT")] = None
    """Save after each so many steps of an epoch too."""
    keep: int = 2
    """So many checkpoints are kept, besides the best network, until the result is there."""
    tensorboard: bool = False
    """Write the metrics for TensorBoard too, into the run's folder."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    hidden: Ints = None
    """Neurons of each hidden layer."""
    channels: Ints = None
    """cnn, conv_snn: channels of each convolution."""
    kernel: Int = None
    """cnn, conv_snn: size of the kernels."""
    activation: Name = None
    """mlp, cnn: relu, leaky_relu, gelu or tanh."""
    norm: Name = None
    """none, batch, layer or group normalisation, before each activation or neuron."""
    pool: Name = None
    """cnn, conv_snn: max or average pooling."""
    scale: Name = None
    """mlp, cnn, conv_snn: how pixels are scaled: data, all alike, or image, each by itself."""
    dropout_rate: Annotated[float | None, default(NETWORKS_OWN, "FLOAT", name="dropout")] = None
    """Share of units absent in training."""
    input_dropout: Float = None
    """mlp: share of pixels that are grey in training."""
    input_noise: Float = None
    """mlp: deviation of the noise of standardised pixels in training."""
    hidden_noise: Float = None
    """mlp: deviation of the noise before each activation in training."""
    steps: Int = None
    """snn, conv_snn, multimodal: time steps. event_snn: steps of the latency code."""
    encoder: Name = None
    """snn, conv_snn: rate, direct or latency: how pixels become spikes or currents."""
    surrogate: Name = None
    """snn, conv_snn, multimodal: slope at the threshold: fast_sigmoid, arctan, triangle or
    sigmoid."""
    readout: Name = None
    """snn, conv_snn, multimodal: mean, max or last of the output's membrane potential."""
    precision: Name = None
    """full, or mixed: products of numbers rounded to bfloat16. Not event_snn."""
    storage: Name = None
    """snn, conv_snn: full, byte or bit: how spikes are kept for the backward pass."""
    recompute: bool = False
    """snn: draw the encoder's spikes again in the backward pass, rather than keep them."""
    rate_penalty: Float = None
    """snn, conv_snn, multimodal: what the squared firing rates of hidden neurons cost, in the
    loss. Not with a learning rule."""
    rate_target: Float = None
    """snn, conv_snn, multimodal: with --rate-penalty, the rate that is free, in spikes per
    step."""
    senses: OmitArgPrefixes[Senses] = field(default_factory=Senses)
    neurons: OmitArgPrefixes[Neurons] = field(default_factory=Neurons)
    events: OmitArgPrefixes[Events] = field(default_factory=Events)
    machines: OmitArgPrefixes[Processes] = field(default_factory=Processes)

    def run(self) -> int:
        """Train, and print what came of it."""
        from jaxdigits.runs.folder import require_empty

        mesh = self.machines.start()
        if self.resume is not None:
            return self._resume(self.resume, mesh)
        config = self.config()
        if self.out is not None and is_first():
            require_empty(self.out)
        self._require_sound()
        train, test = self._data(config)
        folder = self.out or _new_folder(config.network, config.data)
        many = f"{config.seeds} networks " if config.seeds > 1 else ""
        line = f"training {many}{config.network} on {len(train.label)} images of {config.data}"
        if is_first():
            say(line, json_wanted=self.json)
        return self._train(config, train, test, folder, mesh)

    def _resume(self, folder: Path, mesh) -> int:
        from jaxdigits.runs.checkpoint import remove_checkpoints
        from jaxdigits.runs.folder import load_config, read_result

        config = load_config(folder)
        self._require_sound()
        usual = Train(resume=folder)
        names = [f.name for f in fields(self) if f.name not in ALSO_RESUMED]
        for name in names:
            if getattr(self, name) != getattr(usual, name):
                raise ValueError(
                    f"--resume goes on with the run as it was configured: leave out {name!r}"
                )
        if result := read_result(folder):
            say(f"{folder} has its result: there is nothing to resume", json_wanted=self.json)
            remove_checkpoints(folder)
            if self.json:
                say_json(result)
            return 0
        train, test = self._data(config)
        if is_first():
            say(f"resuming {config.network} in {folder}", json_wanted=self.json)
        return self._train(config, train, test, folder, mesh)

    def _train(self, config, train, test, folder: Path, mesh) -> int:
        from jaxdigits.runs.job import Checkpointing, Stopped, run_job

        first = is_first()  # of several processes one speaks for all
        note = say_note if first else lambda line: None
        board = folder / "tensorboard" if self.tensorboard and first else None
        again = f"`jaxdigits train --resume {shlex.quote(str(folder))}` goes on"
        with stopping(note) as stop:
            try:
                with (
                    tensorboard(board) as write,
                    epoch_reporter(config.epochs, self.json, quiet=not first) as show,
                ):
                    files = Checkpointing(self.resume is not None, self.keep, stop.is_set, note)
                    outcome = run_job(
                        config, train, test, folder, report_to([show, write], note),
                        mesh=mesh, checkpointing=files,
                    )  # fmt: skip
            except Stopped as error:
                note(f"stopped {error}: {again}")
                return stop.code()
            except KeyboardInterrupt:
                saved = (folder / "config.json").exists()
                raise KeyboardInterrupt(f": {again}" if saved else "") from None
        if first:
            self._finish(outcome, test, folder)
        return 0

    def _data(self, config):
        if self.data_dir is not None and config.data != "mnist":
            raise ValueError("--data-dir is for --data mnist")
        return mnist(self.data_dir) if config.data == "mnist" else DATASETS[config.data]()

    def _require_sound(self) -> None:
        if self.keep < 1:
            raise ValueError(f"keep must be >= 1, got {self.keep}")

    def config(self):
        """The run's configuration.

        Raises:
          ValueError: for an option that the network does not have, or a value out of range.
        """
        from jaxdigits.runs.config import config_for

        # Not `if v`: a zero was given, and is for the network to take or refuse.
        own = given(self)
        options: dict[str, Any] = {k: own[k] for k in OPTIONS if k in own}
        for group in (self.neurons, self.events, self.senses):
            options |= given(group)
        if options.get("norm") == "none":
            options["norm"] = None
        names = (
            "epochs", "batch", "schedule", "weight_decay", "smoothing", "ema", "microbatch",
            "augment", "adversarial", "patience", "steps_per_save",
        )  # fmt: skip
        settings = {k: own[k] for k in names if k in own}
        if self.lr is not None:
            settings["learning_rate"] = self.lr
        if self.augment == "none":
            settings["augment"] = None
        if self.ema == 0:
            settings["ema"] = None
        settings |= dict(seed=self.seed, seeds=self.seeds, gradient=self.gradient)
        return config_for(self.network, self.data, **settings, options=options)

    def _finish(self, outcome, test, folder: Path) -> None:
        from jaxdigits.measure import score
        from jaxdigits.runs.job import finish_run

        result = score(outcome.logits, test.label)._asdict()
        result |= dict(
            valid_accuracy=outcome.valid_accuracy, best_epoch=outcome.best_epoch,
            parameters=outcome.parameters, seconds=round(outcome.seconds, 2), run=str(folder),
        )  # fmt: skip
        if outcome.diverged:
            result["diverged_seeds"] = list(outcome.diverged)
            say_note(
                f"the loss of seeds {result['diverged_seeds']} became infinite: each counts "
                "with its best epoch, or untrained if it had none"
            )
        finish_run(folder, result)
        low, high = result["test_interval"]
        say(
            f"test accuracy {percent(result['test_accuracy'])}, 95 % interval "
            f"[{percent(low)}, {percent(high)}] over {result['interval_over']}\n"
            f"{outcome.parameters:,} parameters, {outcome.seconds:.1f} s, run in {folder}",
            json_wanted=self.json,
        )
        if self.json:
            say_json(result)


def _new_folder(network: str, data: str) -> Path:
    """runs/snn-digits-20260131-120000, with a number behind it if that is taken."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    base = Path("runs", f"{network}-{data}-{now}")
    others = (base.with_name(f"{base.name}-{i}") for i in range(2, 1000))
    return next(p for p in (base, *others) if not p.exists())
