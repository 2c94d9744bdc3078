"""How drawn fields look."""

from typing import NamedTuple


class Style(NamedTuple):
    """How fields look: shares of fields, from 0 to 1."""

    touching: float = 0.3
    """digits that touch or overlap"""
    boxed: float = 0.2
    """each digit in its place, with boxes, a comb or nothing printed around"""
    lined: float = 0.25
    """a base line"""
    marked: float = 0.45
    """dots, commas, dashes or other short strokes"""
    patterned: float = 0.3
    """the thin waves of security paper"""
    soiled: float = 0.12
    """a stamp or a stain"""
    barred: float = 0.35
    """writers who give each 1 a flag, as long as they like, and each 7 a bar"""
    opened: float = 0.12
    """writers whose 4 has no stroke right of its top, as an h"""
    mirrored: float = 0.08
    """writers whose 9 has its stem on the left, as a P"""
    small_zeros: float = 0.2
    """writers whose 0 is smaller than other digits"""
    bent: float = 1.0
    """strength of the writer's slant, drift, jitter and of other pens"""
