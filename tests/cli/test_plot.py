"""`jaxdigits plot`: figures and a report in the run's folder; one line for what is no run."""

import re
import shutil
import sys

import pytest


@pytest.fixture(scope="module")
def plotted(cli, two):
    return cli("plot", two[1], "--json"), two[1]


def test_each_figure_is_a_png_in_the_runs_folder(plotted):
    answer, folder = plotted
    assert answer.code == 0, answer.err
    figures = answer.json()["figures"]
    assert {"learning", "confusion", "raster", "agreement"} < set(figures)
    assert {p.name for p in (folder / "plots").iterdir()} == {
        *(f"{name}.png" for name in figures), "report.html"
    }  # fmt: skip
    for name in figures:
        assert (folder / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_has_every_figure_and_every_epoch(plotted, two):
    answer, folder = plotted
    text = (folder / "plots" / "report.html").read_text()
    assert answer.json()["report"] == str(folder / "plots" / "report.html")
    assert text.count("<svg role=") == len(answer.json()["figures"])
    assert "<h1>snn on digits</h1>" in text
    for said in ("test accuracy", "Metrics of each epoch", "Configuration", "Environment",
                 "mean of 2 and 95 % interval", "learning_rate"):  # fmt: skip
        assert said in text
    reported = float(two[0].out.split("test accuracy ")[1].split(" %")[0])
    assert f"<dd>{reported:.2f} %</dd>" in text


def test_the_report_counts_operations_beside_an_artificial_network(plotted):
    text = (plotted[1] / "plots" / "report.html").read_text()
    table = text.split("Operations and energy")[1].split("</details>")[0]
    assert "memory traffic, which dominates, is not in it" in table
    head, *rows = re.findall(r"<tr>(.*?)</tr>", table)
    assert re.findall(r"<th>(.*?)</th>", head)[1:] == ["network", "artificial"]
    cells = {label: rest for label, *rest in (re.findall("<td>(.*?)</td>", r) for r in rows)}
    number = lambda text: float(text.replace(",", ""))
    assert number(cells["accumulates"][0]) > 0 == number(cells["accumulates"][1])
    assert number(cells["multiply-accumulates"][1]) > 0
    assert any("Horowitz" in label for label in cells)


def test_a_run_without_its_record_is_drawn_without_it(cli, trained, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "params.npz"):
        shutil.copy(trained[1] / name, run)
    answer = cli("plot", run, "--out", tmp_path / "here", "--json")
    assert answer.code == 0, answer.err
    assert "learning" not in answer.json()["figures"]
    assert (tmp_path / "here" / "report.html").is_file()
    assert not (run / "plots").exists()


def test_what_is_no_run_is_one_line(one_line, trained, tmp_path):
    assert one_line("plot", tmp_path / "absent")[0] == 1
    code, said = one_line("plot", tmp_path)
    assert (code, "is not a run folder (no config.json)" in said) == (1, True)
    broken = tmp_path / "broken"
    shutil.copytree(trained[1], broken)
    (broken / "metrics.jsonl").write_text("{")
    code, said = one_line("plot", broken)
    assert code == 1
    assert said.startswith(f"{broken / 'metrics.jsonl'} cannot be used: ")


def test_what_cannot_be_asked_is_one_line(one_line, trained):
    code, said = one_line("plot", trained[1], "--corruptions", 6)
    assert (code, said) == (2, "--corruptions takes severities from 1 to 5, got 6")
    code, said = one_line("plot", trained[1], "--data-dir", "x")
    assert (code, said) == (2, "--data-dir is for MNIST, got it with digits: leave it out")


def test_without_matplotlib_it_says_what_to_install(one_line, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, said = one_line("plot", trained[1])
    assert (code, said) == (1, 'figures need matplotlib: pip install "jaxdigits[plots]"')


def test_a_folder_that_cannot_be_written_is_one_line(one_line, trained, tmp_path):
    (tmp_path / "file").write_text("")
    code, said = one_line("plot", trained[1], "--out", tmp_path / "file")
    assert code == 1
    assert "file" in said
