"""Networks of a page, pictures to read, and a server in a thread."""

import io
import threading

import jax
import pytest
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from jaxdigits.cli import predict, read
from jaxdigits.page import listen
from jaxdigits.page.app import make_app
from jaxdigits.page.guard import Rules
from jaxdigits.page.networks import load_networks
from jaxdigits.page.server import make_server
from jaxdigits.runs import Config
from jaxdigits.runs.folder import create_run, save_params

# Strokes in a square of side 1, as a hand makes them.
STROKES = {
    "1": [[(0.5, 0.15), (0.5, 0.85)]],
    "2": [[(0.3, 0.35), (0.35, 0.22), (0.5, 0.17), (0.64, 0.24), (0.66, 0.38), (0.55, 0.53),
           (0.4, 0.68), (0.3, 0.8), (0.5, 0.8), (0.7, 0.8)]],
    "4": [[(0.6, 0.15), (0.35, 0.45), (0.25, 0.6), (0.5, 0.6), (0.75, 0.58)],
          [(0.6, 0.4), (0.6, 0.62), (0.6, 0.85)]],
    "5": [[(0.68, 0.17), (0.38, 0.17), (0.34, 0.45), (0.55, 0.42), (0.68, 0.55), (0.66, 0.72),
           (0.5, 0.84), (0.3, 0.78)]],
    "7": [[(0.25, 0.25), (0.5, 0.24), (0.72, 0.25), (0.62, 0.42), (0.52, 0.6), (0.45, 0.8)]],
    "a cross": [[(0.2, 0.2), (0.8, 0.8)], [(0.2, 0.8), (0.8, 0.2)]],
}  # fmt: skip


def drawn(*names, blank=False):
    """A PNG of drawn digits in a row, dark on light."""
    image = Image.new("L", (70 * len(names) + 60, 130), 245)
    draw = ImageDraw.Draw(image)
    for i, name in enumerate(() if blank else names):
        for stroke in STROKES[name]:
            points = [(30 + 70 * i + 80 * x, 15 + 95 * y) for x, y in stroke]
            draw.line(points, fill=30, width=7, joint="curve")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def png():
    """A function that draws digits in a row, as the bytes of a file."""
    return drawn


@pytest.fixture(scope="session")
def strokes():
    """The strokes of digits by name, in a square of side 1."""
    return STROKES


@pytest.fixture(scope="session")
def beside(tmp_path_factory):
    """A function to the package's networks, with an untrained one beside them."""

    def load(network, data, **options):
        folder = tmp_path_factory.mktemp("page") / network
        config = Config(network, data, epochs=1, batch=8, learning_rate=1e-3, options=options)
        build = config.build()
        params, _ = build(training=True).init(jax.random.key(3), config.features)
        create_run(folder, config)
        save_params(folder, params, ())
        return load_networks(predict.BOX, read.BOX, [folder])

    return load


@pytest.fixture(scope="session")
def networks(beside):
    """The package's networks, and an untrained spiking one."""
    return beside("snn", "digits", hidden=[12], steps=5, threshold=0.25)


@pytest.fixture
def app(networks):
    """The application of a page on this machine only."""
    return make_app(networks, Rules())


@pytest.fixture(scope="session")
def client(networks):
    """A client of the application, without a server."""
    app = make_app(networks, Rules())
    with TestClient(app, base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture
def served():
    """A function that serves an application in a thread, and gives its port."""
    ends = []

    def start(app):
        ready, listening = threading.Event(), listen("127.0.0.1", 0)
        server = make_server(app, ready.set)
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
        thread.start()
        assert ready.wait(60)

        def end():
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()

        ends.append(end)
        start.end, start.server = end, server
        return listening.getsockname()[1]

    yield start
    for end in ends:
        end()
