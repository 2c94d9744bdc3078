"""`jaxdigits import`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from jaxdigits.cli.parser import POSITIONAL, Folder, make_parser, parse
from jaxdigits.cli.quantise import interval_of, save_tested
from jaxdigits.cli.report import percent, say, say_json, say_note
from jaxdigits.cli.source import own_place, read_data
from jaxdigits.options import options_of

TEXT = """\
Make a run of a NIR graph that reads images, and test it.

The run is one as any other: evaluate, predict and plot read it, train --start trains it on,
and export writes it again. A graph does not say how long a step is: where its file has no
discretisation of this library, name one, or a dt for the format's own equations.

  $ jaxdigits import graph.nir --steps 25 --data mnist
  $ jaxdigits import graph.nir --discretisation norse --dt 1e-3 --encoder direct
  $ jaxdigits train --start runs/graph --epochs 2"""


@dataclass(frozen=True)
class Import:
    """Make a run of a NIR graph that reads images, and test it."""

    graph_file: Annotated[Path, "GRAPH", POSITIONAL]
    """NIR file, as other programs wrote it."""
    discretisation: str | None = None
    """Library whose meaning a step has; by default the meaning in the file."""
    dt: float | None = None
    """Length of a step, in seconds; by default as in the file, or usual for the library."""
    data: Annotated[str | None, "NAME"] = None
    """Data set of the images, or a folder of your own; by default digits."""
    data_dir: Folder = None
    """Folder with MNIST's four files."""
    out: Folder = None
    """Folder of the run; by default runs/ and the name of the file."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parsed(cls, args: Sequence[str]) -> "Import":
        """The command of these arguments.

        Raises:
          ValueError: for an unknown option or name, with the nearest one.
        """
        from jaxdigits.interop import PEERS
        from jaxdigits.runs.network_options import IMPORTED, network_options

        of_network = [o for o in network_options(IMPORTED).values() if o.name != "classes"]
        own = [
            o._replace(annotation=Annotated[str | None, tuple(PEERS)])
            if o.name == "discretisation" else o
            for o in options_of(cls, without=("options",))
        ]  # fmt: skip
        groups = {"graph": own[:3], "images": of_network, "run": own[3:]}
        values = parse(make_parser("jaxdigits import", TEXT, groups), args)
        options = {o.name: values.pop(o.name) for o in of_network if o.name in values}
        return cls(**values, options=options)

    def run(self) -> int:
        """Import, test, and print the accuracy."""
        from jaxdigits.interop import read_graph
        from jaxdigits.runs.importing import import_run, with_discretisation

        graph = read_graph(self.graph_file)
        folder = self.out or Path("runs", self.graph_file.stem)
        name, train, test, facts = self._data()
        try:
            graph = with_discretisation(graph, self.discretisation, self.dt)
            for note in graph.notes:
                say_note(note)
            run = import_run(graph, name, folder, options=self.options, **facts)
        except ValueError as error:
            raise ValueError(f"{self.graph_file}: {error}") from error
        result = save_tested(folder, run, train, test, dict(graph=str(self.graph_file)))
        say(
            f"test accuracy {percent(result['test_accuracy'])}, {interval_of(result)}\n"
            f"run in {folder}",
            json_wanted=self.json,
        )  # fmt: skip
        if self.json:
            say_json(result)
        return 0

    def _data(self):
        """Read the data: (name, train, test, facts for the configuration)."""
        from jaxdigits.runs.network_options import IMPORTED
        from jaxdigits.runs.usual import usual_configs

        known = usual_configs(IMPORTED)
        name = self.data or next(iter(known))
        if place := own_place(name, known):
            from jaxdigits.data.own import own_data

            data = own_data(place)
            return str(place), data.train, data.test, dict(own=data.own)
        if name not in known:
            from jaxdigits.options import require_name

            require_name("data", [*known, "./DIR"], name)
        return name, *read_data(name, self.data_dir), {}
