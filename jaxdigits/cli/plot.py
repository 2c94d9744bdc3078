"""`jaxdigits plot`."""

from dataclasses import dataclass

from jaxdigits.cli.evaluate import Severities, check_severities
from jaxdigits.cli.parser import Folder, Run
from jaxdigits.cli.report import say, say_json
from jaxdigits.cli.source import run_data
from jaxdigits.errors import require_run

JOURNAL = "journal.jsonl"  # of a search


@dataclass(frozen=True)
class Plot:
    """Draw a run, and write a report that opens in any browser, offline.

    The figures depend on the network: learning curves, confusion and the worst mistakes for
    all; spikes, potentials and firing rates where neurons spike; first weights, saliency,
    augmentation; and the network's own gradients against jax.grad. RUN/plots gets a PNG of
    each figure, and report.html with all of them, operations beside an artificial network's,
    metrics, configuration and environment.

      $ jaxdigits plot runs/snn
      $ jaxdigits plot runs/snn --corruptions 1 3 5
      $ jaxdigits plot SEARCH              a search: in words, then each setting and trial

    Needs the extra `plots`: pip install "jaxdigits[plots]".
    """

    run_folder: Run
    """Folder of a run, as `train` printed it, or of a search."""
    out: Folder = None
    """Folder for the figures and the report; by default RUN/plots."""
    data_dir: Folder = None
    """Folder with MNIST's four files, or with your own data where they have moved."""
    corruptions: Severities = ()
    """Draw accuracy against corruption too: nineteen corruptions at each of these severities,
    from 1 to 5."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    def run(self) -> int:
        """Draw, and print the paths."""
        if (self.run_folder / JOURNAL).is_file():
            from jaxdigits.cli.search_plot import plot_search

            paths = plot_search(self.run_folder, self.out, json_wanted=self.json)
            if self.json:
                say_json(paths)
            return 0
        require_run(self.run_folder)
        from jaxdigits.plots.of_run import drawings
        from jaxdigits.plots.page import page, read_record
        from jaxdigits.plots.style import png
        from jaxdigits.runs.folder import load_run

        check_severities(self.corruptions)
        run, record = load_run(self.run_folder), read_record(self.run_folder)
        config = run.config
        train, test = run_data(config, self.data_dir)
        say(f"drawing {self.run_folder}", json_wanted=self.json)
        best = record.result.get("best_epoch", ())
        figures = drawings(run, record.history, train, test, best_epoch=best,
                           severities=self.corruptions)  # fmt: skip
        folder = self.out or self.run_folder / "plots"
        folder.mkdir(parents=True, exist_ok=True)
        for drawing in figures:
            (folder / f"{drawing.name}.png").write_bytes(png(drawing.figure))
        report = folder / "report.html"
        title = f"{config.network} on {config.data}"
        counts = None if config.reads_fields else self._operations(run, test)
        text = page(title, str(self.run_folder), record, figures, counts)
        report.write_text(text, encoding="utf-8")
        say(f"{len(figures)} figures in {folder}\nreport in {report}", json_wanted=self.json)
        if self.json:
            say_json(dict(figures=[d.name for d in figures], report=str(report)))
        return 0

    def _operations(self, run, test):
        """Return the table of operations; None for a network whose cannot be counted."""
        from jaxdigits.cli.operations import count_operations, rows_of_operations

        try:
            return rows_of_operations(count_operations(run, test))
        except ValueError as error:
            say(f"no operations: {error}", json_wanted=self.json)
            return None
