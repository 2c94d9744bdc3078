"""The gradient certificate: the check of every case, for the command `check`."""

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits import interop, losses, models, quantise, spikes
from jaxdigits import layers as ly
from jaxdigits.about import gather_tables
from jaxdigits.case import STEPS, Case
from jaxdigits.gradients import Report, check, check_loss
from jaxdigits.layer import parallel, recomputed, residual, serial
from jaxdigits.losses import Loss
from jaxdigits.options import nearest

EXAMPLES = 4


def _branches():
    return {"a": serial(ly.dense(4), ly.tanh()), "b": ly.dense(4)}


_COMBINATORS = {
    "residual": Case(lambda: residual(serial(ly.dense(9), ly.tanh())), (9,)),
    "parallel, concatenated": Case(lambda: parallel(_branches()), (9,)),
    "parallel, summed": Case(lambda: parallel(_branches(), fuse="sum"), (9,)),
    "recomputed": Case(
        lambda: recomputed(serial(ly.dense(4), ly.tanh(), ly.dropout(0.3))), (9,)
    ),
}
KINDS: dict[str, dict[str, Case]] = {
    "layers": gather_tables({**vars(ly), **vars(quantise)}, "CASES") | _COMBINATORS,
    "spikes": gather_tables(vars(spikes), "CASES"),
    "graphs": gather_tables(vars(interop), "CASES"),
    "losses": gather_tables(vars(losses), "CASES"),
    "networks": gather_tables(vars(models), "CASES"),
}
"""the cases of each kind of thing, from the files of the things"""
CASES = {name: case for cases in KINDS.values() for name, case in cases.items()}


def certify(
    names: Iterable[str] | None = None, *, tolerance: float = 1e-10
) -> Iterator[tuple[str, Report]]:
    """Check the cases whose names begin with one of `names` (None: all), one after another.

    Yields:
      (name, report) after each check.

    Raises:
      ValueError: for a name that no case begins with.
    """
    cases = list(CASES) if names is None else []
    for name in names or ():
        family = [c for c in CASES if c == name or c.startswith((f"{name},", f"{name} "))]
        if not family:
            text = f"nothing to check is named {name!r}{nearest(name, families())}"
            raise ValueError(f"{text}; there are {', '.join(families())}")
        cases += [case for case in family if case not in cases]
    return ((name, run_case(CASES[name], tolerance=tolerance)) for name in cases)


def families() -> list[str]:
    """Return the names that `certify` takes, without their variants."""
    return list(dict.fromkeys(name.split(",")[0].split(" ")[0] for name in CASES))


def run_case(case: Case, *, tolerance: float = 1e-10) -> Report:
    """Check one case, on random params and inputs that are always the same."""
    thing = case.make()
    if isinstance(thing, Loss):
        logits = np.random.default_rng(0).standard_normal((EXAMPLES, *(case.features or (10,))))
        # For a network of frames [T, K], strings: none, one, two alike, three labels.
        strings = np.array([[-1, -1, -1], [0, -1, -1], [1, 1, -1], [2, 0, 1]])
        label = jnp.arange(EXAMPLES) if logits.ndim == 2 else strings
        return check_loss(thing, jnp.asarray(logits), label, tolerance=tolerance)
    params, _ = thing.init(jax.random.key(0), case.features)
    keys = jax.random.split(jax.random.key(1), EXAMPLES)
    return check(thing, params, case_input(case), keys, tolerance=tolerance)


def case_input(case: Case) -> Any:
    """Return the input of a case [B, ...] or [T, B, ...], or a dict of inputs."""
    if case.input == "senses":
        kinds = {"image": "grey", "sound": "normal"}
        return {
            name: case_input(case._replace(features=case.features[name], input=kind))
            for name, kind in kinds.items()
        }
    rng, shape = np.random.default_rng(2), (EXAMPLES, *case.features)
    if case.input == "current":
        return rng.normal(0.4, 0.8, (STEPS, *shape))  # spikes neither rare nor constant
    if case.input == "normal":
        return rng.standard_normal(shape)
    grey = rng.random(shape) * (rng.random(shape) < 0.4)  # as digits: most of it is dark
    return (255 * grey).astype(np.uint8) if case.input == "pixels" else grey
