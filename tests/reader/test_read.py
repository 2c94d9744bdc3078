"""Fields are read under a format, alone or beside others, or refused with a reason."""

from itertools import pairwise

import jax
import numpy as np
import pytest

from jaxdigits.data import DataError, Field
from jaxdigits.reader import best_alignment, make_format, pattern, read_fields, search
from jaxdigits.reader.lattice import BLANK, LOW
from jaxdigits.reader.read import _aligned, _batches, _log_probabilities

DIGITS, LUHN = make_format("digits:1-4"), make_format("luhn:4")


class Known:
    """A network that knows its pictures: digit n of a string is on frame 3 + 4 n."""

    def __init__(self, *strings, sure=9.0, blank=5.0, second=None):
        rng = np.random.default_rng(len(strings))
        self.fields, self.strings, self.sizes = [], {}, []
        self.sure, self.blank, self.second = sure, blank, second or {}
        for text in strings:
            width = 4 * (4 * len(text) + 6)
            ink = rng.integers(1, 255, (32, width)).astype(np.uint8)
            self.fields.append(Field(ink, 10.0, 0.5))
            self.strings[ink.tobytes()] = text

    def __call__(self, ink):
        self.sizes.append(ink.shape)
        scores = np.zeros((len(ink), ink.shape[2] // 4, 11), np.float32)
        scores[..., 10] = self.blank
        for row, picture in zip(scores, ink, strict=True):
            width = int((picture.any(0)).sum())
            text = self.strings.get(picture[:, :width].tobytes(), "")
            row[width // 4 :] = np.linspace(0, 9, 11)  # of frames that must not count
            for n, digit in enumerate(text):
                row[3 + 4 * n, int(digit)] = self.blank + self.sure
                if n in self.second:
                    row[3 + 4 * n, self.second[n]] = self.blank + self.sure - 1
        return scores


def test_the_best_string_and_the_next_come_with_their_probabilities():
    known = Known("314", second={1: 7})
    (reading,) = read_fields(known, known.fields, DIGITS)
    assert (reading.text, reading.digits, reading.refused) == ("314", "314", None)
    (second, share), *rest = reading.others
    assert second == "374"
    assert share / reading.probability == pytest.approx(np.exp(-1), rel=0.02)
    assert len(rest) == 1
    assert sum(p for _, p in reading.others) + reading.probability <= 1


def test_a_checksum_chooses_the_string():
    known = Known("5512", second={3: 0})
    (free,) = read_fields(known, known.fields, DIGITS)
    (checked,) = read_fields(known, known.fields, LUHN)
    assert free.digits == "5512"
    assert checked.digits == "5520" or LUHN.automaton.accepts(checked.digits)
    assert LUHN.automaton.accepts(checked.digits)


def test_an_answer_does_not_depend_on_others_or_on_the_paper_behind():
    known = Known("314", "1", "2718", "42", "314")
    together = read_fields(known, known.fields, DIGITS)
    assert [r.digits for r in together] == ["314", "1", "2718", "42", "314"]
    for field, reading in zip(known.fields, together, strict=True):
        (alone,) = read_fields(known, [field], DIGITS)
        assert alone.digits == reading.digits
        assert alone.spans == reading.spans
        assert alone.probability == pytest.approx(reading.probability, abs=1e-5)
    # The sums are those of the frames of the picture alone.
    logp = jax.nn.log_softmax(known(known.fields[0].ink[None]))
    strings = search(logp, DIGITS.automaton, 3)
    assert together[0].probability == pytest.approx(float(np.exp(strings.log_p[0, 0])), 1e-4)


def test_pictures_of_about_one_width_share_a_program():
    known = Known("1", "12", "123", "1234")
    read_fields(known, known.fields, DIGITS)
    assert known.sizes == [(16, 32, 128)]
    known.sizes.clear()
    read_fields(known, known.fields[:1], DIGITS)
    assert known.sizes == [(1, 32, 128)]
    wide = {i: Field(np.zeros((32, w), np.uint8), 0.0, 1.0) for i, w in enumerate((600, 128))}
    assert list(_batches(wide, 5)) == [([1], 16, 128), ([0], 16, 1024)]
    many = dict.fromkeys(range(40), wide[1])
    assert [(len(rows), size) for rows, size, _ in _batches(many, 5)] == [(16, 16)] * 2 + [
        (8, 16)
    ]
    # For a large automaton one at a time, so that memory has an end.
    assert {size for _, size, _ in _batches(many, 100_000)} == {1}


def test_the_search_has_nothing_to_do_in_the_padding_of_a_program():
    known = Known("12")
    logp = _log_probabilities(known, known.fields, 16, 128, 1.0)
    assert (logp[1:, :, BLANK] == 0).all()
    assert (logp[1:, :, :BLANK] == LOW).all()


def test_spans_are_the_places_of_the_digits():
    known = Known("2718")
    (reading,) = read_fields(known, known.fields, DIGITS)
    assert len(reading.spans) == 4
    for n, (left, right) in enumerate(reading.spans):
        middle = 10.0 + 0.5 * 4 * (3 + 4 * n + 0.5)
        assert left < middle < right
        assert right - left <= 0.5 * 4 * 5
    edges = [x for span in reading.spans for x in span]
    assert edges == sorted(edges)


def test_the_alignment_of_a_string_is_the_best_of_a_format_with_it_alone():
    rng = np.random.default_rng(0)
    logp = np.array(jax.nn.log_softmax(rng.normal(0, 2, (3, 9, 11))))
    digits = np.array([[3, 3, 1], [7, -1, -1], [1, 2, 1]])
    frames = _aligned(logp, digits)
    for n, text in enumerate(("331", "7", "121")):
        classes = np.asarray(best_alignment(logp[n : n + 1], pattern(text))[0][0])
        ends = np.flatnonzero(np.diff(classes, prepend=10, append=10))
        runs = [(a, b - 1) for a, b in pairwise(ends) if classes[a] != 10]
        assert list(map(tuple, frames[n, : len(text)])) == runs
    assert (frames[1, 1:] == -1).all()
    assert frames[0, 0, 1] < frames[0, 1, 0] - 1, "a blank is between equal digits"
    assert (frames[:, 0] >= 0).all()


def test_temperature_makes_less_sure():
    known = Known("314", second={1: 7})
    (cold,) = read_fields(known, known.fields, DIGITS)
    (warm,) = read_fields(known, known.fields, DIGITS, temperature=1.5)
    assert warm.probability < cold.probability
    ratio = warm.others[0][1] / warm.probability
    assert ratio == pytest.approx(np.exp(-1 / 1.5), rel=0.02)


def test_doubt_is_a_reason_with_the_two_best_strings():
    known = Known("314", second={1: 7})
    (reading,) = read_fields(known, known.fields, DIGITS, limit=0.9)
    first, second = int(100 * reading.probability), int(100 * reading.others[0][1])
    assert reading.refused == f"doubt: 314 ({first} %) or 374 ({second} %)"
    assert reading.text == "314"
    limit = reading.probability
    assert read_fields(known, known.fields, DIGITS, limit=limit)[0].refused
    assert not read_fields(known, known.fields, DIGITS, limit=limit - 1e-4)[0].refused


def test_what_is_no_string_of_the_format_has_no_path():
    known = Known("1", sure=40.0, blank=20.0)
    (reading,) = read_fields(known, known.fields, LUHN)
    assert reading.refused
    assert reading.refused.startswith("no path in the format")
    assert (reading.text, reading.digits, reading.probability) == ("", "", 0.0)
    (short,) = read_fields(known, known.fields, make_format("digits:30"))
    assert short.refused == (
        "too long for the frames: digits:30 has at least 30 digits, the picture has 10 frames"
    )
    with_none = read_fields(known, [DataError("no ink found"), *known.fields], DIGITS)
    assert [r.refused for r in with_none] == ["no ink found", None]
    assert read_fields(known, [], DIGITS) == []


def test_formats_print_their_strings():
    shown = {
        "date": ("29022024", "29.02.2024"), "date:mdy": ("02292024", "02/29/2024"),
        "date:ymd2": ("240229", "24-02-29"), "zip": ("902101234", "90210-1234"),
        "iban:de": ("89370400440532013000", "DE89370400440532013000"),
    }  # fmt: skip
    for name, (digits, text) in shown.items():
        assert make_format(name).automaton.accepts(digits)
        assert make_format(name).show(digits) == text
    assert make_format("zip").show("90210") == "90210"
    assert make_format("aba").has_checksum
    assert not make_format("date").has_checksum


def test_bad_arguments_are_refused():
    known = Known("1")
    with pytest.raises(ValueError, match="temperature must be > 0"):
        read_fields(known, known.fields, DIGITS, temperature=0.0)
    with pytest.raises(ValueError, match=r"logits must be \[1, 32, 11\]"):
        read_fields(lambda ink: np.zeros((1, 5, 11)), known.fields, DIGITS)
    with pytest.raises(ValueError, match="k must be"):
        read_fields(known, known.fields, DIGITS, k=0)


def test_frames_behind_a_field_are_blank_with_certainty():
    known = Known("1")
    logp = _log_probabilities(known, known.fields, 2, 128, 1.0)
    frames = known.fields[0].ink.shape[1] // 4
    np.testing.assert_allclose(np.exp(logp).sum(-1), 1, rtol=1e-5)
    assert (logp[0, frames:, 10] == 0).all()
    assert (logp[0, :frames, 10] < 0).all()
