"""The space of each network, for somebody who knows no hyperparameter.  Each number has a reason.

A range is about ten times as wide as the spread of good values that short trainings of MNIST
and of the bundled digits had, around the hand-tuned configuration.  Widths and steps that cost
more than the hand-tuned ones are left out: a search of minutes could not train them.
"""

from collections.abc import Mapping
from typing import Any

from jaxdigits.search.space import Choice, Real

AUTO = ("mlp", "cnn", "snn")
"""the networks of `auto`: one of each kind that trains in minutes on a CPU"""

# Decay matters above 1e-3 only; below 1e-5 none is left in some hundred updates.
DECAY = Real(1e-5, 0.3, log=True)
# The average must not remember more than the few hundred updates of a short training.
AVERAGE = Choice(0.9, 0.97, 0.99)
# 0.1 is usual for ten classes; 0.2 costs confidence, and 0 is best for few updates.
SMOOTHING = Choice(0.0, 0.1, 0.2)
# Small batches make more updates of few images, large ones are quicker on many.
BATCH = Choice(32, 64, 128)
# Above 0.6 the networks of a short training stay too small.
DROPOUT = Choice(0.0, 0.2, 0.4, 0.6)

_usual = dict(weight_decay=DECAY, ema=AVERAGE, smoothing=SMOOTHING, batch=BATCH)
SPACES: Mapping[str, Mapping[str, Any]] = {
    "mlp": _usual | dict(
        learning_rate=Real(3e-4, 2e-2, log=True),  # diverges from about 0.03 on
        dropout_rate=DROPOUT,
        hidden=Choice((256,), (800,), (256, 256), (800, 800)),
        norm=Choice(None, "batch"),
    ),
    "cnn": _usual | dict(
        learning_rate=Real(5e-4, 3e-2, log=True),  # batch norm bears larger rates
        dropout_rate=DROPOUT,
        channels=Choice((16, 32), (32, 64), (16, 32, 64), (32, 64, 128)),
    ),
    "snn": _usual | dict(
        learning_rate=Real(5e-4, 2e-2, log=True),  # above, layers saturate
        dropout_rate=DROPOUT,
        hidden=Choice((256,), (512,), (800,), (256, 256)),
        steps=Choice(8, 15, 25),  # cost grows with them, accuracy hardly from 15 on
        decay=Choice(0.8, 0.9, 0.95),  # 5 to 20 steps of memory, as many as there are
        threshold=Choice(0.5, 1.0),  # above, few neurons fire at first
    ),
    "conv_snn": _usual | dict(
        learning_rate=Real(5e-4, 2e-2, log=True),
        dropout_rate=DROPOUT,
        channels=Choice((8, 32), (12, 64)),
        steps=Choice(4, 8),
        decay=Choice(0.5, 0.8, 0.9),
    ),
    "event_snn": dict(
        learning_rate=Real(5e-3, 0.1, log=True),  # slopes of spike times are small
        weight_decay=DECAY,
        smoothing=SMOOTHING,
        batch=BATCH,
    ),
}  # fmt: skip
# A factor of six on each side of the hand-tuned rate, for networks without a space of their own.
WIDE = 6.0


def space_entries(network: str, learning_rate: float) -> dict[str, Any]:
    """Return the entries of a network's space.

    Args:
      learning_rate: hand-tuned, for a network that has no space of its own.
    """
    own = SPACES.get(network)
    if own is None:
        rate = Real(learning_rate / WIDE, learning_rate * WIDE, log=True)
        own = dict(learning_rate=rate, weight_decay=DECAY)
    return {"network": network, **own}


def auto_entries() -> dict[str, Any]:
    """Return the entries of several networks, of which a trial has one.

    Equal entries are shared; others have the network's name, as `snn.hidden`.
    """
    entries: dict[str, Any] = {"network": Choice(*AUTO)}
    for network in AUTO:
        for name, entry in SPACES[network].items():
            if all(SPACES[other].get(name) == entry for other in AUTO):
                entries[name] = entry
            else:
                entries[f"{network}.{name}"] = _when(entry, network)
    return entries


def _when(entry: Any, network: str) -> Any:
    when = ("network", network)
    if isinstance(entry, Choice):
        return Choice(*entry.values, when=when)
    return Real(entry.low, entry.high, log=entry.log, when=when)
