"""The cost of a network, from its program: parameters and multiply-accumulates."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxdigits.layer import Layer
from jaxdigits.tree import parameter_count


class Cost(NamedTuple):
    """The cost of one example in the forward pass."""

    parameters: int
    multiply_accumulates: int
    """of its matrix products and convolutions, at all time steps, including products with
    zeros, which an accelerator computes too"""


def cost(network: Layer, shape: tuple[int, ...] = (28, 28)) -> Cost:
    """Return the cost of a network on one uint8 image of that shape.

    It is the same in training and evaluation: `cost(cnn())`.  The program is traced, not run,
    and its products are counted; a loop of unknown length counts as one round.
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
        # Each output is a sum over all of the kernel but its output channels.
        kernel, (channels, *_) = equation.invars[1].aval.shape, params["dimension_numbers"][1]
        return out * math.prod(kernel) // kernel[channels]
    if name == "cond":  # one branch for each kind of device
        return max(_products(branch.jaxpr) for branch in params["branches"])
    times = params["length"] if name == "scan" else 1
    return times * sum(map(_products, _inside(params)))


def _inside(params: dict[str, Any]) -> Iterator[Jaxpr]:
    """Yield the programs in an equation, such as a scan or a jitted function."""
    for value in jax.tree.leaves(params, is_leaf=lambda v: isinstance(v, ClosedJaxpr | Jaxpr)):
        if isinstance(value, ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, Jaxpr):
            yield value
