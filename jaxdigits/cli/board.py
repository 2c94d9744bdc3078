"""The rows of training for TensorBoard, by `tensorboardX`, an extra."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that writes a row's numbers as scalars of its epoch; None: that does nothing.

    Of several networks each has a curve, as `loss/0`; and so has each spiking layer.

    Raises:
      ImportError: without tensorboardX, with the line that installs it.
    """
    if folder is None:
        yield lambda row: None
        return
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError(
            'TensorBoard needs tensorboardX: pip install "jaxdigits[tensorboard]"'
        ) from error
    with ExitStack() as stack:
        writer: Any = None

        def write(row: dict[str, Any]) -> None:
            nonlocal writer
            if writer is None:  # not before there is a run; what a killed one wrote is hidden
                new = SummaryWriter(str(folder), purge_step=row["epoch"])
                writer = stack.enter_context(new)
            for name, value in scalars(row).items():
                writer.add_scalar(name, value, row["epoch"])
            for kind, line in row.get("warnings", {}).items():
                writer.add_text(f"warnings/{kind}", line, row["epoch"])
            writer.flush()

        yield write


def scalars(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row by name; those of lists by name and place, as "firing_rates/0"."""
    found: dict[str, float] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, list | tuple):
            for i, each in enumerate(value):
                add(f"{name}/{i}", each)
        elif isinstance(value, int | float):
            found[name] = value

    for name, value in row.items():
        if name != "epoch":
            add(name, value)
    return found
