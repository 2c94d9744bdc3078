"""`jaxdigits search`: any option of `train` may be a range, or a choice of values."""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from jaxdigits.cli.parser import Folder, make_parser, parse, value_before_parsing
from jaxdigits.cli.report import say, say_json, say_note
from jaxdigits.cli.search_report import progress, summary
from jaxdigits.cli.search_space import own_entries, own_options, require_shared, split_entries
from jaxdigits.cli.source import own_place, read_data
from jaxdigits.cli.stopping import stopping
from jaxdigits.errors import RunError
from jaxdigits.options import Bounds, Option, options_of, require_name, require_within

AUTO = "auto"
MINUTES = 10.0
FEW = 3000  # training images below which the longest trials have 27 epochs, for 9
MANY = 6000  # training images of a search; the winner is trained on all
UNUSED = {"seeds", "patience", "updates_per_save"}  # options of `train` that no trial has
ON = {"resume", "minutes", "epochs", "data_dir", "json"}  # options of a search that goes on
NO_OPTIONS = ("network", "began", "settings", "entries")
Goal = Annotated[str, ("accuracy", "cost", "front")]
Sampler = Annotated[str, ("elites", "sobol", "tpe", "nsga2")]
TEXT = """\
Find a good network for some data, by trials in a given time.

  $ jaxdigits search                                      mlp, cnn and snn on digits, 10 minutes
  $ jaxdigits search --data FOLDER --minutes 30           your own pictures, a folder per class
  $ jaxdigits search mlp --learning-rate 1e-4..3e-2:log --hidden "256|512|512,256"

Any option {whose} may be a range low..high, low..high:log, or
values a|b. With a range of your own the space is yours alone; without, it is the usual one.
Trials are chosen on validation data, trained anew with fresh seeds, and the test set is read
once. Defaults stand in brackets."""


@dataclass(frozen=True)
class Search:
    """Find a good network for some data, by trials in a given time."""

    out: Folder = None
    """folder of the search; by default a new one in runs/"""
    resume: Folder = None
    """go on with the search in this folder, to the same trials"""
    minutes: Annotated[float, Bounds(0)] | None = None
    """time for everything; ten without --epochs"""
    epochs: Annotated[int, Bounds(1)] | None = None
    """exact budget of the trials, in epochs of one network"""
    goal: Goal = "accuracy"
    """the best validation accuracy, the cheapest near it, or the front of both"""
    sampler: Sampler = "elites"
    """proposals of numbers: elites, tpe and nsga2 (by Optuna) learn from trials"""
    longest: Annotated[int, Bounds(1)] | None = None
    """epochs of the longest trials, and of the winner; 9, or 27 of few images"""
    images: Annotated[int, Bounds(1)] | None = None
    """training images of the trials; the winner is trained on all"""
    group_by: str | None = None
    """mark behind the writer in a picture's name; a writer is in one part"""
    host: str | None = None
    """number of this host and of all, as 2/3; they share the folder --out"""
    lanes: Annotated[int | None, Bounds(1, 512)] = None
    """trials that train at once; none is one on a CPU, else eight"""
    data_dir: Folder = None
    """folder with MNIST's files, or your own data that moved"""
    json: bool = False
    """print one JSON object on stdout, everything else on stderr"""
    network: str = AUTO
    began: float = field(default_factory=time.perf_counter)
    """the first instant of the command: --minutes count from it"""
    settings: dict[str, Any] = field(default_factory=dict)
    """fixed values of options of `train`"""
    entries: dict[str, Any] = field(default_factory=dict)
    """ranges and choices, by option"""

    @classmethod
    def parsed(cls, args: Sequence[str]) -> "Search":
        """The command of these arguments.

        Raises:
          ValueError: for an unknown network, option or name, or a bad range.
        """
        began = time.perf_counter()
        from jaxdigits.models import NETWORKS
        from jaxdigits.search import defaults

        named = bool(args) and not args[0].startswith("-")
        network, rest = (args[0], list(args[1:])) if named else (AUTO, list(args))
        if network not in (AUTO, *NETWORKS) and Path(network).is_dir():
            raise ValueError(f"{network} is a folder: pass it as --data {network}")
        require_name("network", [AUTO, *NETWORKS], network)
        texts, rest = split_entries(rest)
        table = own_options(network, texts.get("neuron") or _value(rest, "--neuron"))
        own = options_of(cls, without=NO_OPTIONS)
        names = {option.name for option in own}
        of_training = [o for o in table.values() if o.name not in names | UNUSED]
        whose = f"that {', '.join(defaults.AUTO)} have in common"
        whose = f"of `jaxdigits train {network}`" if named else whose
        parser = make_parser(
            f"jaxdigits search {network}", TEXT.format(whose=whose),
            {"training": of_training, "search": own},
        )  # fmt: skip
        try:
            values = parse(parser, rest)
        except ValueError:
            require_shared(network, rest)
            raise
        require_shared(network, [f"--{name}" for name in texts])
        entries = own_entries(texts, table, parser, names)
        mine = {name: values.pop(name) for name in list(values) if name in names}
        if mine.get("resume") and (named or values or entries or set(mine) - ON):
            raise ValueError("--resume goes on as the search was begun: leave out its options")
        return cls(**mine, network=network, began=began, settings=values, entries=entries)

    def run(self) -> int:
        """Search, and say what came of it."""
        from jaxdigits.search.folder import finished
        from jaxdigits.search.journal import held

        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes must be > 0, got {self.minutes:g}")
        for option in options_of(type(self), without=NO_OPTIONS):
            require_within(option.name, option.annotation, getattr(self, option.name))
        if self.minutes is not None and self.epochs is not None:
            raise ValueError("pass --minutes or --epochs, not both")
        more = self.minutes is not None or self.epochs is not None
        if self.resume and not more and (result := finished(self.resume)):
            say(f"{self.resume} has its result: go on with more --minutes")
            return self._tell(result)
        if self.resume:
            with held(self.resume):
                return self._search(*self._resumed())
        folder, *rest = self._begun()
        with held(folder):
            return self._search(folder, *rest)

    def _search(self, folder: Path, session: Any, test: Any, whole: Any) -> int:
        """Search to the end, and return the exit code."""
        from jaxdigits.search.budget import Stopped, TooFewEpochs
        from jaxdigits.search.folder import search_in

        command = f"jaxdigits search --resume {shlex.quote(str(folder))}"
        with stopping(say_note) as stop, progress(self.json) as show:
            session.report, session.stop = show, stop.is_set
            try:
                result = search_in(folder, session, lambda: test, whole)
            except Stopped:
                say_note(f"stopped after {len(session.records)} decisions: `{command}` goes on")
                return stop.code()
            except TooFewEpochs as error:
                raise ValueError(f"{error}, by `{command} --epochs N`") from error
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f": `{command}` goes on") from None
        if result is None:
            say("the trials of this host are done: the first host ends the search")
            return 0
        if result.pop("stays", False):
            say_note(f"no time to train another winner as long: {folder / 'best'} stays")
        return self._tell(result)

    def _tell(self, result: Mapping[str, Any]) -> int:
        say(summary(result), json_wanted=self.json)
        if self.json:
            say_json(dict(result))
        return 0

    def _begun(self):
        """Begin a search: (folder, session, test set, data of the winner)."""
        from jaxdigits.cli.train import new_folder
        from jaxdigits.search.budget import Budget, Session
        from jaxdigits.search.buildable import require_buildable
        from jaxdigits.search.groups import Facts
        from jaxdigits.search.head import head_of
        from jaxdigits.search.hosts import folder_of, host_of, require_same_hosts
        from jaxdigits.search.journal import create_journal
        from jaxdigits.search.lanes import usual_width
        from jaxdigits.search.split import split_for
        from jaxdigits.search.work import Plan, Work

        data, own, train, test, groups = self._data(self.settings.get("data"))
        seed = self.settings.get("seed", 0)
        split, whole = split_for(train, self.images or min(MANY, len(train)), groups)
        examples = split.examples()
        longest = self.longest or (27 if examples < FEW else 9)
        space = self._space(examples)
        facts = Facts(data, own, longest)
        require_buildable(space, facts)
        folds = 1 if split.folds is None else len(split.folds.train)
        host = host_of(self.host or "1/1")
        if self.host and self.out is None:
            raise ValueError("--host needs --out, the folder that all hosts share")
        lanes = self.lanes or usual_width()
        plan = Plan(space, facts, seed, self.goal, self.sampler, lanes, folds, host)
        folder = folder_of(
            self.out or new_folder(f"search-{self.network}", Path(data).stem), host
        )
        minutes = self.minutes or (None if self.epochs else MINUTES)
        work = Work(plan, *split)
        images = None if whole is None else self.images or min(MANY, len(train))
        head = head_of(plan, images)
        if self.out and self.host:
            require_same_hosts(self.out, head)
        create_journal(folder, head)
        say(
            f"searching {self.network} on {examples:,} images ({data}), "
            f"{split.to_choose()} to choose, in {folder}",
            json_wanted=self.json,
        )
        session = Session(work, Budget(minutes, self.epochs), began=self.began)
        return folder, session, test, whole

    def _resumed(self):
        from jaxdigits.search.budget import Budget, Session
        from jaxdigits.search.folder import read_budget, resume_session
        from jaxdigits.search.head import plan_of
        from jaxdigits.search.journal import read_journal
        from jaxdigits.search.split import split_for
        from jaxdigits.search.work import Work

        folder = self.resume
        assert folder is not None
        head, _ = read_journal(folder)
        plan, images = plan_of(folder, head)
        place = plan.facts.data if self.data_dir is None else str(self.data_dir)
        place = place if plan.facts.own else plan.facts.data
        data, own, train, test, groups = self._data(
            place, plan.facts.own.group_by if plan.facts.own else ""
        )
        if own and plan.facts.own and own.digest != plan.facts.own.digest:
            changed = f"{data} has changed since the search began"
            raise RunError(f"{changed}: bring the old data back, or begin a new search")
        split, whole = split_for(train, images or len(train), groups)
        more = self.minutes is not None or self.epochs is not None
        budget = Budget(self.minutes, self.epochs) if more else read_budget(folder)
        session = Session(Work(plan, *split), budget, began=self.began)
        resume_session(folder, session)
        used = session.before / 60
        if self.minutes is not None and self.minutes <= used:
            raise ValueError(
                f"{folder} has used {used:.1f} minutes, and --minutes counts them: pass more"
            )
        say(f"{folder} goes on after {len(session.records)} decisions", json_wanted=self.json)
        return folder, session, test, whole

    def _data(self, name: str | None, group_by: str = ""):
        """Read (name or path, facts of one's own data, train, test, groups of train)."""
        from jaxdigits.data import DATASETS
        from jaxdigits.data.own import own_data
        from jaxdigits.data.own_groups import require_enough

        name = "digits" if name is None else name
        place = own_place(name, DATASETS)
        if place is None:
            require_name("data", [*DATASETS, "./DIR"], name)
            return name, None, *read_data(name, self.data_dir), None
        data = own_data(place, self.group_by or group_by)
        if not data.own.strings:
            require_enough(str(place), np.asarray(data.train.label), data.own.names)
        for note in data.notes:
            say(note, json_wanted=self.json)
        return str(place), data.own, data.train, data.test, data.groups

    def _space(self, images: int):
        """The space: one's own ranges and values, or the usual space and one's own values."""
        from jaxdigits.runs.usual import CONFIGS
        from jaxdigits.search.defaults import auto_entries, of_few_images, space_entries
        from jaxdigits.search.space import Entry, Space

        fixed = {n: v for n, v in self.settings.items() if n not in ("data", "seed")}
        known = [c for c in CONFIGS.values() if c.network == self.network]
        if self.network == AUTO:
            usual = auto_entries()
        else:
            usual = space_entries(self.network, known[0].learning_rate)
        usual = of_few_images(usual, images)
        if self.entries:
            # A fixed batch is there because the images are too few for the usual one.
            fitting = {} if isinstance(usual["batch"], Entry) else {"batch": usual["batch"]}
            usual = {"network": usual["network"], **fitting}
        usual = {n: e for n, e in usual.items() if n.rpartition(".")[2] not in fixed}
        return Space(**{**usual, **fixed, **self.entries})


def every_option() -> list[Option]:
    """The options of all networks, and those of a search, each once."""
    from jaxdigits.cli import train

    own = options_of(Search, without=NO_OPTIONS)
    names = {option.name for option in own} | UNUSED
    return [*own, *(o for o in train.every_option() if o.name not in names)]


def _value(args: Sequence[str], flag: str) -> str | None:
    return value_before_parsing(args, flag, None)
