"""Learning rules compared: accuracy, alignment, time and memory.

    JAXDIGITS_DATA=FOLDER python experiments/learning_rules.py COMMAND [RULE ...]

One network (784-256-10, T = 25), one budget, every rule; MNIST in 55,000 / 5,000 / 10,000.

    tune      the learning rate: the best of `RATES` on the validation images, in one short
              training of a seed that is not among those of `run`; the other settings suited
              BPTT best, on validation images too
    run       `SEEDS` networks in one program: each at its best epoch on validation data, then
              the test set, read once; and after each epoch the cosine of the rule's gradient
              with BPTT's for the same params, spikes and examples
    same      with one hidden layer several rules are one: the distance of their gradients
    time      an epoch of one network, the rules in turn, several rounds
    memory    the need of the compiled gradient of one batch without its arguments, against T
    table, figures      print and draw the results so far

Each result joins learning_rules.json when it is ready.
"""

import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core import machine

from jaxdigits.data import Dataset, mnist, split
from jaxdigits.gradients import by_hand
from jaxdigits.losses import cross_entropy
from jaxdigits.measure import score
from jaxdigits.models import snn
from jaxdigits.plots import lines_figure
from jaxdigits.runs import Config, config_for
from jaxdigits.train import (
    Hooks,
    Recipe,
    adamw,
    fit_population,
    initial_state,
    logits_of,
    run_epoch,
)
from jaxdigits.train.epoch import before_first_epoch
from jaxdigits.train.sharding import place
from jaxdigits.tree import relative_error

HERE = Path(__file__).parent
RESULTS = HERE / "learning_rules.json"
FIGURES = HERE.parent / "docs" / "images"
SEEDS, TUNING_SEED = range(5), 100
EPOCHS, TUNING_EPOCHS, ROUNDS = 8, 3, 3
RATES = (5e-4, 1e-3, 2e-3, 4e-3)
EVENT_RATES = (5e-3, 1e-2, 2e-2, 4e-2)  # its weights are larger
NETWORK: dict[str, Any] = dict(hidden=[256], steps=25, dropout_rate=0.2)
EVENTS = dict(hidden=[256])
RULES = {  # label -> gradient
    "BPTT": "bptt",
    "e-prop, symmetric": "eprop",
    "e-prop, random": "eprop_random",
    "e-prop, adaptive": "eprop_adaptive",
    "OTTT": "ottt",
    "feedback alignment": "feedback",
    "DRTP": "drtp",
    "forward gradient": "forward",
    "EventProp": "eventprop",
    "e-prop, online": "eprop_online",
    "OTTT, online": "ottt_online",
    "RTRL": "rtrl",
}
SAME_AS = {  # with one hidden layer: not trained again
    "e-prop, symmetric": "BPTT",
    "e-prop, online": "BPTT",
    "OTTT": "BPTT",
    "OTTT, online": "BPTT",
    "RTRL": "BPTT",
    "feedback alignment": "e-prop, random",
}
LENGTHS = (10, 25, 50, 100, 200)
ALIGNED = 500  # validation examples on which gradients are compared


def config(label: str, rate: float = 2e-3, epochs: int = EPOCHS, **options: Any) -> Config:
    """Return the run of a rule, apart from its seeds."""
    given: dict[str, Any] = dict(
        epochs=epochs, learning_rate=rate, gradient=RULES[label], data="mnist"
    )
    if label == "EventProp":
        return config_for("event_snn", options=EVENTS | options, **given)
    return config_for("snn", weight_decay=0.01, options=NETWORK | options, **given)


def data() -> tuple[Dataset, Dataset, Dataset]:
    """Return (train, valid, test)."""
    both, test = mnist()
    train, valid = split(both, (55_000, 5_000), seed=0)
    return train, valid, test


def train_many(c: Config, keys: jax.Array, rates: Any, sets, watch: Any = lambda state: {}):
    """Train one network per key and learning rate, in one program."""
    steps = c.epochs * (len(sets[0].label) // c.batch)
    optimizer = lambda rate: adamw(rate, steps, weight_decay=c.weight_decay)
    recipe = Recipe(
        c.build(), optimizer, epochs=c.epochs, batch=c.batch, loss=cross_entropy(c.smoothing),
        estimator=c.estimator(), ema=c.ema,
    )  # fmt: skip
    hooks = Hooks(report=progress, watch=watch)
    return fit_population(recipe, sets[0], sets[1], keys, jnp.asarray(rates), hooks)


def progress(row: dict[str, Any]) -> None:
    """Print one line per epoch, on the standard error."""
    accuracy = " ".join(f"{100 * a:.2f}" for a in row["valid_accuracy"])
    print(f"  epoch {row['epoch']}: {accuracy} %, {row['seconds']:.0f} s", file=sys.stderr)


def tune(label: str) -> dict[str, Any]:
    """Return the validation accuracy of each learning rate."""
    c = config(label, epochs=TUNING_EPOCHS)
    rates = EVENT_RATES if c.network == "event_snn" else RATES
    keys = jnp.stack([jax.random.key(TUNING_SEED)] * len(rates))
    many = train_many(c, keys, rates, data())
    accuracy = np.where(many.diverged, 0.0, many.valid_accuracy)
    return {
        "valid_accuracy": dict(zip(map(str, rates), accuracy.tolist(), strict=True)),
        "learning_rate": rates[int(accuracy.argmax())],
    }


def run(label: str) -> dict[str, Any]:
    """Return accuracies of all seeds, and the alignment of each epoch."""
    rate = json.loads(RESULTS.read_text())["tune"][SAME_AS.get(label, label)]["learning_rate"]
    c, sets = config(label, rate), data()
    keys = jnp.stack([jax.random.key(seed) for seed in SEEDS])
    aligned = alignment(c, sets[1]) if c.network == "snn" else lambda params: []
    many = train_many(
        c, keys, [rate] * len(SEEDS), sets, lambda state: {"cosine": aligned(state.params)}
    )

    @jax.jit
    def test(params, key):
        network = c.build()(training=False, statistics=())
        return logits_of(network, params, sets[2].inputs, key)[0]

    member = lambda i: jax.tree.map(lambda a: a[i], many.params)
    logits = np.stack([test(member(i), keys[i]) for i in range(len(keys))])
    return score(logits, sets[2].label)._asdict() | {
        "learning_rate": rate,
        "epochs": EPOCHS,
        "valid_accuracy": many.valid_accuracy.tolist(),
        "best_epoch": many.best_epoch.tolist(),
        "valid_curve": [row["valid_accuracy"] for row in many.history],
        "cosine": [row["cosine"] for row in many.history],
        "machine": machine(),
    }


def alignment(c: Config, valid: Dataset):
    """Map params of all members to [members][dense layers] cosines with BPTT's gradient."""
    loss = cross_entropy(c.smoothing)
    rule = c.estimator()(c.build()(training=True), loss)
    bptt = by_hand(snn(**NETWORK), loss)
    batch = valid.inputs[:ALIGNED], valid.label[:ALIGNED]

    def weights(estimate, params):
        grads = estimate(params, batch, jax.random.key(0))[1]
        return [layer["weight"] for layer in grads if "weight" in layer]

    def cosines(params):
        pairs = zip(weights(rule, params), weights(bptt, params), strict=True)
        unit = lambda a: a.ravel() / jnp.linalg.norm(a)
        return jnp.stack([unit(a) @ unit(b) for a, b in pairs])

    of_members = jax.jit(jax.vmap(cosines))
    return lambda params: np.asarray(of_members(params)).tolist()


def same(label: str) -> dict[str, Any]:
    """Measure how far the gradient is from the rule that it should equal, in 5 networks."""
    train, _, _ = data()
    worst = 0.0
    for seed in SEEDS:
        key, rows = jax.random.key(seed), slice(32 * seed, 32 * (seed + 1))
        batch = train.inputs[rows], train.label[rows]
        params, _ = snn(**NETWORK).init(key, (28, 28))
        both = []
        for name in (label, SAME_AS[label]):
            c = config(name)
            estimate = c.estimator()(c.build()(training=True), cross_entropy(c.smoothing))
            both.append(
                map(np.asarray, jax.tree.leaves(jax.jit(estimate)(params, batch, key)[1]))
            )
        worst = max(worst, *(relative_error(a, b) for a, b in zip(*both, strict=True)))
    return {"as": SAME_AS[label], "largest_relative_error": worst}


def epoch_times(labels: list[str]) -> dict[str, float]:
    """Return the median seconds of an epoch of one network, the rules in turn."""
    train, valid, _ = data()
    programs, states = {}, {}
    for label in labels:
        c = config(label)
        optimizer = adamw(c.learning_rate, 10_000, weight_decay=c.weight_decay)
        recipe = Recipe(
            c.build(), optimizer, epochs=1, batch=c.batch, loss=cross_entropy(c.smoothing),
            estimator=c.estimator(), ema=c.ema,
        )  # fmt: skip
        state = initial_state(recipe, (28, 28), jax.random.key(0))
        best = before_first_epoch(recipe, state, train)
        args = state, best, *place((train, valid), None)
        programs[label] = jax.jit(partial(run_epoch, recipe)).lower(*args).compile()
        states[label] = args
    seconds: dict[str, list[float]] = {label: [] for label in labels}
    for _ in range(ROUNDS):
        for label in labels:
            clock = time.perf_counter()
            jax.block_until_ready(programs[label](*states[label]))
            seconds[label].append(time.perf_counter() - clock)
            print(f"  {label}: {seconds[label][-1]:.1f} s", file=sys.stderr)
    return {label: statistics.median(values) for label, values in seconds.items()}


def memory(label: str) -> dict[str, int]:
    """Return the bytes of one batch's compiled gradient without its arguments, by T."""
    needed = {}
    for steps in LENGTHS:
        c = config(label, steps=steps)
        network = c.build()(training=True)
        estimate = c.estimator()(network, cross_entropy(c.smoothing))
        params = jax.eval_shape(lambda n=network: n.init(jax.random.key(0), (28, 28))[0])
        batch: Any = (
            jax.ShapeDtypeStruct((c.batch, 28, 28), jnp.uint8),
            jax.ShapeDtypeStruct((c.batch,), jnp.int32),
        )
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 128))
        gradient = jax.jit(lambda p, b, k, e=estimate: e(p, b, k)[1])
        program: Any = gradient.lower(params, batch, keys).compile()
        needed[str(steps)] = program.memory_analysis().temp_size_in_bytes
    return needed


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| rule | test accuracy, 5 seeds | 95 % interval | learning rate | s per epoch "
        "| MB at T = 25 | MB at T = 200 |",
        "|---|---|---|---|---|---|---|",
    ]
    for label in RULES:
        if r := results["run"].get(label):
            low, high = (100 * bound for bound in r["test_interval"])
            reached = f"{100 * r['test_accuracy']:.2f} ± {100 * r['test_std']:.2f} %"
            accuracy = f"{reached} | {low:.2f} to {high:.2f} % | {r['learning_rate']:g}"
        else:
            equal = results["same"][label]
            error = equal["largest_relative_error"]
            accuracy = f"{equal['as']}, {f'to {error:.0e}' if error else 'bit for bit'} | |"
        took = results["time"]["seconds"].get(label)
        needs = (results["memory"][label][T] / 1e6 for T in ("25", "200"))
        epoch = "–" if took is None else f"{took:.1f}"
        lines.append(
            f"| {label} | {accuracy} | {epoch} | {' | '.join(f'{n:.0f}' for n in needs)} |"
        )
    return "\n".join(lines)


def figures(results: dict[str, Any]) -> None:
    """Draw the alignment of the hidden layer over the epochs, and the memory against T."""
    FIGURES.mkdir(exist_ok=True)
    hidden = {
        label: np.mean(r["cosine"], 1)[:, 0]
        for label, r in results["run"].items()
        if np.size(r["cosine"])
    }
    lines_figure(
        np.arange(1, EPOCHS + 1), hidden, x_label="epoch",
        y_label="cosine with BPTT, hidden weights",
    ).savefig(FIGURES / "rules-alignment.png", dpi=120)  # fmt: skip
    needs = {
        label: np.array([results["memory"][label][str(T)] for T in LENGTHS]) / 1e6
        for label in ("BPTT", "e-prop, online", "OTTT, online", "RTRL")
    }
    lines_figure(
        np.array(LENGTHS), needs, x_label="time steps T", y_label="MB for one gradient",
        log=True,
    ).savefig(FIGURES / "rules-memory.png", dpi=120)  # fmt: skip


def main() -> None:
    command, *labels = sys.argv[1:]
    empty: dict[str, Any] = {"tune": {}, "run": {}, "same": {}, "time": {}, "memory": {}}
    results = empty | (json.loads(RESULTS.read_text()) if RESULTS.exists() else {})
    save = lambda: RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if command == "table":
        print(table(results))
        return
    if command == "figures":
        figures(results)
        return
    if command == "time":
        seconds = epoch_times(labels or [r for r in RULES if r != "RTRL"])
        results["time"] = {"seconds": seconds, "rounds": ROUNDS, "machine": machine()}
        save()
        return
    actions = {"tune": tune, "run": run, "same": same, "memory": memory}
    trained = [label for label in RULES if label not in SAME_AS]
    every = {"tune": trained, "run": trained, "same": list(SAME_AS), "memory": list(RULES)}
    for label in labels or every[command]:
        print(f"{command} {label}", file=sys.stderr)
        results[command][label] = actions[command](label)
        save()


if __name__ == "__main__":
    main()
