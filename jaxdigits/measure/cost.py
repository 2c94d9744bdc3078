"""What a network costs, read off its program: parameters and multiply-accumulates."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxdigits.layer import Layer
from jaxdigits.tree import parameter_count


class Cost(NamedTuple):
    """What one example costs in the forward pass."""

    parameters: int
    multiply_accumulates: int
    """of its matrix products and convolutions, at all time steps: what an accelerator does,
    which multiplies by zeros too"""


def cost(network: Layer, shape: tuple[int, ...] = (28, 28)) -> Cost:
    """The cost of a network on one uint8 image of that shape.

    Training or not is the same: `cost(cnn())`.  Nothing is computed: the program is traced, and
    its products are counted; in a loop of unknown length, those of one round.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    params = jax.eval_shape(lambda key: network.init(key, shape)[0], key)
    image = jax.ShapeDtypeStruct((1, *shape), jnp.uint8)
    program = jax.make_jaxpr(network.forward)(params, image, key)
    return Cost(parameter_count(params), _products(program.jaxpr))


def _products(jaxpr: Jaxpr) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: Any) -> int:
    name, params = equation.primitive.name, equation.params
    out = math.prod(equation.outvars[0].aval.shape) if equation.outvars else 0
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        return out * math.prod(equation.invars[0].aval.shape[i] for i in contracted)
    if name == "conv_general_dilated":
        # Of the kernel all but its output channels are added up for each output.
        kernel, channels = (
            equation.invars[1].aval.shape,
            params["dimension_numbers"].rhs_spec[0],
        )
        return out * math.prod(kernel) // kernel[channels]
    if name == "cond":  # its branches do the same in different ways, for different devices
        return max(_products(branch.jaxpr) for branch in params["branches"])
    times = params["length"] if name == "scan" else 1
    return times * sum(map(_products, _inside(params)))


def _inside(params: dict[str, Any]) -> Iterator[Jaxpr]:
    """The programs in an equation, as of a scan or of a function that is jitted."""
    for value in jax.tree.leaves(params, is_leaf=lambda v: isinstance(v, ClosedJaxpr | Jaxpr)):
        if isinstance(value, ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, Jaxpr):
            yield value
