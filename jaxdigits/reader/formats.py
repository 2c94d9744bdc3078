"""Formats by name: the digits that a field may hold, as automata.

    make_format("aba")                a US routing number
    make_format("amount:1-5000")      a whole number
    make_format("pattern:[12]\\\\d{3}")  a pattern of your own

A checksum cannot see every mistake, and a checksum modulo 10 passes one random string in ten:
`Format.blind` says what each misses.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from jaxdigits.options import nearest
from jaxdigits.reader.automaton import (
    Automaton,
    between,
    explore,
    product,
    union,
    weighted_sum,
)
from jaxdigits.reader.pattern import SHOWN, pattern

NO_CHECKSUM = "no checksum: any other string of the format"


class Format(NamedTuple):
    """The strings that a field may hold."""

    name: str
    automaton: Automaton
    text: str
    """what it is"""
    blind: str
    """the mistakes that it cannot see"""
    show: Callable[[str], str] = str
    """from the digits of a string to the text that people write"""

    @property
    def has_checksum(self) -> bool:
        """Whether most mistakes make a string that the format does not have."""
        return self.blind != NO_CHECKSUM


class Kind(NamedTuple):
    """A row of the table of formats."""

    make: Callable[[str], Automaton]
    """from the text behind the colon, or ''"""
    example: str
    """the name, with an argument where it takes one"""
    text: str
    blind: str = NO_CHECKSUM
    show: Callable[[str, str], str] = lambda argument, digits: digits
    """(argument, digits) -> the text that people write"""


# Digits in an IBAN behind the country's letters, where all are digits (SWIFT's registry).
IBAN = {
    "AT": 18, "BA": 18, "BE": 14, "CZ": 22, "DE": 20, "DK": 16, "EE": 18, "ES": 22, "FI": 16,
    "HR": 19, "HU": 26, "IL": 21, "IS": 24, "LT": 18, "ME": 20, "NO": 13, "PL": 26, "PT": 23,
    "RS": 20, "SE": 22, "SI": 17, "SK": 22, "XK": 18,
}  # fmt: skip
SWAPS = "a swap of neighbours that differ by 5"


def make_format(name: str) -> Format:
    """Return a format by its name, with an argument behind a colon where it takes one.

    Raises:
      ValueError: for an unknown name, with the nearest one, or an argument that does not fit.
    """
    word, colon, argument = name.partition(":")
    word = word.lower()
    if word not in FORMATS:
        hint = nearest(word, FORMATS)
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {name!r}{hint}")
    kind = FORMATS[word]
    takes = ":" in kind.example
    if colon and not takes:
        raise ValueError(f"format {name!r}: {word} takes nothing behind a colon")
    if colon and not argument:
        raise ValueError(f"format {name!r}: write it as {kind.example}")
    try:
        automaton = kind.make(argument)
        if automaton.accept[0]:
            raise ValueError("it accepts the empty string, and a field has a digit")
    except ValueError as error:
        shown = name if len(name) <= SHOWN else f"{name[:SHOWN]}…"
        raise ValueError(f"format {shown!r}: {error}; as {kind.example}") from None
    return Format(name, automaton, kind.text, kind.blind, partial(kind.show, argument))


def _numbers(text: str, count: int = 2) -> tuple[int, ...]:
    """Return the numbers of "9" or "4-6"."""
    parts = text.split("-")
    known = (p.isascii() and p.isdecimal() and len(p) <= 18 for p in parts)
    if not all(known) or len(parts) > count:
        raise ValueError(f"{text!r} is not a number, or two with a hyphen between")
    return tuple(map(int, parts))


def digits(least: int, most: int | None = None) -> Automaton:
    """Return the automaton of all strings of so many digits.

    Raises:
      ValueError: unless 1 <= least <= most <= 100.
    """
    most = least if most is None else most
    if not 1 <= least <= most <= 100:
        raise ValueError(f"the number of digits must be from 1 to 100, got {least}-{most}")
    return explore(0, lambda n, d: n + 1 if n < most else None, lambda n: n >= least)


def aba(_: str = "") -> Automaton:
    weights = weighted_sum([3, 7, 1] * 3, 10)
    return product(weights, pattern(r"(0[1-9]|1[0-2]|2[1-9]|3[0-2])\d{7}"))


def luhn(argument: str = "") -> Automaton:
    """Return the automaton of Luhn's rule, for so many digits, or 8 to 19."""
    return product(_luhn(), digits(*_numbers(argument or "8-19")))


def _luhn(start: int = 0) -> Automaton:
    """Double every second digit from the right: keep both sums, as the end is not known yet."""
    double = lambda d: 2 * d - 9 if d > 4 else 2 * d

    def step(sums: tuple[int, int], d: int) -> tuple[int, int]:
        plain, doubled = sums  # the sum if the last digit counts once, and if it counts twice
        return (doubled + d) % 10, (plain + double(d)) % 10

    return explore((start, start), step, lambda sums: sums[0] == 0)


def npi(_: str = "") -> Automaton:
    # As if behind 80840, whose sum is 24: 8 + 0 + 8 + 8 + 0, doubled where the ten digits end.
    return product(_luhn(24 % 10), pattern(r"[12]\d{9}"))


def nhs(_: str = "") -> Automaton:
    return weighted_sum([*range(10, 0, -1)], 11)


def isbn13(_: str = "") -> Automaton:
    return product(gtin("13"), pattern(r"97[89]\d{10}"))


def gtin(argument: str = "") -> Automaton:
    """Return the automaton of GS1's rule, 3-1 from the right, for the given lengths."""
    lengths = _numbers(argument or "8-12-13-14", 4)
    rule = lambda n: weighted_sum([1 if (n - i) % 2 else 3 for i in range(n)], 10)
    return union(*map(rule, lengths))


def postnet(_: str = "") -> Automaton:
    return union(*(weighted_sum([1] * n, 10) for n in (6, 10, 12)))


def iban(country: str) -> Automaton:
    """Return the automaton of the digits behind a country's letters.

    The number behind the check digits comes first, then the letters as two digits each, then
    the check digits; this number is 1 modulo 97.
    """
    country = country.upper()
    if country not in IBAN:
        unknown = f"{country} is not" if country else "give"
        raise ValueError(f"{unknown} a country whose IBAN has digits only: {', '.join(IBAN)}")
    size = IBAN[country]
    letters = int("".join(str(int(letter, 36)) for letter in country)) * 100
    weights = [10, 1, *(pow(10, n, 97) for n in range(size + 3, 5, -1))]
    return product(
        weighted_sum(weights, 97, total=1, start=letters),
        pattern(rf"(0[2-9]|[1-8]\d|9[0-8])\d{{{size - 2}}}"),
    )


def mrz(argument: str = "") -> Automaton:
    """Return the automaton of so many digits, of which the last is the check digit."""
    if not argument:
        return product(_mrz(7), date("ymd2", behind=1))
    (size,) = _numbers(argument, 1)
    if not 2 <= size <= 100:
        raise ValueError(f"the number of digits must be from 2 to 100, got {size}")
    return _mrz(size)


def _mrz(size: int) -> Automaton:
    return weighted_sum([*([7, 3, 1] * size)[: size - 1], -1], 10)


def date(order: str = "", behind: int = 0) -> Automaton:
    """Return the automaton of the days of 1900 to 2099, or with two digits of any year."""
    orders = ("dmy", "mdy", "ymd", "dmy2", "mdy2", "ymd2")
    order = order or "dmy"
    if order not in orders:
        raise ValueError(f"order must be one of {', '.join(orders)}, got {order!r}")
    parts, short = order[:3], order.endswith("2")
    years = range(100) if short else range(1900, 2100)
    leap = lambda y: y % 4 == 0 and (y % 100 != 0 or y % 400 == 0 or short)
    width = "02d" if short else "04d"
    rest = rf"\d{{{behind}}}" if behind else ""

    def every(days: Iterable[tuple[int, int]], years: Iterable[int]) -> Automaton:
        year = "|".join(f"{y:{width}}" for y in years)
        months: dict[int, list[str]] = {}
        for day, month in days:
            months.setdefault(month, []).append(f"{day:02d}")
        names = {"y": lambda m: f"({year})", "m": lambda m: f"{m:02d}",
                 "d": lambda m: f"({'|'.join(months[m])})"}  # fmt: skip
        rows = ("".join(names[part](m) for part in parts) for m in months)
        return pattern(f"({'|'.join(rows)}){rest}")

    size = {m: 31 - (m in (4, 6, 9, 11)) - 3 * (m == 2) for m in range(1, 13)}
    common = [(day, m) for m in size for day in range(1, size[m] + 1)]
    return union(every(common, years), every([(29, 2)], filter(leap, years)))


def _date_text(order: str, digits: str) -> str:
    """Return a day as 29.02.2024, 02/29/2024 or 2024-02-29."""
    parts, year = (order or "dmy")[:3], 2 if order.endswith("2") else 4
    sizes = {"y": year, "m": 2, "d": 2}
    sign = {"dmy": ".", "mdy": "/", "ymd": "-"}[parts]
    ends = [sum(sizes[p] for p in parts[: n + 1]) for n in range(3)]
    return sign.join(digits[end - sizes[p] : end] for p, end in zip(parts, ends, strict=True))


def _amount(argument: str) -> Automaton:
    numbers = _numbers(argument)
    if len(numbers) != 2:
        raise ValueError(f"{argument!r} is not two numbers with a hyphen between")
    return between(*numbers)


TEN = "one random string in ten"
FORMATS: dict[str, Kind] = {
    "aba": Kind(aba, "aba", "US routing number: 9 digits, weights 3-7-1, modulo 10",
                f"{SWAPS}; {TEN}"),
    "luhn": Kind(luhn, "luhn:16", "Luhn's rule, modulo 10 with doubling: cards, many ids",
                 f"a swap of 09 and 90; {TEN}"),
    "npi": Kind(npi, "npi", "US provider of health care: 10 digits, Luhn behind 80840",
                f"a swap of 09 and 90; {TEN}"),
    "nhs": Kind(nhs, "nhs", "NHS number: 10 digits, weights 10 to 2, modulo 11",
                "two changed digits, one pair in eleven"),
    "isbn10": Kind(nhs, "isbn10", "ISBN of 10 digits, modulo 11; one that ends in X is refused",
                   "two changed digits, one pair in eleven"),
    "isbn13": Kind(isbn13, "isbn13", "ISBN of 13 digits: 978 or 979, weights 1-3, modulo 10",
                   f"{SWAPS}; {TEN}"),
    "ean": Kind(lambda _: gtin("8-13"), "ean", "EAN of 8 or 13 digits, weights 3-1, modulo 10",
                f"{SWAPS}; {TEN}"),
    "upc": Kind(lambda _: gtin("12"), "upc", "UPC-A: 12 digits, weights 3-1, modulo 10",
                f"{SWAPS}; {TEN}"),
    "gtin": Kind(gtin, "gtin", "GTIN of 8, 12, 13 or 14 digits, weights 3-1, modulo 10",
                 f"{SWAPS}; {TEN}"),
    "postnet": Kind(postnet, "postnet", "ZIP code with a check digit: the sum modulo 10 is 0",
                    f"any swap; {TEN}"),
    "iban": Kind(iban, "iban:DE", "the digits of an IBAN behind its country, modulo 97",
                 "one random string in 97", lambda country, d: country.upper() + d),
    "mrz": Kind(mrz, "mrz:7", "digits of a passport, weights 7-3-1, modulo 10; alone: a date",
                f"{SWAPS}; {TEN}"),
    "date": Kind(date, "date:dmy", "a day of 1900 to 2099; dmy2, mdy2, ymd2 have short years",
                 show=_date_text),
    "amount": Kind(_amount, "amount:0-999999", "a whole number without leading zeros"),
    "zip": Kind(lambda _: union(digits(5), digits(9)), "zip", "US ZIP code: 5 or 9 digits",
                show=lambda _, d: f"{d[:5]}-{d[5:]}" if len(d) > 5 else d),
    "digits": Kind(lambda n: digits(*_numbers(n)), "digits:4-6", "so many digits"),
    "pattern": Kind(pattern, r"pattern:[12]\d{3}", "a pattern of your own"),
}  # fmt: skip
"""the formats by name"""
