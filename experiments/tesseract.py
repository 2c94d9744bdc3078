"""Tesseract's reading of a picture of one line of digits."""

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def version() -> str:
    """Return the first line about its version."""
    return _run("--version").split("\n")[0]


def read(grey: np.ndarray) -> str:
    """Return the digits in a picture [H, W] of 0 to 255, enlarged four times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.png"
        image = Image.fromarray(np.pad(grey, 8, mode="edge"))
        image.resize((4 * image.width, 4 * image.height), Image.Resampling.BICUBIC).save(path)
        digits_only = ("-c", "tessedit_char_whitelist=0123456789")
        text = _run(str(path), "stdout", "--psm", "7", *digits_only)
    return "".join(text.split())


def _run(*args: str) -> str:
    env = os.environ | {"OMP_THREAD_LIMIT": "1"}
    command = ["tesseract", *args]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
