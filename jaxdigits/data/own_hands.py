"""People's own signatures: a folder of pictures for each writer.

    FOLDER/WRITER/*.png          signatures of one name for each writer
    FOLDER/WRITER/NAME/*.png     several names, which other writers may write too

Each picture is prepared as `data.signature` says.  A fifth of the writers is set apart for the
test, always the same.
"""

from pathlib import Path

import numpy as np

from jaxdigits.data.hands import make_hands, split_hands
from jaxdigits.data.own_facts import SPLIT_SEED, TEST, Own, OwnData, digest_of_arrays
from jaxdigits.data.signature import HEIGHT, WIDTH, read_signature
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
    pictures, errors = [], []
    for _, _, path in rows:
        try:
            pictures.append(read_signature(path))
        except DataError as error:
            errors.append(error)
    if errors:
        raise DataError(
            f"{len(errors)} of {len(rows)} pictures cannot be read: mend or remove them; the "
            f"first is {errors[0]}"
        )
    writer, name, _ = zip(*rows, strict=True)
    try:
        hands = make_hands(np.stack(pictures), writer, name)
        learn, check = split_hands(hands, (TEST - 1, 1), seed=SPLIT_SEED)
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    writers, apart = len(set(writer)), check.classes
    notes = (f"{place} has {writers} writers: {apart} of them are set apart for the test",)
    digest = digest_of_arrays(np.stack(pictures), np.unique(writer, return_inverse=True)[1])
    return OwnData(learn, check, Own((HEIGHT, WIDTH), (), False, digest), notes)
