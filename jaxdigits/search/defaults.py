"""The space of each network, for somebody who knows no hyperparameter; numbers have reasons.

Ranges go around the hand-tuned configuration, by a factor of ten or so on the side of quicker
training: a short budget wants larger rates, less smoothing and a shorter average.  Widths and
steps stay at or below the hand-tuned ones, since a search of minutes trains no larger network.
"""

from collections.abc import Mapping
from typing import Any

from jaxdigits.search.space import Choice, Real, depends

AUTO = ("mlp", "cnn", "snn")
"""the networks of `auto`: one of each kind that trains in minutes on a CPU"""

# In some hundred updates a decay below 1e-5 changes nothing, and one of 0.3 is felt.
DECAY = Real(1e-5, 0.3, log=True)
# The average remembers about 10, 33 or 100 updates: a short training has a few hundred.
AVERAGE = Choice(0.9, 0.97, 0.99)
# Around the usual 0.1.
SMOOTHING = Real(0.0, 0.2)
# Small batches make more updates of few images, large ones are quicker on many.
BATCH = Choice(32, 64, 128)
# Around the hand-tuned 0.4.
DROPOUT = Real(0.0, 0.6)

_usual = dict(weight_decay=DECAY, ema=AVERAGE, smoothing=SMOOTHING, batch=BATCH)
SPACES: Mapping[str, Mapping[str, Any]] = {
    "mlp": _usual | dict(
        learning_rate=Real(3e-4, 2e-2, log=True),  # around 1e-3, upwards
        dropout_rate=DROPOUT,
        hidden=Choice((256,), (800,), (256, 256), (800, 800)),
        norm=Choice(None, "batch"),
    ),
    "cnn": _usual | dict(
        learning_rate=Real(5e-4, 3e-2, log=True),  # around 2e-3; batch norm bears more
        dropout_rate=DROPOUT,
        channels=Choice((16, 32), (32, 64), (16, 32, 64), (32, 64, 128)),
    ),
    "snn": _usual | dict(
        learning_rate=Real(5e-4, 2e-2, log=True),  # around 2e-3, upwards
        dropout_rate=DROPOUT,
        hidden=Choice((256,), (512,), (800,), (256, 256)),
        steps=Choice(8, 15, 25),  # the cost is proportional to them
        decay=Real(0.7, 0.97),  # 3 to 30 steps of memory; there are 8 to 25
        threshold=Real(0.4, 1.2),  # a higher one silences a network at first
    ),
    "conv_snn": _usual | dict(
        learning_rate=Real(5e-4, 2e-2, log=True),
        dropout_rate=DROPOUT,
        channels=Choice((8, 32), (12, 64)),
        steps=Choice(4, 8),
        decay=Real(0.5, 0.95),
    ),
    "event_snn": dict(
        learning_rate=Real(5e-3, 0.1, log=True),  # around 2e-2
        weight_decay=DECAY,
        smoothing=SMOOTHING,
        batch=BATCH,
    ),
}  # fmt: skip
UPDATES, FEWEST = 8, 8  # of an epoch; images of a batch
WIDE = 6.0  # on each side of the hand-tuned rate, where a network has no space of its own


def space_entries(network: str, learning_rate: float) -> dict[str, Any]:
    """Return the entries of a network's space.

    Args:
      learning_rate: hand-tuned, for a network that has no space of its own.
    """
    own = SPACES.get(network)
    if own is None:
        rate = Real(learning_rate / WIDE, learning_rate * WIDE, log=True)
        own = dict(learning_rate=rate, weight_decay=DECAY, batch=BATCH)
    return {"network": network, **own}


def of_few_images(entries: Mapping[str, Any], images: int) -> dict[str, Any]:
    """Return entries whose batches leave `UPDATES` updates in an epoch of that many images."""
    most = max(images // UPDATES, FEWEST)
    fitting = [size for size in BATCH.values if size <= most]
    batch = Choice(*fitting) if len(fitting) > 1 else min(most, images)
    return {n: batch if n == "batch" else entry for n, entry in entries.items()}


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
                entries[f"{network}.{name}"] = depends(entry, ("network", network))
    return entries
