"""A picture of each augmentation, and its cost in a training step of the CNN.

    JAXDIGITS_DATA=FOLDER python experiments/augmentation.py

draws docs/images/augmentation.png.  It also times the steps of the default CNN (batch 128) with
each recipe, in turn with steps without augmentation, and writes the median and quartiles of the
ratio to augmentation.json.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from core import machine
from trained import config_of, step_of

from jaxdigits.fast.flags import set_flags

HERE = Path(__file__).parent
RESULTS = HERE / "augmentation.json"
FIGURE = HERE.parent / "docs" / "images" / "augmentation.png"
SHOWN, REPEATS = 12, 15


def rows() -> dict[str, np.ndarray]:
    """Return each augmentation, and each recipe, of the same digits."""
    from jaxdigits import augment, data

    train, _ = data.mnist()
    image = jnp.asarray(train.inputs[:SHOWN])
    augments = {
        "as they are": augment.compose(),
        "affine": augment.warp(augment.affine(rotation=15, shift=2, scale=0.15, shear=0.15)),
        "elastic": augment.warp(augment.elastic()),
        "erase": augment.erase(),
        "contrast": augment.contrast(),
        "brightness": augment.brightness(),
        "background": augment.background(),
        "invert": augment.sometimes(0.5, augment.invert()),
        "noise": augment.noise(),
        "blur": augment.blur(2.0),
        **{f'recipe "{name}"': recipe for name, recipe in augment.AUGMENTS.items()},
    }
    key = jax.random.key(0)
    return {name: np.asarray(jax.jit(f)(key, image)) for name, f in augments.items()}


def costs() -> dict[str, dict[str, float]]:
    """Time the step with each recipe over the step without, in one run."""
    from jaxdigits.augment import AUGMENTS
    from jaxdigits.bench import in_turn, quartiles

    step_with = lambda name: step_of(config_of("cnn", dict(augment=name), 0))
    steps = [step_with(None), *map(step_with, AUGMENTS)]
    plain, *times = in_turn(steps, repeats=REPEATS)
    found = {}
    for name, seconds in zip(AUGMENTS, times, strict=True):
        ratio = quartiles([a / b for a, b in zip(seconds, plain, strict=True)])
        found[name] = ratio._asdict() | dict(seconds=quartiles(seconds).median)
    return found


def table(found: dict) -> str:
    """Return the costs as a Markdown table, with the machine."""
    lines = ["| recipe | step, over the step without | quartiles |", "| --- | ---: | ---: |"]
    lines += [
        f"| `{name}` | {r['median']:.2f} | {r['low']:.2f} to {r['high']:.2f} |"
        for name, r in found["recipes"].items()
    ]
    return "\n".join([*lines, "", found["machine"]])


def main() -> None:
    from jaxdigits.bench import keep_freed_memory
    from jaxdigits.plots import images_figure

    set_flags()  # as `jaxdigits` sets them
    keep_freed_memory()
    images_figure(rows()).savefig(FIGURE, dpi=90)
    found = dict(machine=machine(), recipes=costs())
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
