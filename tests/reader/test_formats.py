"""Formats against known numbers and against python-stdnum."""

import datetime

import numpy as np
import pytest
from stdnum import ean as stdnum_ean
from stdnum import iban as stdnum_iban
from stdnum import isbn as stdnum_isbn
from stdnum import luhn as stdnum_luhn
from stdnum.gb import nhs as stdnum_nhs
from stdnum.us import rtn as stdnum_rtn

from jaxdigits.reader import FORMATS, make_format
from jaxdigits.reader.formats import IBAN

VALID = {
    "aba": "011000015 021001208 061000146 121000374", "luhn": "79927398713",
    "npi": "1234567893 1245319599", "nhs": "9434765919 4010232137", "isbn10": "0306406152",
    "isbn13": "9780306406157", "ean": "4006381333931", "upc": "036000291452",
    "gtin": "00012345600012 4006381333931 036000291452", "postnet": "5555512372",
    "iban:DE": "89370400440532013000", "mrz": "6408125", "mrz:10": "1200012938",
    "date": "29022024 31121999", "date:mdy": "02292000", "date:ymd": "19000228",
    "date:dmy2": "290224", "amount:0-999999": "0 42 999999", "zip": "90210 902101234",
    "digits:9": "000000000", "digits:4-6": "1234 123456", r"pattern:[12]\d{3}": "1999 2001",
}  # fmt: skip
INVALID = {
    "aba": "123456789 021000012 131000015", "luhn": "79927398710 1230 18", "npi": "1234567890",
    "nhs": "9434765918", "isbn10": "0306406153", "isbn13": "9780306406158 4006381333931",
    "ean": "4006381333932 036000291452", "upc": "036000291453", "postnet": "5555512373",
    "iban:DE": "89370400440532013001 8937040044053201300", "mrz": "6408124 6413125",
    "date": "29022023 31041999 01012100 00011999", "date:mdy": "02291900",
    "date:dmy2": "310424",
    "amount:0-999999": "1000000 007", "zip": "1234 123456", "digits:9": "00000000",
    r"pattern:[12]\d{3}": "3000",
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_a_format_accepts_known_numbers(name):
    for number in VALID[name].split():
        assert make_format(name).automaton.accepts(number), number


@pytest.mark.parametrize("name", INVALID)
def test_a_format_refuses_numbers_with_a_mistake(name):
    for number in INVALID[name].split():
        assert not make_format(name).automaton.accepts(number), number


def walks(automaton, count, rng):
    """Random strings of an automaton."""
    for _ in range(count):
        state, digits = 0, ""
        while not (automaton.accept[state] and (automaton.step[state] < 0).all()):
            digit = rng.choice(np.flatnonzero(automaton.step[state] >= 0))
            digits, state = f"{digits}{digit}", automaton.step[state, digit]
            if automaton.accept[state] and rng.random() < 0.3:
                break
        yield digits


STDNUM = {
    "luhn": stdnum_luhn.is_valid, "nhs": stdnum_nhs.is_valid, "ean": stdnum_ean.is_valid,
    "gtin": stdnum_ean.is_valid, "isbn10": stdnum_isbn.is_valid, "upc": stdnum_ean.is_valid,
    "isbn13": stdnum_isbn.is_valid, "aba": stdnum_rtn.is_valid,
    "npi": lambda s: stdnum_luhn.is_valid(f"80840{s}"),
}  # fmt: skip


@pytest.mark.parametrize("name", STDNUM)
def test_all_that_is_accepted_has_the_checksum_and_no_neighbour_of_it_is(name):
    automaton, rng = make_format(name).automaton, np.random.default_rng(0)
    for digits in walks(automaton, 60, rng):
        assert STDNUM[name](digits), digits
        place = rng.integers(len(digits))
        other = digits[:place] + str((int(digits[place]) + rng.integers(1, 10)) % 10)
        other += digits[place + 1 :]
        assert not automaton.accepts(other)
        assert not STDNUM[name](other)


# Countries with a checksum of their own besides modulo 97, which stdnum examines too.
STRICTER = {"BE", "ES", "ME", "NO"}


@pytest.mark.parametrize("country", sorted(IBAN))
def test_the_digits_behind_a_country_are_an_iban(country):
    automaton = make_format(f"iban:{country}").automaton
    assert automaton.lengths() == (IBAN[country], IBAN[country])
    for digits in walks(automaton, 8, np.random.default_rng(1)):
        known = stdnum_iban.is_valid(country + digits, check_country=country not in STRICTER)
        assert known, digits
        changed = digits[:-1] + str((int(digits[-1]) + 1) % 10)
        assert not automaton.accepts(changed)


def test_every_day_of_two_centuries_is_a_date():
    first = datetime.date(1900, 1, 1)
    days = [first + datetime.timedelta(n) for n in range(73_049)]
    for name, layout in (("dmy", "%d%m%Y"), ("mdy", "%m%d%Y"), ("ymd", "%Y%m%d")):
        automaton = make_format(f"date:{name}").automaton
        assert automaton.count() == len(days)
        assert all(automaton.accepts(f"{day:{layout}}") for day in days[::97])


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_an_example_and_its_words(name):
    kind = FORMATS[name]
    made = make_format(kind.example)
    assert made.automaton.lengths()[0] >= 1
    assert made.automaton.count()
    assert made.text == kind.text
    assert made.blind


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("abba", "format must be one of aba, .*, got 'abba'; perhaps aba"),
        ("aba:3", "format 'aba:3': aba takes nothing behind a colon"),
        ("amount:", "format 'amount:': write it as amount:0-999999"),
        ("amount:5", "'5' is not two numbers with a hyphen between; as amount:0-999999"),
        ("amount:9-5", "got 9-5"),
        ("amount:x-5", "'x-5' is not a number"),
        ("digits:0", "from 1 to 100, got 0-0"),
        ("digits:200", "from 1 to 100, got 200-200"),
        ("digits", "'' is not a number"),
        ("iban:XX", "XX is not a country whose IBAN has digits only: AT, "),
        ("iban", "give a country whose IBAN has digits only: AT, .*; as iban:DE"),
        ("date:dym", "order must be one of dmy, .*, got 'dym'"),
        ("mrz:1", "from 2 to 100, got 1"),
        ("pattern:1|", "it accepts the empty string, and a field has a digit; as pattern:"),
        ("pattern:[", "a set of digits looks like"),
    ],
)
def test_a_wrong_name_is_one_line_with_the_remedy(name, message):
    with pytest.raises(ValueError, match=message) as error:
        make_format(name)
    assert "\n" not in str(error.value)
