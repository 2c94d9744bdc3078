"""People's own signatures: a folder of pictures for each writer.

    FOLDER/WRITER/*.png          signatures of one name for each writer
    FOLDER/WRITER/NAME/*.png     several names, which other writers may write too

Each picture is prepared as `data.signature` says.  A fifth of the writers is set apart for the
test, always the same.
"""

from pathlib import Path

import numpy as np

from jaxdigits.data.hands import VALIDATION, make_hands, split_hands
from jaxdigits.data.own_facts import (
    SPLIT_SEED,
    TEST,
    Own,
    OwnData,
    digest_of_arrays,
    read_each,
)
from jaxdigits.data.signature import HEIGHT, WIDTH, mixture_of, read_signature
from jaxdigits.errors import DataError


def own_hands(place: Path, suffixes: tuple[str, ...]) -> OwnData:
    """Read one's own signatures.

    Args:
      suffixes: of the pictures' names.

    Raises:
      DataError: naming the folder or the picture that does not fit.
    """
    rows = [
        (writer.name, path.parent.name if path.parent != writer else "", path)
        for writer in sorted(p for p in place.iterdir() if p.is_dir() and p.name[0] != ".")
        for path in sorted(writer.rglob("[!.]*"))
        if path.suffix.lower() in suffixes and path.is_file()
    ]
    if not rows:
        raise DataError(f"{place}: no pictures in it; give each writer a folder of signatures")
    writer, name, paths = zip(*rows, strict=True)
    signatures = read_each(paths, read_signature)
    ink, photographs = (np.stack(each) for each in zip(*signatures, strict=True))
    try:
        hands = make_hands(ink, writer, name)
        learn, check = split_hands(hands, (TEST - 1, 1), seed=SPLIT_SEED)
        split_hands(learn, VALIDATION, seed=SPLIT_SEED)  # too few writers: say so now
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    notes = [f"{place} has {len(set(writer))} writers: {check.classes} are set apart to test"]
    notes += filter(None, [mixture_of(list(map(str, paths)), photographs.tolist())])
    digest = digest_of_arrays(
        ink, *(np.unique(a, return_inverse=True)[1] for a in (writer, name))
    )
    return OwnData(learn, check, Own((HEIGHT, WIDTH), (), False, digest), tuple(notes))
