"""`train multimodal`, `evaluate` and `predict --image --audio`, on digits that hum.

The recordings are the tests' own: each digit is a tone, so that any network that hears at all
learns them.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from jaxdigits.data import Sounds, digits, pairs, read_picture, read_sound
from jaxdigits.data.sound import RATE
from jaxdigits.runs import load_run, predict

SMALL = [
    "--image-hidden", 16, "--sound-channels", 2, "--sound-hidden", 16, "--hidden", 16,
    "--steps", 6, "--taps", 2, "--bands", 16, "--augment", "none",
]  # fmt: skip


def tone(digit, take=0):
    """A quarter of a second of a tone of the digit's own, with a soft begin and end."""
    n = np.arange(2000)
    soft = np.hanning(2000) * (0.3 + 0.1 * take)
    return (soft * np.sin(2 * np.pi * (300 + 330 * digit + 5 * take) * n / RATE)).astype("f4")


@pytest.fixture(scope="module")
def hum():
    """Ten digits by two speakers, in seven takes each."""
    digit, speaker, take = np.indices((10, 2, 7)).reshape(3, -1).astype(np.int32)
    wave = np.stack([tone(d, t % 3) for d, t in zip(digit, take, strict=True)])
    return Sounds(np.pad(wave, ((0, 0), (0, RATE - 2000))), digit, speaker, take)


@pytest.fixture(scope="module")
def heard(cli, hum, tmp_path_factory):
    """(answer, folder) of a small network of both senses."""
    folder = tmp_path_factory.mktemp("senses") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "fsdd", lambda: hum)
        args = ["--data", "digits+fsdd", "--epochs", 4, "--out", folder, "--json", *SMALL]
        return cli("train", "multimodal", *args), folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A picture of a seven, and a stereo recording of it at another rate."""
    folder, (_, test) = tmp_path_factory.mktemp("files"), digits()
    seven = test.inputs[list(test.label).index(7)]
    Image.fromarray(np.kron(255 - seven, np.ones((4, 4), np.uint8))).save(folder / "7.png")
    stereo = np.repeat(np.repeat(tone(7), 2)[:, None], 2, 1)
    soundfile.write(folder / "7.wav", stereo, 2 * RATE)
    return folder / "7.png", folder / "7.wav"


def test_it_learns_and_its_run_is_a_run(heard, monkeypatch, hum):
    answer, folder = heard
    assert answer.code == 0, answer.err
    assert answer.err.startswith("training multimodal on 1,437 examples (digits+fsdd)")
    config = json.loads((folder / "config.json").read_text())["config"]
    assert config["options"]["decay"] == 0.8  # a default of this network joins what is given
    monkeypatch.setattr(pairs, "fsdd", lambda: hum)
    run, test = load_run(folder), pairs.digits_fsdd()[1]
    senses = test.inputs.senses
    accuracy = lambda senses: (predict(run, senses)[0].argmax(-1) == test.label).mean()
    both = accuracy(senses)
    assert both == pytest.approx(answer.json()["test_accuracy"])
    assert both > 0.4
    dark = dict(image=0 * senses["image"].array)
    silent = dict(sound=replace(senses["sound"], value=0 * senses["sound"].value))
    assert max(accuracy(senses | dark), accuracy(senses | silent)) < both


@pytest.mark.usefixtures("two_corruptions")
def test_evaluate_tests_it_on_pairs_and_on_worse_images(cli, heard, monkeypatch, hum):
    monkeypatch.setattr(pairs, "fsdd", lambda: hum)
    answer = cli("evaluate", heard[1], "--json", "--corruptions", 5)
    assert answer.code == 0, answer.err
    found = answer.json()
    assert found["test_accuracy"] == pytest.approx(heard[0].json()["test_accuracy"])
    assert found["corruptions"]["rotate"]["5"][0] < found["test_accuracy"]


def test_predict_takes_a_picture_a_recording_or_both(cli, heard, files):
    picture, recording = files
    run = load_run(heard[1])
    image = read_picture(picture)[None]
    sound = np.zeros((1, RATE), np.float32)
    wave = read_sound(recording).wave
    sound[0, : len(wave)] = wave
    for args, given in (
        (["--image", picture], {"image": image, "sound": 0 * sound}),
        (["--audio", recording], {"image": 0 * image, "sound": sound}),
        (["--image", picture, "--audio", recording], {"image": image, "sound": sound}),
        ([picture], {"image": image, "sound": 0 * sound}),
    ):
        answer = cli("predict", heard[1], *args, "--json")
        assert answer.code == 0
        assert ("2 channels, averaged" in answer.err) == (recording in args)
        assert ("resampled from 16000 to 8000" in answer.err) == (recording in args)
        row, logits = answer.json(), predict(run, given)[0, 0].astype(float)
        each = np.exp(logits / run.doubt.temperature)
        wanted = each / each.sum()
        np.testing.assert_allclose([*row.pop("probabilities").values()], wanted, atol=2e-6)
        assert row.pop("probability") == pytest.approx(wanted.max(), abs=2e-6)
        assert row.pop("answer") == str(wanted.argmax())
        names = {"image": str(picture), "audio": str(recording)}
        kept = {k: v for k, v in names.items() if any(str(a) == v for a in args)}
        alone = row.pop("alone", {})
        assert set(alone) == (set(kept) if len(kept) == 2 else set())
        assert row == kept | {"digit": int(wanted.argmax())}


@pytest.mark.parametrize("said", [3, 7])
def test_predict_says_so_if_the_two_are_read_otherwise(cli, heard, files, monkeypatch, said):
    def reads(given):  # a seven whatever it hears, and in the dark what it hears
        return np.eye(10)[[7 if given["image"].any() else said]]

    monkeypatch.setattr("jaxdigits.runs.answer.answerer", lambda run: reads)
    answer = cli("predict", heard[1], "--image", files[0], "--audio", files[1], "--json")
    assert answer.json()["digit"] == 7
    assert answer.json()["alone"] == {"image": 7, "audio": said}
    line = f"jaxdigits: each alone gives another digit: {files[0]} as 7, {files[1]} as 3\n"
    assert (line in answer.err) == (said == 3)
    assert ("another digit" in answer.err) == (said == 3)


def test_of_a_long_recording_the_loudest_second_is_heard(cli, heard, tmp_path):
    short, long = (tmp_path / f"{name}.wav" for name in ("short", "long"))
    soundfile.write(short, np.pad(tone(7), (0, 6000)), RATE)
    soundfile.write(long, np.pad(tone(7), (20_000, 20_000)), RATE)
    answers = [cli("predict", heard[1], "--audio", path, "--json") for path in (short, long)]
    line = f"jaxdigits: {long}: over a second long; the loudest second is used\n"
    assert answers[1].err.removeprefix(answers[0].err) == line
    assert answers[0].json()["digit"] == answers[1].json()["digit"]


def test_for_people_it_names_both_files(cli, heard, files):
    answer = cli("predict", heard[1], "--image", files[0], "--audio", files[1])
    assert answer.out.startswith(f"{files[0]} + {files[1]}: ")


def test_a_bad_recording_is_named(cli, heard, tmp_path):
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(4000), RATE)
    answer = cli("predict", heard[1], "--audio", silence)
    line = f"jaxdigits: {silence}: there is no sound in it\n"
    assert (answer.code, answer.err.endswith(line)) == (1, True)


def test_what_has_no_ear_takes_no_recording(one_line, trained, files):
    code, said = one_line("predict", trained[1], "--audio", files[1])
    assert (code, said) == (2, f"{trained[1]} has no sound: leave out --audio")


def test_pictures_and_options_are_not_mixed(one_line, heard, files):
    code, said = one_line("predict", heard[1], files[0], "--audio", files[1])
    assert (code, said) == (2, "pictures exclude --image and --audio: pass one or the other")


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["multimodal", "--data", "mnist"], "data of multimodal must be one of digits+fsdd"),
        (["snn", "--data", "mnist+fsdd"], "data of snn must be one of digits, mnist"),
        (["multimodal", "--fusion", "deep"], "--fusion must be one of early, middle, late"),
        (["multimodal", "--absent", "0.7"], "rates must be >= 0"),
        (["snn", "--fusion", "late"], "unknown option --fusion"),
        (["multimodal", "--gradient", "eprop"], "multimodal learns by backpropagation only"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_line(one_line, tmp_path, args, match):
    code, said = one_line("train", *args, "--out", tmp_path / "run")
    assert code == 2
    assert match in said


def test_a_test_set_of_other_senses_is_refused(one_line, heard, trained):
    code, said = one_line("evaluate", heard[1], "--data", "digits")
    assert code == 2
    assert said == (
        "--data digits has other senses than digits+fsdd, the data of the run: "
        "add or remove +fsdd"
    )
