"""Standard output as it is: a terminal with another coding, a reader that leaves."""

import io
import os
import sys

import pytest
from PIL import Image

from jaxdigits.cli import main
from jaxdigits.data import digits


def ended(*args):
    """Run the program, and return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(arg) for arg in args])
    return caught.value.code


def test_names_beyond_the_coding_of_the_terminal_are_escaped(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["sieben-ö.png", os.fsdecode(b"raw-\xff.png")]
    for name in names:
        Image.fromarray(255 - digits()[1].inputs[0]).save(name)
    files = io.BytesIO(), io.BytesIO()
    with monkeypatch.context() as patch:
        for name, file in zip(("stdout", "stderr"), files, strict=True):
            patch.setattr(sys, name, io.TextIOWrapper(file, "ascii", write_through=True))
        assert ended("predict", trained[1], *names, "absent-ß.png") == 1
        out, err = (file.getvalue().decode() for file in files)
    starts = [line.split(":")[0] for line in out.splitlines()]
    assert starts == ["sieben-\\xf6.png", "raw-\\udcff.png"]
    assert err.splitlines()[1:] == ["jaxdigits: absent-\\xdf.png: no such file"]


@pytest.mark.parametrize("command", ["--help", "train --help", "predict PICTURE PICTURE"])
def test_a_reader_that_leaves_is_no_error(tmp_path, monkeypatch, capfd, command):
    picture = tmp_path / "7.png"
    Image.fromarray(255 - digits()[1].inputs[0]).save(picture)
    command = command.replace("PICTURE", str(picture))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert ended(*command.split()) == 141
        monkeypatch.undo()
    assert capfd.readouterr().err == ""
