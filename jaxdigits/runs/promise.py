"""The probability that an answer has to exceed, so that a share of errors holds."""

from pathlib import Path

from jaxdigits.measure.calibration import Doubt, error_bounds, threshold
from jaxdigits.reader.formats import Format
from jaxdigits.runs.folder import Run

SHARE = 0.01  # of wrong answers among those that a page calls sure, where a run can promise it


def page_share(doubt: Doubt) -> float:
    """Return the share of wrong answers that a page promises of a run."""
    return max(SHARE, min(error_bounds(doubt)))


def limit_of(folder: Path, doubt: Doubt | None, max_error: float | None) -> float:
    """Return the probability that an answer has to exceed, of the `Doubt` of a run.

    Raises:
      ValueError: for a share out of bounds, or one that the run cannot promise.
    """
    if max_error is None:
        return 0.0
    if not 0 < max_error < 1:
        raise ValueError(f"--max-error must be between 0 and 1, got {max_error}")
    if doubt is None:
        raise ValueError(
            f"--max-error needs {folder}/doubt.json, which `jaxdigits train` writes at "
            "its end: train the run to its end, or leave out --max-error"
        )
    limit = threshold(doubt, max_error)
    if limit is None:
        raise ValueError(
            f"--max-error is {max_error}, but the validation data of {folder} promise "
            f"no less than {min(error_bounds(doubt)):.2g}: pass a larger share, or train "
            "with more data"
        )
    return limit


def reading_limit(
    folder: Path, run: Run, format: Format, max_error: float | None
) -> tuple[float, float]:
    """Return (temperature, limit) for a format, from the doubt of a run.

    Raises:
      ValueError: for a share of errors out of bounds, or one that the run cannot promise.
    """
    doubt = run.doubt
    if doubt and doubt.checked and format.has_checksum:
        doubt = doubt._replace(steps=doubt.checked)
    return run.temperature, limit_of(folder, doubt, max_error)
