"""`jaxdigits verify`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from jaxdigits.cli.parser import POSITIONAL, File
from jaxdigits.cli.report import percent, printable, say, say_json, say_note
from jaxdigits.errors import RunError, require_run

JUDGEMENT = "this supports a person's judgement and does not replace it"


@dataclass(frozen=True)
class Verify:
    """Compare a questioned signature with references by one hand.

    Print how much likelier the questioned signature is from the hand of the references than
    from another hand that writes the same name, and a decision: "same hand", "another hand" or
    "cannot say", with the errors that it makes on writers the network has not seen.

      $ jaxdigits train embedding --data signatures/          a folder for each writer
      $ jaxdigits verify a.png b.png c.png --questioned d.png --run RUN

    A picture holds one signature, as PNG, JPEG, WebP, BMP, TIFF or GIF. Three references are
    better than one. Skilled imitations are not measured.
    """

    references: Annotated[tuple[Path, ...], "REFERENCE", POSITIONAL] = ()
    """Pictures of signatures that one person surely wrote."""
    questioned: File = None
    """Picture of the signature in question."""
    run_: Annotated[Path | None, "RUN"] = None
    """Folder of a run of `jaxdigits train embedding`; the package has none, as its pictures
    would be people's."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> int:
        """Compare, and print the decision."""
        if not self.references:
            raise ValueError("verify needs a reference, got none")
        if self.questioned is None:
            raise ValueError("verify needs --questioned FILE, the signature in question")
        if self.run_ is None:
            raise ValueError(
                "verify needs --run RUN, a run of `jaxdigits train embedding --data FOLDER` "
                "with a folder of signatures for each writer"
            )
        require_run(self.run_)
        from jaxdigits.data import mixture_of, read_signature
        from jaxdigits.runs.answer import predict
        from jaxdigits.runs.folder import load_run
        from jaxdigits.runs.verification import joined, load_comparison
        from jaxdigits.verify import distances

        run = load_run(self.run_)
        if not run.config.compares:
            raise RunError(
                f"{self.run_} reads digits: pass a run of `jaxdigits train embedding`"
            )
        comparison = load_comparison(self.run_)
        paths = [*self.references, self.questioned]
        signatures = [read_signature(path) for path in paths]
        if mixed := mixture_of(list(map(str, paths)), [each.photograph for each in signatures]):
            say_note(mixed)
        ink = np.stack([each.ink for each in signatures])
        for path, other in zip(self.references, ink[:-1], strict=True):
            if (other == ink[-1]).all():
                say_note(f"{path} has the same ink as the questioned picture: is it a copy?")
        used = min(len(self.references), len(comparison.calibrations))
        if used < len(self.references):
            say_note(f"errors are known for {used} references: the first {used} are used")
        points = joined(predict(run, ink))
        score = distances(points[-1:], points[:used], comparison.cohort).mean()
        self._show(float(score), comparison, used)
        return 0

    def _show(self, score: float, comparison: Any, used: int) -> None:
        calibration, errors = (rows[used - 1] for rows in comparison[:2])
        decision = calibration.decide(score)
        ratio = float(np.exp(np.clip(calibration.log_ratio(score), -30, 30)))
        if self.json:
            say_json(
                dict(
                    questioned=str(self.questioned), decision=decision, likelihood_ratio=ratio,
                    score=score, references=used, errors=errors._asdict(), note=JUDGEMENT,
                )
            )  # fmt: skip
            return
        share = lambda x: "(not measured)" if x != x else percent(x)
        many = f"{used} reference{'s' if used > 1 else ''}"
        side = "the same hand" if ratio >= 1 else "another hand"
        say(
            f"{printable(str(self.questioned))}: {decision}\n"
            f"{max(ratio, 1 / ratio):,.1f} times likelier from {side} than from "
            f"{'another' if ratio >= 1 else 'the same'}, by {many}\n"
            f'On writers not seen, "same hand" passed {share(errors.impostor)} of others with '
            f"the same name and {share(errors.simple)} with another name;\n"
            f'"another hand" missed {share(errors.genuine)} of genuine pairs.\n'
            f"Skilled imitations were not measured; {JUDGEMENT}."
        )
