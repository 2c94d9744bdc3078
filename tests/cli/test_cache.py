"""JAXDIGITS_CACHE: what is kept, what a second start does with it, and what may be wrong."""

import json
import os
import subprocess
import sys
import warnings
from importlib.metadata import version

import pytest

from jaxdigits.cli import cache
from jaxdigits.cli.cache import VARIABLE, cpu, folder_name, usable_folder

# The program, and how often JAX said what, as the last line.
COUNTED = """
import json, sys, jax
from jaxdigits.cli import run
said = []
jax.monitoring.register_event_listener(lambda event, **_: said.append(event.split("/")[-1]))
code = run(sys.argv[1:])
print(json.dumps({event: said.count(event) for event in said}))
sys.exit(code)
"""
TRAIN = ("train", "mlp", "--hidden", "8", "--epochs", "1", "--seed", "3")
HOMES = ("HOME", "USERPROFILE", "XDG_CACHE_HOME")
INFO = "processor\t: 0\nmodel name\t: {}\nflags\t\t: {}\n\nprocessor\t: 1\nflags\t: none\n"


def start(folder, name, base=None):
    """JAX's counts, stderr and params of a process that trains into `folder / name`."""
    without = (VARIABLE, "JAX_COMPILATION_CACHE_DIR")
    env = {k: v for k, v in os.environ.items() if k not in without}
    env |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"} | dict.fromkeys(HOMES, str(folder))
    if base is not None:
        env[VARIABLE] = str(base)
    command = [sys.executable, "-c", COUNTED, *TRAIN, "--out", name]
    done = subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    return counts, done.stderr, (folder / name / "params.npz").read_bytes()


def entries(base):
    """{path: (size, time of writing)} of what is in a cache."""
    files = [path for path in base.rglob("*") if path.is_file()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """(folder, [what a start left, and the entries after it]) of two starts."""
    folder = tmp_path_factory.mktemp("starts")
    base = folder / "cache"
    return folder, [(start(folder, name, base), entries(base)) for name in ("one", "two")]


def test_the_second_start_compiles_nothing_and_comes_to_the_same(twice):
    _, [((first, _, params), made), ((second, err, again), left)] = twice
    assert first["cache_misses"] == first["compile_requests_use_cache"] == len(made)
    assert "cache_hits" not in first
    assert second["cache_hits"] == second["compile_requests_use_cache"]
    assert "cache_misses" not in second
    assert any(path.name.startswith("jit_run_epoch-") for path in made)
    assert left == made
    assert again == params
    assert err == ""


def test_all_is_in_the_subfolder_of_this_version_and_cpu(twice):
    folder, [(_, made), _] = twice
    [inside] = (folder / "cache").iterdir()
    assert inside.name == folder_name(version("jaxlib"))
    assert {path.parent for path in made} == {inside}
    assert inside.stat().st_mode & 0o077 == 0 or os.name == "nt"


@pytest.mark.parametrize("base", [None, ""])
def test_without_it_nothing_is_written_and_the_numbers_are_the_same(twice, tmp_path, base):
    _, [((_, _, params), _), _] = twice
    counts, err, same = start(tmp_path, "run", base)
    assert not {"cache_hits", "cache_misses"} & set(counts)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (err, same) == ("", params)


def test_damaged_entries_are_a_line_each_and_are_made_anew(twice):
    folder, [((_, _, params), made), _] = twice
    base = folder / "cache"
    find = lambda name: next(path for path in made if path.name.startswith(f"{name}-"))
    cut, garbled = find("jit_start"), find("jit_run_epoch")
    cut.write_bytes(cut.read_bytes()[: made[cut][0] // 2])
    garbled.write_bytes(bytes(byte ^ 0x5A for byte in garbled.read_bytes()))
    counts, err, same = start(folder, "three", base)
    assert sorted(err.splitlines()) == [
        f"jaxdigits: {VARIABLE}: jit_run_epoch is damaged and is compiled again",
        f"jaxdigits: {VARIABLE}: jit_start is damaged and is compiled again",
    ]
    assert counts["cache_misses"] == 2
    assert same == params
    counts, err, same = start(folder, "four", base)
    assert (counts["cache_hits"], err, same) == (len(made), "", params)


def test_another_processor_or_another_feature_is_another_subfolder(tmp_path, monkeypatch):
    def named(name, features):
        (tmp_path / "cpuinfo").write_text(INFO.format(name, features))
        monkeypatch.setattr(cache, "CPU_INFO", tmp_path / "cpuinfo")
        return folder_name("0.10.2")

    here = named("Fast(R) CPU @ 2 GHz", "sse avx")
    assert cpu() == ("Fast(R) CPU @ 2 GHz", "sse avx")
    assert here.startswith("jaxlib-0.10.2-Fast-R-CPU-2-GHz-")
    assert here == named("Fast(R) CPU @ 2 GHz", "sse avx")
    others = {named("Fast(R) CPU @ 3 GHz", "sse avx"), named("Fast(R) CPU @ 2 GHz", "sse")}
    assert len(others - {here}) == 2
    assert folder_name("0.11.0") not in {here, *others}


def test_an_arm_has_numbers_for_a_name_and_others_have_what_python_knows(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text("CPU implementer\t: 0x41\nCPU part\t: 0xd40\nFeatures\t: fp asimd\n")
    monkeypatch.setattr(cache, "CPU_INFO", info)
    assert cpu() == ("0x41 0xd40", "fp asimd")
    info.unlink()
    name, features = cpu()
    assert name
    assert features == ""


@pytest.mark.parametrize("inside", [(), ("below",)])
def test_a_file_in_the_folders_place_is_one_line(one_line, tmp_path, monkeypatch, inside):
    (tmp_path / "taken").touch()
    base = tmp_path.joinpath("taken", *inside)
    monkeypatch.setenv(VARIABLE, str(base))
    code, said = one_line("train", "mlp", "--out", tmp_path / "run")
    assert code == 2
    assert said.startswith(f"{VARIABLE}={base} cannot be used: ")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_must_not_be_written_is_one_line(one_line, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    code, said = one_line("check", "relu")
    assert code == 2
    assert said.startswith(f"{VARIABLE}={tmp_path} cannot be used: ")
    assert said.endswith("is not writable")


def test_a_jaxlib_that_prints_false_errors_is_refused(one_line, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(cache, "version", lambda name: "0.10.1")
    code, said = one_line("check", "relu")
    assert code == 2
    assert said.startswith(f"{VARIABLE} needs jaxlib 0.10.2 or later: 0.10.1 prints ")
    assert list(tmp_path.iterdir()) == []


def test_help_and_a_command_not_understood_do_not_touch_the_folder(cli, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    assert cli("train", "--help").code == 0
    assert cli("--version").code == 0
    assert cli("learn").code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_users_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    folder = usable_folder("~/cache")
    assert folder.parent == tmp_path / "cache"
    assert folder.is_dir()


def test_what_cannot_be_written_is_a_line_and_other_warnings_stay(tmp_path, capsys):
    usual = []
    show = cache._in_one_line(tmp_path, lambda *args, **kwargs: usual.append(args[0]))
    entry = "persistent compilation cache entry for 'jit_f': OSError: [Errno 28] No space"
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        warnings.warn(f"Error writing {entry}", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    line = f"jaxdigits: {VARIABLE}: cannot write jit_f: OSError: [Errno 28] No space\n"
    assert capsys.readouterr().err == line
    assert [str(warning) for warning in usual] == ["something else"]
