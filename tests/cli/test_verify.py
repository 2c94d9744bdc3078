"""Own signatures from `train` to `verify`: the program's words, and what it refuses."""

import numpy as np
import pytest
from PIL import Image

from jaxdigits.runs.verification import load_comparison


@pytest.fixture(scope="module")
def run_of_hands(cli, hands_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify") / "run"
    small = ("--channels", 8, 8, "--size", 16, "--epochs", 30, "--learning-rate", 0.01)
    answer = cli("train", "embedding", *small, "--data", hands_folder, "--out", folder)
    return answer, folder


@pytest.fixture
def pictures(draw_hand, tmp_path):
    """Three pictures of a hand that is not in the folder, and one of another."""
    for n in range(3):
        draw_hand(20, n).save(tmp_path / f"{n}.png")
    draw_hand(21, 0).save(tmp_path / "other.png")
    return tmp_path


def test_training_ends_with_calibrations_and_the_next_command(run_of_hands, hands_folder):
    answer, folder = run_of_hands
    assert answer.code == 0, answer.err
    assert f"{hands_folder} has 8 writers: 2 are set apart to test" in answer.out
    assert "nearest to the same hand" in answer.out
    assert answer.out.splitlines()[-1].endswith(
        f"jaxdigits verify FILE... --questioned FILE --run {folder}"
    )
    assert len(load_comparison(folder).errors) == 2  # references of writers with three pictures


def test_a_hand_is_likelier_than_another(cli, run_of_hands, pictures):
    def verify(questioned):
        references = pictures / "0.png", pictures / "1.png"
        answer = cli("verify", *references, "--questioned", questioned, "--run",
                     run_of_hands[1], "--json")  # fmt: skip
        assert answer.code == 0, answer.err
        return answer.json()

    own, other = (verify(pictures / f"{name}.png") for name in ("2", "other"))
    assert own["likelihood_ratio"] > 1 > other["likelihood_ratio"]
    assert own["references"] == 2
    assert set(own["errors"]) == {"genuine", "impostor", "simple"}
    assert own["note"] == "this supports a person's judgement and does not replace it"


def test_the_answer_has_a_decision_its_errors_and_a_warning(cli, run_of_hands, pictures):
    files = [pictures / f"{n}.png" for n in range(3)]
    answer = cli("verify", *files, "--questioned", files[0], "--run", run_of_hands[1])
    assert answer.code == 0, answer.err
    first, ratio, errors, missed, last = answer.out.splitlines()
    assert first.startswith(f"{files[0]}: ")
    assert first.split(": ")[1] in ("same hand", "another hand", "cannot say")
    assert "times likelier from the same hand than from another, by 2 references" in ratio
    assert "% of others with the same name and (not measured) with another" in errors
    assert "% of genuine pairs" in missed
    assert last.endswith("this supports a person's judgement and does not replace it.")
    assert f"{files[0]} has the same ink as the questioned picture" in answer.err
    assert "errors are known for 2 references: the first 2 are used" in answer.err


def test_photographs_among_scans_are_named(cli, run_of_hands, pictures, draw_hand):
    draw_hand(20, 5, np.linspace(255, 200, 200)).save(pictures / "photo.png")
    answer = cli("verify", pictures / "0.png", "--questioned", pictures / "photo.png",
                 "--run", run_of_hands[1])  # fmt: skip
    assert answer.code == 0, answer.err
    assert "photo.png is a photograph and" in answer.err


def test_bad_input_is_refused_in_one_line(one_line, run_of_hands, pictures, trained):
    Image.new("L", (80, 60), 255).save(pictures / "blank.png")
    good, run = ("--questioned", pictures / "2.png"), ("--run", run_of_hands[1])
    for args, problem in (
        ((*good, *run), "verify needs a reference"),
        ((pictures / "0.png", *run), "verify needs --questioned FILE"),
        ((pictures / "0.png", *good), "verify needs --run RUN"),
        ((pictures / "blank.png", *good, *run), "no signature: nothing stands out"),
        ((pictures / "gone.png", *good, *run), "gone.png"),
        ((pictures / "0.png", *good, "--run", trained[1]), "pass a run of `jaxdigits train"),
    ):
        assert problem in one_line("verify", *args)[1]


def test_evaluate_prints_the_errors_on_test_writers(cli, run_of_hands):
    answer = cli("evaluate", run_of_hands[1], "--json")
    assert answer.code == 0, answer.err
    rows = answer.json()["decisions"]
    assert [row["references"] for row in rows] == [1, 2]
    assert all(0 <= row["equal_error"] <= 1 for row in rows)
    assert "equal error, same name" in answer.err
    refused = cli("evaluate", run_of_hands[1], "--corruptions", 1)
    assert (refused.code, refused.out) == (2, "")
    assert "are for digits" in refused.err


def test_a_digit_is_for_another_run(one_line, run_of_hands, tmp_path):
    code, line = one_line("predict", run_of_hands[1], tmp_path / "5.png")
    assert code == 2
    assert "jaxdigits verify REFERENCE" in line


def test_plot_draws_errors_and_strokes(cli, run_of_hands):
    pytest.importorskip("matplotlib")
    answer = cli("plot", run_of_hands[1])
    assert answer.code == 0, answer.err
    for name in ("learning", "errors", "strokes"):
        assert (run_of_hands[1] / "plots" / f"{name}.png").is_file()


def test_a_writer_alone_cannot_teach(one_line, hands_folder, tmp_path):
    (tmp_path / "hands").mkdir()
    (tmp_path / "hands" / "w0").symlink_to(hands_folder / "w0", target_is_directory=True)
    _, line = one_line("train", "embedding", "--data", tmp_path / "hands")
    assert "two writers with two signatures each" in line
