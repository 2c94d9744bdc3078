"""Programs do what they say: they learn, their inputs change, and they tell what they need."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.bench import programs
from jaxdigits.bench.workloads import perceptron
from jaxdigits.train import TrainState


def copied(array):
    """A key as its numbers, and what a program may take over as it was before."""
    is_key = jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
    return np.array(jax.random.key_data(array) if is_key else array)


@pytest.fixture
def calls(monkeypatch):
    """What each compiled program was called with, by the order of calls."""
    seen, compile = [], programs.compiled

    def watched(function, *args, donate=()):
        program, seconds, memory = compile(function, *args, donate=donate)

        def call(*args):
            seen.append(jax.tree.map(copied, args))
            return program(*args)

        return call, seconds, memory

    monkeypatch.setattr(programs, "compiled", watched)
    return seen


def test_all_programs_run_and_say_what_they_need(tiny):
    for name, workload in tiny.items():
        program = workload.program()
        program.step()
        program.step()
        assert program.compile_seconds > 0, name
        assert program.memory > 0, name


def test_training_takes_another_step_on_other_examples_at_each_call(calls):
    program = programs.training(perceptron((784, 3, 10)), 5)
    for _ in range(2):
        program.step()
    (_, first, data, rows), (_, second, _, others) = calls
    assert isinstance(first, TrainState)
    assert (first.step, second.step) == (0, 1)  # from which the keys of a step are made
    assert set(rows) != set(others)
    assert len(data) == programs.EXAMPLES
    weights = [state.params[2]["weight"] for state in (first, second)]
    assert (weights[0] != weights[1]).any()


@pytest.mark.parametrize("name", ["S2-forward", "S2-backward", "S3-3"])
def test_inputs_change_from_call_to_call(calls, tiny, name):
    program = tiny[name].program()
    program.step()
    program.step()
    leaves = [jax.tree.leaves(args[1:]) for args in calls]
    assert any((a != b).any() for a, b in zip(*leaves, strict=True))


def test_a_population_is_the_loop_over_its_networks(calls):
    """The same keys, rates and batches: after a step, the same losses' effect on the params."""
    network = perceptron((784, 3, 10))
    makes = programs.training, programs.one_by_one
    together, apart = (make(network, 5, members=2) for make in makes)
    for _ in range(2):
        together.step()
    many = calls[-1][1].params
    calls.clear()
    for _ in range(2):
        apart.step()
    singles = [args[1].params for args in calls[-2:]]
    for leaf, *each in zip(*map(jax.tree.leaves, (many, *singles)), strict=True):
        np.testing.assert_allclose(leaf, np.stack(each), rtol=1e-4, atol=1e-6)
