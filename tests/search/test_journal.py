"""The journal: a line is whole or absent, and no journal of another search is gone on with."""

import os

import numpy as np
import pytest

from jaxdigits.errors import RunError
from jaxdigits.search.journal import (
    FILE,
    append_record,
    create_journal,
    cut_journal,
    held,
    pool_file,
    read_journal,
    read_pool,
    require_same_search,
    save_pool,
)

HEAD = {"space": {"lr": {"real": [0.1, 1.0]}}, "seed": 0}
RECORDS = [{"bracket": 0, "trials": [0, 1]}, {"rung": 1, "on": [1]}, {"rung": 3, "on": []}]


@pytest.fixture
def folder(tmp_path):
    create_journal(tmp_path, HEAD)
    for i, record in enumerate(RECORDS, 1):
        append_record(tmp_path, record, i)
    return tmp_path


def lines(folder):
    return (folder / FILE).read_text().splitlines(keepends=True)


def write(folder, rows):
    (folder / FILE).write_text("".join(rows))


def test_records_come_back_and_can_be_cut(folder):
    assert read_journal(folder) == (HEAD, RECORDS)
    cut_journal(folder, 1)
    assert read_journal(folder) == (HEAD, RECORDS[:1])


@pytest.mark.parametrize("left", range(1, 20, 3))
def test_a_last_line_that_is_not_whole_is_passed_over(folder, left):
    *whole, last = lines(folder)
    write(folder, [*whole, last[:-left]])
    assert read_journal(folder)[1] == RECORDS[:2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [rows[0], *rows[2:]], "is cut before line 2: bring the file back"),
        (lambda rows: [rows[0], rows[1][:9] + "\n", *rows[2:]], "is damaged in line 2"),
        (lambda rows: rows + rows, "has two searches, the second from line 5 on"),
        (lambda rows: ["{}\n"], "is cut before line 1"),
        (lambda rows: [*rows[:2], *rows[1:]], "two lines of one number, the second is line 3"),
        (lambda rows: [rows[0].replace('"format": 1', '"format": 9')], "of format 1"),
        (lambda rows: [], "has no head"),
    ],
)
def test_a_journal_that_is_not_as_it_was_written_is_refused_in_one_line(
    folder, change, message
):
    write(folder, change(lines(folder)))
    with pytest.raises(RunError, match=message) as error:
        read_journal(folder)
    assert "\n" not in str(error.value)
    assert FILE in str(error.value)


def test_a_folder_without_a_journal_or_with_another_search_is_refused(tmp_path, folder):
    with pytest.raises(RunError, match=r"has no journal.jsonl of a search; create one"):
        read_journal(tmp_path / "none")
    with pytest.raises(RunError, match="has a search: go on with --resume"):
        create_journal(folder, HEAD)
    require_same_search(folder, HEAD, dict(HEAD))
    with pytest.raises(RunError, match="is a search of another seed"):
        require_same_search(folder, HEAD, HEAD | {"seed": 1})


def test_one_process_at_a_time_holds_a_search(folder):
    refused = pytest.raises(RunError, match="is searched by another process")
    with held(folder), refused, held(folder):
        pass
    with held(folder), held(folder / "none"):  # whose reader says what is wrong
        pass


def test_a_full_disk_leaves_the_journal_as_it_was(folder, monkeypatch):
    before = (folder / FILE).read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*: No space left on device"):
        append_record(folder, {"rung": 9}, 4)
    assert (folder / FILE).read_bytes() == before
    with pytest.raises(RunError, match="No space left"):
        cut_journal(folder, 1)
    assert (folder / FILE).read_bytes() == before


def test_states_come_back_and_damaged_ones_do_not(folder):
    state = {"w": np.arange(6.0).reshape(2, 3), "step": np.int32(4)}
    save_pool(folder, {1: state, 7: state | {"step": np.int32(9)}}, 2)
    pool = read_pool(folder, 2, [7], state)
    assert list(pool) == [7]
    assert pool[7]["step"] == 9
    np.testing.assert_array_equal(pool[7]["w"], state["w"])
    assert read_pool(folder, 1, [7], state) is None
    assert read_pool(folder, 2, [3], state) is None
    assert read_pool(folder, 2, [7], state | {"w": np.zeros((3, 2))}) is None
    path = pool_file(folder, 2)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 255
    path.write_bytes(bytes(data))
    assert read_pool(folder, 2, [7], state) is None
    for count in range(3, 7):
        save_pool(folder, {1: state}, count)
    assert len(list(path.parent.iterdir())) == 2, "the newest, and the one before it"
