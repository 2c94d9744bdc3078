"""The data of a command: a data set of the library, or a folder of people's own images."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxdigits.cli.report import say_note
from jaxdigits.errors import DataError
from jaxdigits.options import require_name


def read_data(name: str, folder: Path | None):
    """Read (train, test) of a data set of the library; the folder is for MNIST alone.

    Raises:
      ValueError: for a folder with another data set.
    """
    from jaxdigits.data import DATASETS, mnist

    if folder is not None and name != "mnist":
        raise ValueError(f"--data-dir is for MNIST, got it with {name}: leave it out")
    return mnist(folder) if name == "mnist" else DATASETS[name]()


def own_place(text: str, names: Any) -> Path | None:
    """Return the folder that --data names; None for one of the names.

    Raises:
      DataError: for a path that leads nowhere.
    """
    if text in names:
        return None
    place = Path(text).expanduser()
    if place.exists():
        return place.absolute()
    if "/" in text or place.suffix == ".npz":
        raise DataError(f"--data {text}: no such file or folder; pass one that is there")
    return None


def run_data(config, folder: Path | None, *, same: bool = False):
    """Read (train, test) of a run, again.

    Args:
      folder: MNIST's files, or the place where one's own data are now.
      same: whether data that have changed since are an error, and not only a note.

    Raises:
      DataError: if one's own data are gone, or are not those of the run.
    """
    if config.own is None:
        return read_data(config.data, folder)
    from jaxdigits.data.own import own_data

    place = folder or Path(config.data)
    if not place.exists():
        raise DataError(
            f"{place}: the data of this run are not there; pass their new place as --data-dir"
        )
    data = own_data(place, config.own.group_by, hands=config.compares)
    _require_classes(place, data.own, config)
    if data.own.digest != config.own.digest:
        changed = f"{place} has changed since the training began"
        if same:
            raise DataError(f"{changed}: bring the old data back, or train a new run")
        say_note(f"{changed}: its test examples may have been trained on")
    return data.train, data.test


def data_to_test(config, name: str | None, folder: Path | None):
    """Read the test data of a run, or of --data: all images of a folder that it did not see.

    Raises:
      ValueError: for another name, or for data with other senses, sizes or classes.
    """
    from jaxdigits.data import DATASETS, Dataset
    from jaxdigits.data.catalogue import FEATURES
    from jaxdigits.data.own import own_data

    if name is None or name == config.data:
        return run_data(config, folder)[1]
    place = own_place(name, DATASETS)
    if place is not None and config.compares:
        return own_data(place, hands=True).test
    if place is not None and config.own is not None:
        return run_data(config, place)[1]
    if place is not None:
        data = own_data(place)
        _require_classes(place, data.own, config)
        parts = data.train, data.test
        images, labels = ([f(part) for part in parts] for f in (_image, lambda p: p.label))
        return Dataset(np.concatenate(images), np.concatenate(labels), data.train.classes)
    require_name("data", DATASETS, name)
    if isinstance(FEATURES[name], dict) != config.hears:
        raise ValueError(
            f"--data {name} has other senses than {config.data}, the data of the run: "
            "add or remove +fsdd"
        )
    test = read_data(name, folder)[1]
    if FEATURES[name] != config.features or test.classes != len(config.names):
        raise ValueError(
            f"--data {name} has {test.classes} classes, images of {FEATURES[name]}, and the "
            f"run {len(config.names)}, of {config.features}: leave it out"
        )
    return test


def _image(data) -> np.ndarray:
    return np.asarray(data.inputs.array)


def _require_classes(place: Path, own, config) -> None:
    """Raise a DataError unless the images have the size and the classes of the run."""
    text = lambda shape, names: f"images of {shape} in classes {', '.join(names)}"
    if (own.shape, own.names) != (config.features, config.names):
        raise DataError(
            f"{place}: {text(own.shape, own.names)}; the run reads "
            f"{text(config.features, config.names)}: pass such data"
        )
