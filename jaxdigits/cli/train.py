"""`jaxdigits train`: its options are those of a configuration, a network and its neurons."""

import datetime
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from jaxdigits.cli.parser import Folder, make_parser, parse, value_before_parsing
from jaxdigits.cli.processes import Processes, is_first
from jaxdigits.cli.read import BOX
from jaxdigits.cli.report import (
    epoch_reporter,
    percent,
    report_to,
    say,
    say_json,
    say_note,
    tensorboard,
)
from jaxdigits.cli.source import read_data, run_data
from jaxdigits.cli.stopping import stopping
from jaxdigits.errors import require_run
from jaxdigits.options import Bounds, Option, options_of, require_within

NETWORK = "snn"  # that is trained without a name
UPDATES = 8  # of an epoch of one's own data at the least, if there are enough examples
UPDATES_OF_HANDS = 3000  # of a training on one's own signatures, as on those of 60 writers
TEXT = """\
Train a network, choose its epoch on validation data, and test it once.

  $ jaxdigits train                                       snn on digits, half a minute
  $ jaxdigits train mlp --data mnist --seeds 8            mean and interval over eight networks
  $ jaxdigits train cnn --data FOLDER                     your own pictures, a folder per class

Networks: {networks}. These are the options of {network} on {data}{neuron};
defaults stand in brackets."""


@dataclass(frozen=True)
class Train:
    """Train a network, choose its epoch on validation data, and test it once."""

    out: Folder = None
    """folder of the run; by default a new one in runs/"""
    resume: Folder = None
    """continue the run in this folder, to the same bits"""
    start: Folder = None
    """train on from the params of the run in this folder, or of `package`"""
    keep: Annotated[int, Bounds(1)] = 2
    """checkpoints kept until the result is there"""
    data_dir: Folder = None
    """folder with MNIST's files, or your own data that moved"""
    group_by: str | None = None
    """mark behind the writer in a picture's name; a writer is in one part"""
    tensorboard: bool = False
    """write the metrics for TensorBoard too"""
    json: bool = False
    """print one JSON object on stdout, everything else on stderr"""
    machines: Processes = field(default_factory=Processes)
    network: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """fields of the configuration that are not left to the network's defaults"""

    @classmethod
    def parsed(cls, args: Sequence[str]) -> "Train":
        """The command of these arguments.

        Raises:
          ValueError: for an unknown network, option or name, with the nearest one.
        """
        if resume := value_before_parsing(args, "--resume", None):
            require_run(Path(resume))  # before JAX is imported
        start = _start_of(args)
        from jaxdigits.cli.train_options import chosen_training
        from jaxdigits.models import NETWORKS

        chosen = chosen_training(args, start, NETWORK)
        own = options_of(cls, without=("machines", "network", "settings"))
        machines = options_of(Processes)
        parser = make_parser(
            f"jaxdigits train {chosen.network}",
            TEXT.format(networks=", ".join(NETWORKS), network=chosen.network, data=chosen.data,
                        neuron=f" with {chosen.neuron}" if chosen.neuron else ""),
            {f"network ({chosen.network})": chosen.of_network, "training": chosen.of_run,
             "run": own + machines},
        )  # fmt: skip
        values = parse(parser, chosen.rest)
        pick = lambda options: {o.name: values[o.name] for o in options if o.name in values}
        settings = pick(chosen.of_run)
        if chosen.place:
            settings["data"] = str(chosen.place)
        if options := pick(chosen.of_network):
            settings["options"] = options
        of_start: dict[str, Any] = {"start": start} if start else {}
        network = chosen.network if chosen.named else None
        return cls(**pick(own) | of_start, machines=Processes(**pick(machines)),
                   network=network, settings=settings)  # fmt: skip

    def run(self) -> int:
        """Train, and print what came of it."""
        from jaxdigits.runs.folder import require_empty

        mesh = self.machines.start()
        require_within("keep", Annotated[int, Bounds(1)], self.keep)
        if self.resume is not None:
            return self._resume(self.resume, mesh)
        if self.out is not None and is_first():
            require_empty(self.out)
        if Path(self.settings.get("data", "")).is_absolute():
            config, train, test = self._own()
        else:
            config = self.config()
            train, test = read_data(config.data, self.data_dir)
        folder = self.out or new_folder(config.network, Path(config.data).stem)
        kind = config.network
        networks = f"{config.seeds} {kind} networks" if config.seeds > 1 else kind
        if is_first():
            line = f"training {networks} on {len(train):,} examples ({config.data})"
            say(line, json_wanted=self.json)
        return self._train(config, train, test, folder, mesh)

    def _resume(self, folder: Path, mesh) -> int:
        from jaxdigits.runs.checkpoint import remove_checkpoints
        from jaxdigits.runs.folder import load_config, read_result

        config = load_config(folder)
        settings = [name for name in self.settings if name != "options"]
        settings += self.settings.get("options", ())
        passed = [self.network] if self.network else ["--out"] if self.out else []
        passed += ["--start"] if self.start else []
        passed += ["--" + name.replace("_", "-") for name in settings]
        if passed:
            words = " and ".join(passed)
            raise ValueError(
                f"--resume continues the run as it was configured: leave out {words}"
            )
        if result := read_result(folder):
            say(f"{folder} has its result: there is nothing to resume", json_wanted=self.json)
            remove_checkpoints(folder)
            if self.json:
                say_json(result)
            return 0
        train, test = run_data(config, self.data_dir, same=True)
        if is_first():
            say(f"resuming {config.network} in {folder}", json_wanted=self.json)
        return self._train(config, train, test, folder, mesh)

    def _train(self, config, train, test, folder: Path, mesh) -> int:
        from jaxdigits.runs.job import Checkpointing, Stopped, run_job

        first = is_first()  # of several processes one speaks for all
        note = say_note if first else lambda line: None
        board = folder / "tensorboard" if self.tensorboard and first else None
        again = f"`jaxdigits train --resume {shlex.quote(str(folder))}` continues it"
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
            self._finish(config, outcome, test, folder)
        return 0

    def config(self, **more: Any):
        """The run's configuration, with more settings.

        Raises:
          ValueError: for a value out of range, or that the network does not take.
        """
        from jaxdigits.runs.start import config_from
        from jaxdigits.runs.usual import config_for

        if self.start is not None:
            return config_from(self.start, **self.settings | more)
        return config_for(self.network or NETWORK, **self.settings | more)

    def _own(self):
        """Read one's own data: (configuration, train, test); say the choices made."""
        from jaxdigits.data.own import own_data
        from jaxdigits.runs.config import OF_HANDS
        from jaxdigits.runs.folder import load_config
        from jaxdigits.runs.job import validation_split

        if self.data_dir is not None:
            raise ValueError("--data-dir is for MNIST, got it with a folder: leave it out")
        network = self.network or (load_config(self.start).network if self.start else NETWORK)
        hands = network in OF_HANDS
        data = own_data(self.settings["data"], self.group_by or "", hands=hands)
        if is_first():
            for note in data.notes:
                say(note, json_wanted=self.json)
        config = self.config(own=data.own)
        few = len(validation_split(data.train)[0])
        if "batch" not in self.settings:
            usual = min(config.batch, few, max(8, few // UPDATES))
            config = self.config(own=data.own, batch=usual)
        if config.compares and "epochs" not in self.settings:  # as many updates, of fewer hands
            epochs = max(config.epochs, UPDATES_OF_HANDS // (few // config.batch))
            config = replace(config, epochs=epochs)
        return config, data.train, data.test

    def _finish(self, config, outcome, test, folder: Path) -> None:
        from jaxdigits.measure import score
        from jaxdigits.runs.job import finish_run

        result = score(outcome.logits, test.label, config.loss().right)._asdict()
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
        right = "nearest to the same hand" if config.compares else "test accuracy"
        say(
            f"{right} {percent(result['test_accuracy'])}, 95 % interval "
            f"[{percent(low)}, {percent(high)}] over {result['interval_over']}\n"
            f"{outcome.parameters:,} parameters, {outcome.seconds:.1f} s, run in {folder}\n"
            f"{_use_of(config, folder)}",
            json_wanted=self.json,
        )
        if self.json:
            say_json(result)


def _start_of(args: Sequence[str]) -> Path | None:
    """The run that --start names; `package` is the network for fields of the package.

    Raises:
      RunError: for a folder without a run.
    """
    text = value_before_parsing(args, "--start", None)
    if text is None:
        return None
    folder = BOX if text == "package" else Path(text)
    require_run(folder)
    return folder


def every_option() -> list[Option]:
    """The options of all networks, each once."""
    from jaxdigits.models import NETWORKS
    from jaxdigits.runs.config import NOT_SETTINGS, Config
    from jaxdigits.runs.network_options import network_options
    from jaxdigits.spikes import NEURONS

    pairs = [(network, neuron) for network in NETWORKS for neuron in NEURONS]
    tables = [network_options(network, neuron) for network, neuron in pairs]
    shared = (
        *options_of(Config, without=NOT_SETTINGS), *options_of(Processes),
        *options_of(Train, without=("machines", "network", "settings")),
    )  # fmt: skip
    every = {name: option for table in tables for name, option in table.items()}
    return list((every | {option.name: option for option in shared}).values())


def _use_of(config, folder: Path) -> str:
    """Return a line on the pictures that the network reads."""
    from jaxdigits.data.catalogue import WEAKNESS

    if config.reads_fields:
        run = shlex.quote(str(folder))
        return f"it reads rows of digits: jaxdigits read PICTURE --format zip --run {run}"
    if config.compares:
        run = shlex.quote(str(folder))
        return f"it compares signatures: jaxdigits verify FILE... --questioned FILE --run {run}"
    if config.data in WEAKNESS:
        return (
            "it reads digits like its own, of 8 × 8 pixels; for photographs, "
            "`jaxdigits predict IMAGE` has a network of its own"
        )
    return f"it reads pictures of digits: jaxdigits predict {shlex.quote(str(folder))} IMAGE"


def new_folder(network: str, data: str) -> Path:
    """runs/snn-digits-20260131-120000, with a number behind it if that is taken."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    base = Path("runs", f"{network}-{data}-{now}")
    others = (base.with_name(f"{base.name}-{i}") for i in range(2, 1000))
    return next(p for p in (base, *others) if not p.exists())
