"""A space is data: each point has one setting, and no bad space is built."""

import json
import math

import numpy as np
import pytest

from jaxdigits.search.cube import point_of, settings_at, unit_of, value_at
from jaxdigits.search.space import Choice, Real, Space, Whole, free
from jaxdigits.search.texts import entry_of, space_from_json, space_to_json, text_of

SPACE = Space(
    adaptation=Real(0.0, 1.0, when=("neuron", "alif")),
    lr=Real(1e-4, 3e-2, log=True),
    neuron=Choice("lif", "alif"),
    hidden=Choice((256,), (512, 256)),
    steps=Whole(5, 25),
    batch=32,
)


def test_an_inactive_entry_is_absent_and_parents_come_first():
    point = dict.fromkeys(free(SPACE), 0.25)
    assert "adaptation" not in settings_at(SPACE, point)
    settings = settings_at(SPACE, point | {"neuron": 0.75})
    assert settings["adaptation"] == 0.25
    assert settings["batch"] == 32
    names = list(SPACE.entries)
    assert names.index("neuron") < names.index("adaptation")
    assert "batch" not in free(SPACE)


@pytest.mark.parametrize("seed", range(20))
def test_settings_go_to_a_point_and_back(seed):
    draw = np.random.default_rng(seed).random
    settings = settings_at(SPACE, {name: float(draw()) for name in free(SPACE)})
    assert settings_at(SPACE, point_of(SPACE, settings)) == settings


def test_the_cube_covers_ranges_evenly_and_holds_both_ends():
    whole = Whole(1, 4)
    values = [value_at(whole, u) for u in np.linspace(0, 1, 4001)]
    assert np.bincount(values)[1:].tolist() == pytest.approx([1000] * 4, abs=2)
    rate = Real(1e-4, 1e-2, log=True)
    assert [value_at(rate, u) for u in (0.0, 0.5, 1.0)] == [1e-4, 1e-3, 1e-2]
    assert value_at(Real(1 / 3, 2 / 3), 0.0) >= 1 / 3, "rounding must not leave the range"
    size = Whole(8, 512, log=True)
    assert [value_at(size, 0.0), value_at(size, 1.0)] == [8, 512]
    assert unit_of(size, 64) == pytest.approx(math.log(64 / 7.5) / math.log(512.5 / 7.5))


def test_a_choice_may_hold_a_range_beside_the_value_that_means_none():
    noise = entry_of("input_noise", "none|0.01..0.3", lambda text: None, whole=False)
    assert noise == Choice(None, Real(0.01, 0.3))
    assert value_at(noise, 0.49) is None
    assert value_at(noise, 0.5) == 0.01
    assert unit_of(noise, 0.155) == pytest.approx(0.75)


def test_texts_and_json_come_back_as_the_same_space():
    for entry in (Real(1e-4, 3e-2, log=True), Whole(8, 64), Choice(8, 16, 32)):
        assert entry_of("x", text_of(entry), int, whole=getattr(entry, "whole", False)) == entry
    assert text_of(Choice((256,), (512, 256))) == "256|512,256"
    text = json.dumps(space_to_json(SPACE))
    assert space_from_json(json.loads(text)) == SPACE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3..1", "the range 3.0..1.0 is reversed: write 1.0..3.0"),
        ("2..2", "is empty: pass 2.0 as a fixed value"),
        ("0..1:log", "must begin above 0"),
        ("a..b", "a range is two numbers, as low"),
        ("1..2..3", "a range is two numbers"),
        ("0..inf", "finite numbers"),
        ("1|1", "two different values or more"),
        ("1|", "could not convert"),
    ],
)
def test_a_bad_range_is_refused_by_the_name_of_its_option(text, message):
    with pytest.raises(ValueError, match=message) as error:
        entry_of("--lr", text, float, whole=False)
    assert str(error.value).startswith(f"--lr {text!r}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (dict(batch=32), "single point"),
        ({}, "single point"),
        (dict(a=Real(0, 1, when=("b", 1))), "a depends on 'b', which the space does not have"),
        (dict(a=Real(0, 1, when=("b", 1)), b=Choice(2, 3)), "being 1, which it never is"),
        (dict(a=Real(0, 1, when=("b", 1)), b=Real(0, 2)), "never is"),
        (dict(a=Choice(1, 2, when=("b", 1)), b=Choice(1, 2, when=("a", 1))),
         "conditions of a, b go in a circle"),
        (dict(a=Choice(1, 2, when=("a", 1))), "circle"),
    ],
)  # fmt: skip
def test_a_bad_space_is_refused(entries, message):
    with pytest.raises(ValueError, match=message):
        Space(**entries)
