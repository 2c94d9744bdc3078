"""The interface for programs, by a client without a server."""

import base64
import json
import re
import tempfile
from functools import partial

import jax
import numpy as np
import pytest

from jaxdigits.cli import predict
from jaxdigits.data import read_picture
from jaxdigits.data.files import in_memory
from jaxdigits.measure import saliency, synops
from jaxdigits.page import app as page
from jaxdigits.page.interface import MOST_FILES, OPERATIONS
from jaxdigits.page.networks import number_of
from jaxdigits.reader.read import Reading
from jaxdigits.runs.answer import answerer
from jaxdigits.runs.folder import load_run
from jaxdigits.spikes import traces
from jaxdigits.train.state import evaluation_keys


def forms(*files):
    return [("file", (name, content)) for name, content in files]


def test_the_body_is_a_picture_and_the_answer_that_of_the_network(client, png):
    row = client.post("/predict?name=two.png", content=png("2")).json()["answers"][0]
    run = load_run(predict.BOX)
    expected = answerer(run)(read_picture(in_memory(png("2"), "two"))[None])[0]
    assert (row["file"], row["answer"], row["digit"]) == ("two.png", "2", 2)
    np.testing.assert_allclose(list(row["probabilities"].values()), expected, atol=1e-5)
    assert list(row["probabilities"]) == list(run.config.names)


def test_one_bad_file_among_many_is_named(client, png):
    files = forms(("2.png", png("2")), ("notes.txt", b"no picture"), ("7.png", png("7")))
    reply = client.post("/predict", files=files)
    two, bad, seven = reply.json()["answers"]
    assert reply.status_code == 200
    assert (two["answer"], seven["answer"]) == ("2", "7")
    assert bad["file"] == "notes.txt"
    assert bad["error"].startswith("notes.txt: not a PNG, JPEG")
    alone = client.post("/predict", files=forms(("notes.txt", b"no picture")))
    assert alone.status_code == 422
    unnamed = client.post("/predict", files={"picture": ("a.png", png("2"))})
    assert (unnamed.status_code, "no part" in unnamed.json()["error"]) == (400, True)


def test_a_share_of_errors_makes_answers_unsure(client, png):
    answer = lambda query: client.post(f"/predict{query}", content=png("a cross")).json()
    assert answer("?max_error=0.005")["answers"][0]["answer"] in ("unsure", "no digit")
    assert "promise no less than" in answer("?max_error=1e-6")["error"]
    assert answer("?max_error=much")["error"] == "max_error must be a number, got 'much'"
    assert "max_error must be between 0 and 1" in answer("?max_error=nan")["error"]


def test_a_row_is_read_with_places_and_the_second_string(client, png):
    reply = client.post("/read?format=digits:1-6", files=forms(("row", png("2", "7", "5"))))
    row = reply.json()["readings"][0]
    assert (row["text"], row["refused"]) == ("275", None)
    assert len(row["others"][0]["text"]) in (2, 3, 4)
    lefts = [left for left, _ in row["spans"]]
    np.testing.assert_allclose(lefts, [38, 108, 178], atol=30)


def test_a_row_without_digits_is_refused_with_the_reason(client, png):
    row = client.post("/read?format=zip", content=png("2", blank=True)).json()["readings"][0]
    assert row["text"] == ""
    assert "nothing stands out" in row["refused"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/read", "read needs ?format=NAME"),
        ("/read?format=luhm:16", "perhaps luhn"),
        ("/read?format=digits:1-3&run=other", "run must be one of package, got 'other'"),
        (f"/read?format=pattern:{'9' * 300}", "characters; 200 are read"),
        ("/predict?max_err=0.1", "run, max_error, name, got 'max_err'; perhaps max_error"),
        ("/predict?run=other", "run must be one of package, snn, got 'other'"),
    ],
)
def test_a_wrong_option_is_one_line(client, png, path, line):
    reply = client.post(path, content=png("2"))
    assert reply.status_code == 400
    assert line in reply.json()["error"]
    assert "\n" not in reply.json()["error"]


@pytest.mark.parametrize("names", [("7",), ("2",), ("2", "7"), ("1", "4", "5")])
def test_a_number_is_read_by_both_networks(client, png, names):
    number = client.post("/number", content=png(*names)).json()
    assert (number["text"], number["refused"]) == ("".join(names), None)
    assert number["probability"] > 0.9


def test_of_a_lone_digit_both_networks_decide_together():
    names = (*"0123456789", "no digit")
    share = dict.fromkeys(names, 0.0)
    probabilities = lambda **own: np.array(list((share | own).values()))
    one = Reading("1", "1", 0.6, (("7", 0.4),))
    number = number_of(one, names, probabilities(**{"7": 0.9, "1": 0.001}))
    assert (number["text"], number["refused"]) == ("7", None)
    assert number["probability"] == pytest.approx(0.36 / 0.3606, abs=1e-5)
    assert number_of(one, names, None)["refused"] == "one digit, or several?"
    two = Reading("11", "11", 0.995)
    assert number_of(two, names, probabilities(**{"no digit": 1.0}))["refused"] is None
    assert number_of(two, names, probabilities(**{"1": 0.5}))["refused"].startswith("doubt: 11")
    assert (
        number_of(Reading("2250", "2250", 1.0), names, None)["refused"] == "more than 3 digits"
    )


def test_a_number_that_is_none_is_not_judged(client, png):
    assert client.post("/number", content=png("a cross")).json()["refused"]
    assert client.post("/number", content=png("2", blank=True)).json()["refused"]
    assert client.post("/number", content=b"text").status_code == 422


def test_a_look_shows_the_spikes_of_the_network_that_answers(client, png, networks):
    row = client.post("/look", content=png("7")).json()["networks"][1]
    run, picture = networks.digits["snn"].run, read_picture(in_memory(png("7"), "7"))[None]
    network = run.config.build()(training=False)
    keys = evaluation_keys(jax.random.key(run.config.seed), np.arange(1))
    _, residual = jax.jit(network.forward)(run.params, picture, keys)
    spikes = np.asarray(traces(residual)[0].spikes)[:, 0]
    pixels, hidden = row["layers"]
    assert (pixels["name"], pixels["neurons"], hidden["neurons"]) == ("pixels", 784, 12)
    assert hidden["rate"] == pytest.approx(spikes.mean(), abs=1e-4)
    assert 0 < hidden["rate"] < 1
    bits = np.unpackbits(np.frombuffer(base64.b64decode(hidden["spikes"]), np.uint8))
    shown = bits[: 5 * hidden["rows"]].reshape(5, hidden["rows"])
    np.testing.assert_array_equal(shown, spikes[:, spikes.any(0)])
    np.testing.assert_allclose(
        row["growth"][-1], list(row["probabilities"].values()), atol=1e-3
    )
    ops = jax.jit(partial(synops, network))(run.params, picture, keys)
    assert row["operations"]["accumulates"] == int(ops.acs[0])
    digit = np.array([row["digit"]])
    slope = jax.jit(partial(saliency, network))(run.params, picture, digit, keys)[0]
    sent = np.frombuffer(base64.b64decode(row["saliency"]), np.int8).reshape(28, 28)
    np.testing.assert_allclose(sent / 127, slope / np.abs(slope).max(), atol=0.01)
    assert np.frombuffer(base64.b64decode(row["picture"]), np.uint8).tolist() == list(
        picture.ravel()
    )


def test_networks_that_cannot_read_a_drawing_say_so(client, png):
    rows = client.post("/look", content=png("2", blank=True)).json()["networks"]
    assert [row["name"] for row in rows] == ["package", "snn"]
    assert all("nothing stands out" in row["error"] for row in rows)


def test_health_and_formats_list_the_names(client):
    health = client.get("/health").json()
    assert [(run["name"], run["network"]) for run in health["digits"]] == [
        ("package", "cnn"), ("snn", "snn"),
    ]  # fmt: skip
    assert health["digits"][0]["max_error"] == 0.01
    assert [run["name"] for run in health["strings"]] == ["package"]
    formats = {row["name"]: row for row in client.get("/formats").json()["formats"]}
    assert formats["aba"]["checksum"]
    assert not formats["zip"]["checksum"]


def test_the_document_describes_each_path_and_its_answers(client, png):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {op.path for op in OPERATIONS}
    texts = json.dumps(document)
    for name in re.findall(r"#/components/schemas/(\w+)", texts):
        assert name in document["components"]["schemas"]
    row = client.post("/predict", content=png("2")).json()["answers"][0]
    schema = document["components"]["schemas"]["Answers"]["properties"]["answers"]["items"]
    assert set(row) < set(schema["properties"])


def test_no_request_reaches_the_disk(client, png, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("a file was written")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    large = png("2") + bytes(5_000_000)  # a PNG ends at its own end
    reply = client.post("/predict", files=forms(("../../etc/2.png", large)))
    assert reply.json()["answers"][0]["answer"] == "2"
    for path in ("/../pyproject.toml", "/%2e%2e/app.py", "/app.py", "/static/page.css"):
        assert client.get(path).status_code == 404


def test_too_much_is_refused_in_one_line(client, monkeypatch):
    monkeypatch.setattr("jaxdigits.page.guard.MOST_BYTES", 10_000)
    reply = client.post("/predict", content=iter([bytes(6_000), bytes(6_000)]))
    assert reply.status_code == 413
    assert "send fewer pictures" in reply.json()["error"]
    monkeypatch.undo()
    many = client.post("/predict", files=forms(*[("2.png", b"2")] * (MOST_FILES + 1)))
    assert many.status_code == 400
    assert str(MOST_FILES) in many.json()["error"]
    assert client.post("/predict", content=b"").json()["error"].startswith("the request has no")
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/predict", content=b"--y\r\n", headers=kind).status_code == 400


def test_a_page_of_own_files_without_anything_inline(client):
    files = page.page_files()
    assert {"/", "/page.css", "/page.js", "/draw.js"} < set(files)
    reply = client.get("/")
    assert "default-src 'self'" in reply.headers["content-security-policy"]
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", reply.text)
    for name, (content, _) in files.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|eval\(|localStorage", text), name
