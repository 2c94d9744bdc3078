"""This library, as `jaxdigits bench` times it; the variant `floor` does the products alone."""

import time
from functools import partial

import jax
import jax.numpy as jnp

from jaxdigits import bench, serial
from jaxdigits.bench.workloads import convolutional, perceptron, spiking_conv
from jaxdigits.layers import dense
from jaxdigits.models.choices import MNIST_MEAN as MEAN
from jaxdigits.models.choices import MNIST_STD as STD
from jaxdigits.spikes import PRESETS, lif, spike_count

# A neuron by its decay: its name among the presets.
DECAYS = {
    "snntorch_leaky": lambda beta: {"beta": beta},
    "spyx_lif": lambda beta: {"beta": beta},
    "spikingjelly_lif": lambda beta: {"tau": 1 / (1 - beta)},
    "norse_lif_box": lambda beta: {"tau_mem_inv": (1 - beta) / 0.001},
    "sinabs_lif": lambda beta: {"tau_mem": -1 / jnp.log(beta).item()},
}


def describe(variant):
    return dict(
        versions={"jaxdigits": _version("jaxdigits"), "jax": jax.__version__},
        configuration="the products alone" if variant == "floor" else "train_step; optax.adam",
        workloads=list(bench.WORKLOADS), neuron=["snntorch_leaky", {}], shrinks=False,
    )  # fmt: skip


def prepare(variant, spec, image, label):
    workload = bench.WORKLOADS[spec["name"]]
    if variant == "floor":
        _, run = bench.floor_of(workload)
    else:
        run = workload.program().step

    def step():
        clock = time.perf_counter()
        run()
        return time.perf_counter() - clock

    return step


def forward(variant, spec, arrays, neuron=None):
    """Return the output of the same network with a peer's neurons: [preset, its options]."""
    name, options = neuron or ["snntorch_leaky", {}]
    constants = PRESETS[name](**DECAYS[name](spec.get("decay", 0.5)), **options)
    fire = partial(lif, **constants)
    x = jnp.asarray(arrays["x"])
    if spec["kind"] == "snn":
        layers = [layer for n in spec["sizes"][1:] for layer in (dense(n), fire())]
        network, shape = serial(*layers, spike_count()), x.shape[2:]
    else:
        # The preset brings its own slope.
        make = lambda surrogate: fire()
        nets = {"conv_snn": lambda: spiking_conv(spec["steps"], neuron=make),
                "cnn": convolutional, "mlp": lambda: perceptron(spec["sizes"])}  # fmt: skip
        network, shape = nets[spec["kind"]](), (28, 28)
        if spec["kind"] != "conv_snn":
            x = x * STD + MEAN  # the network standardises; the peers' do not
    params, _ = network.init(jax.random.key(0), shape)
    shared = iter(range(len(arrays)))
    owns = lambda p: isinstance(p, dict) and "weight" in p

    def given(p):
        if not owns(p):
            return p
        i = next(shared)
        return {
            "weight": jnp.asarray(arrays[f"weight{i}"]),
            "bias": jnp.asarray(arrays[f"bias{i}"]),
        }

    params = jax.tree.map(given, params, is_leaf=owns)
    return jax.jit(lambda params, x: network.forward(params, x, None)[0])(params, x)


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
