"""Operations and energy of a run, for `evaluate --energy` and the report of `plot`."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from jaxdigits.cli.report import table

EXAMPLES = 500  # test examples whose operations are counted
ROWS = {
    "acs": "accumulates", "macs": "multiply-accumulates", "dense": "with zeros too",
    "updates": "neuron updates", "activation_sparsity": "inputs that are 0",
    "connection_sparsity": "weights that are 0", "footprint": "bytes of params",
}  # fmt: skip
NOTE = """\
means over {examples} test examples, of the network of seed {seed}
{beside}the energy is that of arithmetic only: memory traffic, which dominates, is not in it"""
BESIDE = """\
beside it an artificial network of the same shape and weights, whose zeros are skipped too
"""
Counts = dict[str, Any]


def count_operations(run: Any, test: Any) -> Counts:
    """Return the operations of a run's first network and of its artificial twin, as means.

    Raises:
      ValueError: for a network whose operations cannot be counted.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxdigits.interop import nir_network
    from jaxdigits.measure import TABLES, ann_of, energy, synops
    from jaxdigits.runs.answer import members_of
    from jaxdigits.runs.export import plain_config
    from jaxdigits.train.state import evaluation_keys

    params, statistics, key = members_of(run)[0]
    config = plain_config(run.config)  # for the spikes to be in the residual
    network = config.build()(training=False, statistics=statistics)
    keys = evaluation_keys(key, jnp.arange(min(EXAMPLES, len(test))))
    images = test.inputs.take(jnp.arange(len(keys)), keys)
    networks = {"network": (network, params)}
    if config.graph is None:
        with suppress(ValueError):  # two senses, or spikes between steps
            networks["artificial"] = ann_of(network, params)
    counts: Counts = dict(examples=len(keys), seed=run.config.seed)
    for name, (each, own) in networks.items():
        few = run.config.bits
        count = jax.jit(
            lambda own, images, each=each: synops(
                each, own, images, keys, bits=few, others={nir_network: _of_graph}
            )
        )
        ops = count(own, images)
        counts[name] = {field: float(np.mean(value)) for field, value in ops._asdict().items()}
        counts[name]["energy_nJ"] = {
            label: float(np.mean(energy(ops, entry))) for label, entry in TABLES.items()
        }
    return counts


def _of_graph(layer: Any, params: Any, inner: Any) -> Iterator[Any]:
    """Yield the weights of an imported graph's nodes, with their inputs."""
    from jaxdigits.interop.importing import units_of_layer
    from jaxdigits.measure.synops import Product

    units = units_of_layer(layer)
    for name, p in params.items():
        if "weight" in p:
            yield Product(units[name].layer, p["weight"], inner[name])


def table_of_operations(counts: Counts) -> str:
    """Return the operations, and then the energies, as a table with its note."""
    head, rows, note = rows_of_operations(counts)
    return f"{table(head, rows)}\n{note}"


def rows_of_operations(counts: Counts) -> tuple[list[str], list[list[str]], str]:
    """Return the head, the rows and the note of a table of operations and energies."""
    from jaxdigits.measure import TABLES

    note = NOTE.format(beside=BESIDE if "artificial" in counts else "", **counts)
    columns = [name for name in ("network", "artificial") if name in counts]
    text = lambda value: f"{value:.3f}" if 0 < value < 1 else f"{value:,.0f}"
    rows = [[label, *(text(counts[c][name]) for c in columns)] for name, label in ROWS.items()]
    for name, entry in TABLES.items():
        energies = (f"{counts[c]['energy_nJ'][name]:.1f}" for c in columns)
        rows.append([f"nJ, {entry.source}", *energies])
    return ["operations per example", *columns], rows, note
