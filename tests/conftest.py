"""What the tests share."""

import os
import threading
from importlib.metadata import version

import jax
import numpy as np
import pytest
from jax._src.interpreters import mlir
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from PIL import Image, ImageDraw

from jaxdigits.data import digits

PROGRAMS = 100  # of one compiler context


def contexts(make):
    """`make`, whose context serves the next programs of a thread too: making it takes as long
    as compiling a small program.  Not for ever, since it holds on to the constants of all."""
    of_thread = threading.local()

    def context():
        if getattr(of_thread, "left", 0) == 0:
            of_thread.context, of_thread.left = make(), PROGRAMS
        of_thread.left -= 1
        return of_thread.context

    return context


def pytest_configure(config):
    """Compile quickly, here and in processes of the tests, and keep the programs on disk.

    Most programs of the tests run once on tiny arrays: they are not worth XLA's optimizations,
    nor the slower of its two emitters, which jaxlib 0.10 lets one choose (an unknown flag would
    end the process), nor a compiler context of their own.  Tests whose programs should be
    optimised ask for `optimised`.  Pytest's cache folder keeps compiled programs: a later test
    or run reads them there.
    """
    if hasattr(mlir, "make_ir_context"):
        mlir.make_ir_context = contexts(mlir.make_ir_context)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    jax.config.update("jax_disable_most_optimizations", True)
    if version("jaxlib").startswith("0.10."):
        mine = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"--xla_cpu_use_fusion_emitters=false {mine}".strip()
    if hasattr(config, "cache"):
        jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("jax")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="module")
def all_compiled():
    """For tests that measure programs or their compilation: none is read from the cache."""
    jax.config.update("jax_enable_compilation_cache", False)
    reset_cache()
    yield
    jax.config.update("jax_enable_compilation_cache", True)
    reset_cache()


@pytest.fixture
def float64():
    """JAX in 64 bits, for as long as a test lasts."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def optimised():
    """For tests of programs with all of XLA's optimizations."""
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="session")
def small():
    """(train, valid) of 256 and 60 digits."""
    train, test = digits()
    return train[:256], test[:60]


@pytest.fixture(scope="session")
def draw_hand():
    """A function that draws a zigzag in the slant and the rhythm of a writer, as a picture."""

    def draw(writer, picture, paper=255.0):
        of_writer, rng = np.random.default_rng(writer), np.random.default_rng((writer, picture))
        x = np.linspace(20, 180, 5 + writer % 5)
        y = 50 + 30 * np.cos(np.pi * np.arange(len(x))) * of_writer.uniform(0.4, 1, len(x))
        x = x + of_writer.uniform(-0.4, 0.4) * (y - 50)
        points = np.stack([x, y], 1) + rng.uniform(-1.5, 1.5, (len(x), 2))
        image = Image.new("L", (200, 100), 255)
        ImageDraw.Draw(image).line([tuple(p) for p in points.tolist()], fill=0, width=3)
        return Image.fromarray((np.asarray(image) * (paper / 255)).astype(np.uint8))

    return draw


@pytest.fixture(scope="session")
def hands_folder(draw_hand, tmp_path_factory):
    """A folder with three signatures of each of eight writers."""
    folder = tmp_path_factory.mktemp("hands")
    for writer in range(8):
        (folder / f"w{writer}").mkdir()
        for picture in range(3):
            draw_hand(writer, picture).save(folder / f"w{writer}" / f"{picture}.png")
    return folder
