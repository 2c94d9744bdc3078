"""The workloads of the benchmark, W1 to W8, each with the products that are its floor.

The spiking networks come from snnTorch's tutorials: LIF neurons with a decay of 0.95 (W3:
0.5), threshold 1, a reset by subtraction one step later and a fast sigmoid of sharpness 25 as
slope, in the output layer too, whose spike counts are the logits.  Nothing drops out and
nothing is normalised.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from jaxdigits import layers as ly
from jaxdigits.bench import programs
from jaxdigits.bench.products import Product, conv_products, dense_products, in_order
from jaxdigits.layer import Layer, serial
from jaxdigits.models import conv_snn, mlp, snn
from jaxdigits.models.choices import MNIST_MEAN, MNIST_STD
from jaxdigits.spikes import fast_sigmoid, lif, spike_count
from jaxdigits.train.evaluate import BATCH as PART

DECAY, CONV_DECAY = 0.95, 0.5


@dataclass(frozen=True)
class Workload:
    """One row of the benchmark."""

    title: str
    samples: int
    """examples in a step"""
    program: Callable[[], programs.Program]
    """compiles the step"""
    products: Callable[[int], tuple[Product, ...]]
    """returns the products of one of n equal parts of the batch"""
    cuts: tuple[int, ...] = (1,)
    """numbers of parts that the floor tries"""
    repeat: int = 1
    """how often the step does the products of the whole"""

    @property
    def flops(self) -> int:
        """Floating-point operations of the step's products."""
        return self.repeat * sum(product.flops for product in self.products(1))


def spiking(
    sizes: Sequence[int],
    steps: int,
    *,
    decay: float = DECAY,
    neuron: Callable[..., Layer] | None = None,
    **options: Any,
) -> Layer:
    """Build a rate-coded network of LIF neurons that counts its output's spikes.

    Args:
      sizes: of the input and of each layer, as (784, 512, 10).
      neuron: in place of the benchmark's own, from its surrogate.
      options: of `snn`.
    """
    fire = neuron or partial(lif, decay=decay)
    return snn(
        hidden=sizes[1:-1], steps=steps, neuron=fire, surrogate=fast_sigmoid(),
        readout=lambda: serial(fire(fast_sigmoid()), spike_count()),
        dropout_rate=0.0, classes=sizes[-1], **options,
    )  # fmt: skip


def spiking_conv(steps: int, *, neuron: Callable[..., Layer] | None = None) -> Layer:
    """Build 12C5-P2-64C5-P2-10 with direct input and spike counts: snnTorch's tutorial 6."""
    fire = neuron or partial(lif, decay=CONV_DECAY)
    return conv_snn(
        steps=steps, neuron=fire, surrogate=fast_sigmoid(), norm=None, dropout_rate=0.0,
        readout=lambda: serial(fire(fast_sigmoid()), spike_count()),
    )  # fmt: skip


def convolutional() -> Layer:
    """Build 32C3-64C3-P2-128-10 without padding; the maximum comes before the rectifier."""
    return serial(
        ly.standardise(MNIST_MEAN, MNIST_STD), ly.add_channel(),
        ly.conv2d(32, 3, padding="VALID"), ly.relu(),
        ly.conv2d(64, 3, padding="VALID"), ly.max_pool(2), ly.relu(), ly.flatten(3),
        ly.dense(128), ly.relu(), ly.dense(10, gain=1.0),
    )  # fmt: skip


def perceptron(sizes: Sequence[int]) -> Layer:
    """Build a multilayer perceptron without dropout, of [28, 28] images."""
    return mlp(hidden=sizes[1:-1], classes=sizes[-1], dropout_rate=0.0)


def fully_connected(
    rows: int, sizes: Sequence[int], *, training: bool = True, members: int | None = None
) -> tuple[Product, ...]:
    """Return the products of dense layers of those sizes, in the order of a step."""
    layers = []
    for i, (m, n) in enumerate(pairwise(sizes)):
        back = dict(to_weight=training, to_input=training and i > 0)
        # Networks that all take the same input make one wide product of it.
        n, each = (n, members) if i else (n * (members or 1), None)
        layers.append(dense_products(rows, m, n, members=each, **back))
    return in_order(layers)


def cuts(batch: int) -> tuple[int, ...]:
    """Return 1 and the powers of two that cut a batch into parts of four examples or more."""
    powers = (2**i for i in range(1, 6))
    return 1, *(parts for parts in powers if batch % parts == 0 and batch >= 4 * parts)


def train_snn(sizes: Sequence[int], steps: int, batch: int, mixed: bool = False) -> Workload:
    """A training step of `spiking`; the floor has full precision."""
    title = f"SNN {_dashed(sizes)}, Bernoulli input, T = {steps}, batch {batch}"
    network = partial(spiking, sizes, steps, precision="mixed" if mixed else "full")
    products = lambda n: fully_connected(steps * n, sizes)
    return _training(title + ", mixed precision" * mixed, batch, network, products)


def train_conv_snn(steps: int, batch: int) -> Workload:
    """A training step of `spiking_conv`; the first convolution runs once, not each step."""
    title = f"SNN 12C5-P2-64C5-P2-10, direct input, T = {steps}, batch {batch}"
    return _training(title, batch, partial(spiking_conv, steps), lambda n: in_order([
        conv_products(n, 28, 1, 12, 5, to_input=False),
        conv_products(steps * n, 12, 12, 64, 5),
        dense_products(steps * n, 1024, 10),
    ]))  # fmt: skip


def train_mlp(sizes: Sequence[int], batch: int) -> Workload:
    """A training step of `perceptron`."""
    title, network = f"MLP {_dashed(sizes)}, batch {batch}", partial(perceptron, sizes)
    return _training(title, batch, network, lambda n: fully_connected(n, sizes), cut=False)


def train_cnn(batch: int) -> Workload:
    """A training step of `convolutional`."""
    title = f"CNN 32C3-64C3-P2-128-10, batch {batch}"
    return _training(title, batch, convolutional, lambda n: in_order([
        conv_products(n, 28, 1, 32, 3, to_input=False),
        conv_products(n, 26, 32, 64, 3),
        dense_products(n, 9216, 128),
        dense_products(n, 128, 10),
    ]))  # fmt: skip


def lif_layer(n: int, steps: int, batch: int, *, back: bool) -> Workload:
    """One direction through a dense layer and its neurons."""
    network, shape = serial(ly.dense(n, gain=1 / 3), lif(decay=DECAY)), (steps, batch, n)
    run, way = (programs.backward, "backward") if back else (programs.forward, "forward")
    one = dict(forward=not back, to_weight=back, to_input=False)
    return Workload(
        f"dense {n}×{n} and {n} LIF, T = {steps}, batch {batch}: {way}",
        batch,
        lambda: run(network, shape),
        lambda parts: dense_products(steps * batch // parts, n, n, **one),
    )


def infer(name: str, network: Callable[[], Layer], sizes, steps: int, batch: int) -> Workload:
    """Images to digits; many at once in parts, as `logits_of` takes them."""
    part = min(batch, PART)
    return Workload(
        f"{name}, batch {batch}: inference",
        batch,
        lambda: programs.inference(network(), batch),
        lambda parts: fully_connected(steps * part // parts, sizes, training=False),
        repeat=-(-batch // part),
    )


def train_many(sizes: Sequence[int], batch: int, members: int, *, loop: bool) -> Workload:
    """A training step of several networks, together or in a loop."""
    way, together = ("a loop", None) if loop else ("one step", members)
    run = programs.one_by_one if loop else programs.training
    return Workload(
        f"{members} × MLP {_dashed(sizes)}, own learning rates, batch {batch}: {way}",
        batch * members,
        lambda: run(perceptron(sizes), batch, members=members),
        lambda parts: fully_connected(batch // parts, sizes, members=together),
        repeat=members if loop else 1,
    )


def select(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return the workloads named in full or up to a hyphen; all without names.

    Raises:
      ValueError: for an unknown name, with the known ones.
    """
    chosen = set()
    for name in names:
        group = {k for k in known if f"{k}-".lower().startswith(f"{name}-".lower())}
        if not group:
            raise ValueError(f"unknown workload {name!r}: choose from {', '.join(known)}")
        chosen |= group
    return [k for k in known if k in chosen] if chosen else list(known)


def _training(title: str, batch: int, network, products, *, cut: bool = True) -> Workload:
    """A training step, with the products of n examples."""
    return Workload(
        f"{title}: training step",
        batch,
        lambda: programs.training(network(), batch),
        lambda parts: products(batch // parts),
        cuts=cuts(batch) if cut else (1,),
    )


def _dashed(sizes: Sequence[int]) -> str:
    return "-".join(map(str, sizes))


_SNN, _MLP = (784, 512, 10), (784, 800, 800, 10)
_snn, _mlp = partial(spiking, _SNN, 25), partial(perceptron, _MLP)
WORKLOADS: dict[str, Workload] = {
    "W1-T25": train_snn(_SNN, 25, 128),
    "W1-T25-mixed": train_snn(_SNN, 25, 128, mixed=True),
    "W1-T100": train_snn(_SNN, 100, 128),
    "W2": train_snn((784, 1000, 1000, 10), 50, 256),
    "W3": train_conv_snn(25, 128),
    "W4-forward": lif_layer(512, 500, 16, back=False),
    "W4-backward": lif_layer(512, 500, 16, back=True),
    "W5": train_mlp(_MLP, 128),
    "W6": train_cnn(128),
    "W7-snn-1": infer("SNN of W1", _snn, _SNN, 25, 1),
    "W7-snn-10000": infer("SNN of W1", _snn, _SNN, 25, 10_000),
    "W7-mlp-1": infer("MLP of W5", _mlp, _MLP, 1, 1),
    "W7-mlp-10000": infer("MLP of W5", _mlp, _MLP, 1, 10_000),
    "W8-population": train_many((784, 128, 10), 128, 16, loop=False),
    "W8-loop": train_many((784, 128, 10), 128, 16, loop=True),
}
