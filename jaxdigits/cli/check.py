"""`jaxdigits check`."""

from dataclasses import dataclass

from jaxdigits.cli.parser import Names
from jaxdigits.cli.report import say, say_json


@dataclass(frozen=True)
class Check:
    """Compare every hand-derived gradient with its witnesses, in float64.

    One row for each layer, spiking layer, loss and network, option by option, with the largest
    relative error against jax.grad and against central differences (n/a for hard thresholds,
    which have none). The exit code is 1 if any disagrees, or if a spiking layer was too silent
    or too busy to test anything.

      $ jaxdigits check
      $ jaxdigits check lif snn
    """

    names: Names = ()
    """Names of layers, losses or networks, as `lif cnn`; by default all."""
    tolerance: float = 1e-10
    """Largest relative error that counts as agreement."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    def run(self) -> int:
        """Check, and print each row as it is done."""
        from jaxdigits.certificate import CASES, certify

        checks = certify(self.names or None, tolerance=self.tolerance)
        width = max(map(len, CASES))
        reports = {}
        head = f"{'':{width}}  against jax.grad    cosine  differences  firing rate"
        say(head, json_wanted=self.json)
        for name, report in checks:
            rates = " ".join(f"{rate:.3f}" for rate in report.firing_rates)
            row = (f"{name:{width}}  {report.error:16.1e}  {report.cosine:8.6f}  "
                   f"{largest_difference(report):>11}  {rates}")  # fmt: skip
            verdict = "" if report.ok else f"  DISAGREES: {report.reason}"
            say(row.rstrip() + verdict, json_wanted=self.json)
            reports[name] = report
        bad = [name for name, report in reports.items() if not report.ok]
        worst = max(report.error for report in reports.values())
        say(f"{len(reports)} checked, {len(bad)} disagree; largest relative error {worst:.1e}",
            json_wanted=self.json)  # fmt: skip
        if self.json:
            rows = {name: report.to_dict() for name, report in reports.items()}
            say_json(dict(ok=not bad, error=worst, checks=rows))
        return 1 if bad else 0


def largest_difference(report) -> str:
    """Return the largest error against differences; "n/a" where there are none."""
    errors = [row.error for row in report.rows if row.verdict != "not applicable"
            and row.witness in ("directions", "coordinates")]  # fmt: skip
    return f"{max(errors):.1e}" if errors else "n/a"
