"""`jaxdigits export`."""

from dataclasses import dataclass
from typing import Literal

from jaxdigits.cli.parser import File, Folder, Run
from jaxdigits.cli.quantise import Bits
from jaxdigits.cli.report import say, say_json, say_note
from jaxdigits.cli.source import data_to_test
from jaxdigits.errors import require_run
from jaxdigits.options import require_within

Kind = Literal["onnx", "stablehlo", "nir", "html"]


@dataclass(frozen=True)
class Export:
    """Write a run's network as a file for other programs, with its manifest.

    The file answers the run's test set, and the difference from the run's own answers is
    printed and stored in the manifest, FILE.json.

      $ jaxdigits export runs/cnn --to onnx
      $ jaxdigits export runs/snn --to stablehlo --out snn.stablehlo
      $ jaxdigits export runs/snn --to nir --dt 1e-3
      $ jaxdigits export runs/cnn --to onnx --bits 8
      $ jaxdigits export runs/cnn --to html --out digits.html

    A StableHLO program draws spikes itself; `jaxdigits.load_exported(FILE)` runs it. An ONNX
    model of a rate-coded network takes its spikes as input, and so does a NIR graph, which says
    how long a step is. They need the extras `export`, `onnx` and `nir`. An HTML page needs no
    extra and no server: open it in a browser, and draw.
    """

    run_folder: Run
    """Folder of a run, as `train` printed it."""
    to: Kind | None = None
    """Kind of file."""
    out: File = None
    """File to write; by default RUN/network with the kind behind it, as RUN/network.onnx."""
    dt: float | None = None
    """Length of a step of a NIR graph, in seconds; by default 0.0001, or that of an imported
    graph."""
    bits: Bits | None = None
    """Bits of each weight, rounded per neuron: int8 in ONNX; by default those of the run."""
    seed: int | None = None
    """Seed of the network, in a run of several; by default the first."""
    data_dir: Folder = None
    """Folder with MNIST's four files, or with your own data where they have moved."""
    json: bool = False
    """Print one JSON object instead: the file and the comparison."""

    def run(self) -> int:
        """Export, compare, and print the differences."""
        require_run(self.run_folder)
        if self.to is None:
            raise ValueError("export needs --to onnx, --to stablehlo, --to nir or --to html")
        require_within("bits", Bits | None, self.bits)
        if self.dt is not None and self.to != "nir":
            raise ValueError("--dt is the step of a graph: leave it out, or export --to nir")
        from jaxdigits.interop.artefact import require_free
        from jaxdigits.runs.folder import load_run

        path = self.out or self.run_folder / f"network.{self.to}"
        require_free(path)
        run = load_run(self.run_folder)
        if run.config.seeds > 1 and self.seed is None:
            say_note(
                f"the run has {run.config.seeds} networks: this is the one of seed "
                f"{run.config.seed}; --seed takes another"
            )
        test = data_to_test(run.config, None, self.data_dir)
        compared = self._export(self.to, run, path, test)
        if self.json:
            say_json(dict(file=str(path), **compared._asdict()))
            return 0
        say(f"{path}: {path.stat().st_size:,} bytes, and its manifest {path.name}.json")
        of = f"the run's, rounded to {self.bits} bits" if self.bits else "the run's"
        say(
            f"{compared.examples:,} test examples: {compared.answers_differ} answers differ "
            f"from {of}, logits by up to {compared.logits_differ:.1e}"
        )
        if self.bits:
            say(f"{compared.rounding_differ} answers differ from the run's without rounding")
        if compared.spikes_differ is not None:
            say(f"{compared.spikes_differ} spikes of hidden neurons differ")
        for note in compared.notes:
            say_note(note)
        return 0

    def _export(self, kind: Kind, run, path, test):
        """Write the file, and return the comparison."""
        if kind == "html":
            if self.bits:
                raise ValueError("a page has as many bits as fit: leave out --bits")
            from jaxdigits.page.onefile import export_page

            return export_page(run, path, test, seed=self.seed)
        from jaxdigits.runs.export import export_run

        return export_run(run, kind, path, test, seed=self.seed, dt=self.dt, bits=self.bits)
