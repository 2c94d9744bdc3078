"""`jaxdigits plot`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from jaxdigits.cli.console import say, say_json
from jaxdigits.data import DATASETS, mnist


@dataclass(frozen=True)
class Plot:
    """Draw a run, and write a report of it that opens in any browser, offline.

    What is drawn depends on the network: learning curves, confusion and the worst mistakes of
    all; spikes, potentials and firing rates where neurons spike; first weights, saliency,
    augmentation; and the network's own gradients against jax.grad. RUN/plots gets a PNG of
    each figure, and report.html with all of them, metrics, configuration and environment.

      $ jaxdigits plot runs/snn
      $ jaxdigits plot runs/snn --corruptions 1 3 5

    Needs the extra `plots`: pip install "jaxdigits[plots]".
    """

    run_folder: Positional[Path]
    """Folder of a run, as `train` printed it."""
    out: Annotated[
        Path | None, arg(metavar="DIR", help_behavior_hint="(default: RUN/plots)")
    ] = None
    """Where the figures and the report go."""
    data_dir: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder with MNIST's four files."""
    corruptions: Annotated[
        tuple[int, ...], arg(metavar="SEVERITY [SEVERITY ...]", help_behavior_hint="")
    ] = ()
    """Draw accuracy against corruption too: nineteen corruptions at each of these severities,
    from 1 to 5."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    def run(self) -> int:
        """Draw, and print where it all is."""
        from jaxdigits.measure import SEVERITIES
        from jaxdigits.plots.of_run import drawings
        from jaxdigits.plots.page import page, read_record
        from jaxdigits.plots.style import png
        from jaxdigits.runs.folder import load_run

        for severity in self.corruptions:
            if severity not in SEVERITIES:
                raise ValueError(f"--corruptions takes severities from 1 to 5, got {severity}")
        run = load_run(self.run_folder)
        record = read_record(self.run_folder)
        config = run.config
        if self.data_dir is not None and config.data != "mnist":
            raise ValueError("--data-dir is for a run on mnist")
        of_mnist = config.data == "mnist"
        train, test = mnist(self.data_dir) if of_mnist else DATASETS[config.data]()
        say(f"drawing {self.run_folder}", json_wanted=self.json)
        best = record.result.get("best_epoch", ())
        found = drawings(run, record.history, train, test, best_epoch=best,
                         severities=self.corruptions)  # fmt: skip
        folder = self.out or self.run_folder / "plots"
        folder.mkdir(parents=True, exist_ok=True)
        for drawing in found:
            (folder / f"{drawing.name}.png").write_bytes(png(drawing.figure))
        report = folder / "report.html"
        title = f"{config.network} on {config.data}"
        text = page(title, str(self.run_folder), record, found)
        report.write_text(text, encoding="utf-8")
        say(f"{len(found)} figures in {folder}\nreport in {report}", json_wanted=self.json)
        if self.json:
            say_json(dict(figures=[d.name for d in found], report=str(report)))
        return 0
