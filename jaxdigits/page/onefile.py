"""A run as one web page that needs no server: draw a digit, and see the answer and its spikes.

The page is a single file of at most a million bytes, with its style, its scripts and the
network inside.  Its Content-Security-Policy lets the browser load nothing else and send nothing
away.  The scripts prepare a picture as `jaxdigits.data` does, and draw the spikes that
`predict` draws of a run.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.data import Dataset
from jaxdigits.data.catalogue import blank
from jaxdigits.interop.artefact import write_artefact
from jaxdigits.layer import Params
from jaxdigits.measure import threshold
from jaxdigits.page.onefile_ops import FLOAT, operations, rounded_weights
from jaxdigits.runs.export import Comparison, Member, compare, member_of
from jaxdigits.runs.folder import Run
from jaxdigits.runs.promise import page_share
from jaxdigits.train.state import evaluation_keys
from jaxdigits.tree import named_leaves

LARGEST = 1_000_000  # bytes of a page
LEAST, MOST = 8, 24  # bits of a weight that is no float32
SHAPE = (28, 28)  # of the pictures that the page's preparation makes
SCRIPTS = tuple(
    f"onefile_{name}.js"
    for name in ("pixels", "lines", "prepare", "network", "figures", "page")
)


class Page(NamedTuple):
    """A page, and the network inside."""

    html: str
    params: Params
    """with the weights of the page"""
    bits: int
    """of each weight"""


def export_page(run: Run, path: Path, test: Dataset, *, seed: int | None = None) -> Comparison:
    """Write one of a run's networks as a page with a manifest, and compare its weights.

    The comparison is of the page's network, in Python, with the run on the test set.

    Raises:
      ValueError: as `to_page`, and for a seed that the run does not have.
    """
    member = member_of(run, seed)
    page = to_page(run, member)
    forward = jax.jit(lambda inputs, keys: member.plain.forward(page.params, inputs, keys)[0])
    program: Callable[..., Any] = lambda inputs, keys: [np.asarray(forward(inputs, keys))]
    own = member.network, member.params
    compared = compare((own, own), program, test, member.key)
    compared = compared._replace(notes=(f"its weights have {page.bits} bits",))
    write_artefact(
        path, page.html.encode(), blank(SHAPE, 1), kind="html", seed=member.seed,
        network=run.config.network, options=dict(run.config.options), data=run.config.data,
        classes=list(run.config.names), temperature=run.temperature, bits=page.bits,
        compared=compared._asdict(),
    )  # fmt: skip
    return compared


def to_page(run: Run, member: Member) -> Page:
    """Return a page of one of the run's networks, with the most precise weights that fit.

    Raises:
      ValueError: for a run that reads no pictures of 28 × 28 pixels, for a layer that a page
        cannot compute, by name, or for a network that is too large.
    """
    config = run.config
    if config.hears or config.reads_fields or config.own or tuple(config.features) != SHAPE:
        raise ValueError(
            f"a page prepares a picture of one digit as MNIST's, and {config.network} on "
            f"{config.data} takes other inputs: export the run to stablehlo"
        )
    key = evaluation_keys(member.key, jnp.zeros(1, int))[0]  # as `answerer`: a first example

    def page(bits):
        row = operations(member.plain, member.weights, SHAPE, key, bits=bits)
        return Page(_html(run, row), rounded_weights(member.weights, bits), bits)

    if len((best := page(FLOAT)).html) <= LARGEST:
        return best
    # Base64 has six bits in a byte.
    weights = _count_weights(member.weights)
    rest = len(best.html) - weights * FLOAT // 6
    for bits in range(min(MOST, 6 * (LARGEST - rest) // weights), LEAST - 1, -1):
        if len((best := page(bits)).html) <= LARGEST:
            return best
    raise ValueError(
        f"the network has {weights:,} weights, too many for a page of {LARGEST:,} bytes with "
        f"{LEAST} bits for each: export the run to onnx, or train a smaller network"
    )


def _count_weights(params: Params) -> int:
    leaves = named_leaves(params).items()
    return sum(leaf.size for name, leaf in leaves if name.endswith("weight"))


def _html(run: Run, row: list[dict[str, Any]]) -> str:
    """Return the text of a page with a network's operations."""
    config = run.config
    facts = dict(
        names=list(config.names), temperature=run.temperature, unsure=_unsure(run),
        shape=SHAPE, ops=row,
    )  # fmt: skip
    script, style = "".join(map(_text, SCRIPTS)), _text("onefile.css")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    kind = "spiking network" if any(op["op"] == "lif" for op in row) else "network"
    return Template(_text("onefile.html")).substitute(
        policy=policy, title="Draw a digit", style=style, script=script,
        summary=f"A {kind} ({config.network}) of jaxdigits reads it, in your browser.",
        network=json.dumps(facts, separators=(",", ":")).replace("<", "\\u003c"),
    )  # fmt: skip


def _unsure(run: Run) -> dict[str, float] | None:
    """Return the probability that an answer has to exceed; None where none is promised."""
    if run.doubt is None:
        return None
    error = page_share(run.doubt)
    limit = threshold(run.doubt, error)
    return None if limit is None else dict(error=error, limit=limit)


def _text(name: str) -> str:
    return (files("jaxdigits.page") / name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
