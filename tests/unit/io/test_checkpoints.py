"""What is kept on disk: whole, plain, recognised by what it belongs to, and never believed."""

import errno
import io
import json
import os
import pickle
import re
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest

from scinfill.errors import DataError, InputError
from scinfill.io import checkpoints
from scinfill.io.checkpoints import MANIFEST, STATE, Folder, checkpointed
from scinfill.resume import Checkpoint, identify, resumable

WORK = {
    "input": {"log_values": "a" * 64, "counts": None},
    "method": {"command": "impute-deepmc"},
    "parameters": {"rank": 10, "ridge": None, "seed": 0},
    "versions": {"numpy": "2.0"},
}
FIT = "0001-fit"
SCRAP = ".scinfill-0123456789abcdef"
"""What a process may leave that was killed while it wrote."""
KEPT = Checkpoint(
    {
        "wide": np.arange(12, dtype=np.float32).reshape(3, 4),
        "by-columns": np.asfortranarray(np.random.default_rng(0).random((5, 3))),
        "empty": np.zeros((0, 2), np.float32),
        "single": np.array([-0.0, np.inf, np.nan]),
    },
    {"rounds": 3, "rate": 0.1 + 0.2, "losses": [1e-300, float("inf")], "pairs": [(1.0, 2.0)], "inner": {"stale": 0}},
    np.random.default_rng(5).bit_generator.state,
)
ALIKE = Checkpoint(
    {name: np.ones_like(array) for name, array in KEPT.arrays.items()},
    {"rounds": 0, "rate": 1.0, "losses": [0.0], "pairs": [(0.0, 0.0)], "inner": {"stale": 9}},
    np.random.default_rng(0).bit_generator.state,
)
RESULT = Checkpoint({"wide": np.ones((3, 4), np.float32)}, {"rounds": 0}, finished=True)


def folder(path, work=WORK, *, minutes=1.0):
    kept = Folder(path, minutes)
    kept.identify(work)
    return kept


@pytest.fixture
def kept(tmp_path):
    """A folder with one state, and the path of its file."""
    folder(tmp_path).save(FIT, KEPT)
    return tmp_path / f"{FIT}.npz"


def content(path):
    return {entry.name: entry.read_bytes() for entry in path.iterdir() if entry.is_file()}


def load(path, *alike):
    return folder(path.parent).load(FIT, alike or (ALIKE,))


def refused(error, words, function, *arguments):
    with pytest.raises(error, match=words) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    assert "to start afresh" in str(caught.value)


# --- round trip -----------------------------------------------------------------------------------------------------


def test_a_state_comes_back_bit_by_bit(kept):
    state = load(kept)
    assert list(state.arrays) == list(KEPT.arrays)
    for name, array in KEPT.arrays.items():
        back = state.arrays[name]
        assert back.tobytes("A") == array.tobytes("A")
        assert (back.dtype, back.shape, back.strides) == (array.dtype, array.shape, array.strides)
        assert back.flags.writeable
    assert state.facts == json.loads(json.dumps(KEPT.facts))
    assert state.generator == KEPT.generator
    assert not state.finished


def test_the_later_state_counts_and_the_end_may_be_smaller(kept):
    folder(kept.parent).save(FIT, RESULT)
    state = load(kept, ALIKE, RESULT)
    assert state.finished
    assert list(state.arrays) == ["wide"]


def test_nothing_kept_of_a_fit(kept):
    assert folder(kept.parent).load("0002-fit", [ALIKE]) is None


def test_numpy_reads_it_without_pickles(kept):
    with np.load(kept, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["wide"], KEPT.arrays["wide"])
        assert json.loads(archive[STATE])["fit"] == FIT


def test_due_after_a_while(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    kept = folder(tmp_path, minutes=2)
    for later, due in ((119, False), (120, True), (500, True)):
        now[0] = later
        assert kept.due() is due
    kept.save(FIT, KEPT)
    assert not kept.due()


# --- what it belongs to ---------------------------------------------------------------------------------------------


def with_changes(**changes):
    return {group: facts | changes.get(group, {}) for group, facts in WORK.items()}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": {"log_values": "b" * 64}}, "was made from other data; "),
        ({"input": {"counts": "b" * 64}}, "was made from other data; "),
        ({"parameters": {"rank": 20}}, "was made with rank 10, now 20; "),
        ({"parameters": {"ridge": 2.5, "seed": 1}}, "was made with ridge unset, now 2.5, with seed 0, now 1; "),
        ({"method": {"command": "impute-auto"}}, "was made with command impute-deepmc, now impute-auto; "),
        ({"method": {"command": "a"}, "parameters": {"rank": 2}}, "was made with command impute-deepmc, now a; "),
        ({"versions": {"numpy": "2.1"}}, "was made with numpy 2.0, now 2.1; "),
        ({"parameters": {"depth": 2}}, "was made with depth unset, now 2; "),
    ],
)
def test_other_work_is_refused_with_the_reason(kept, changes, words):
    (kept.parent / SCRAP).write_bytes(b"half")
    before = content(kept.parent)
    refused(InputError, re.escape(words), folder, kept.parent, with_changes(**changes))
    assert content(kept.parent) == before


def test_a_state_of_other_work(kept, tmp_path):
    """A file that was moved here from another folder."""
    other = tmp_path / "other"
    other.mkdir()
    folder(other, with_changes(parameters={"rank": 20}))
    kept.rename(other / kept.name)
    refused(DataError, "other work", folder(other, with_changes(parameters={"rank": 20})).load, FIT, [ALIKE])


def test_a_state_of_another_fit(kept):
    kept.rename(kept.with_name("0002-fit.npz"))
    refused(DataError, "another fit", folder(kept.parent).load, "0002-fit", [ALIKE])


def test_a_format_of_the_future(kept):
    manifest = kept.parent / MANIFEST
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    refused(InputError, "has format 2, not 1", folder, kept.parent)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"3",
        b"{}",
        b'{"format": 1, "work": 3}',
        b'{"format": 1, "work": {"a": 1}}',
        b"[" * 10**5,
    ],
    ids=["empty", "cut", "no text", "number", "nothing in it", "no work", "no groups", "deep"],
)
def test_a_damaged_description(kept, content):
    (kept.parent / MANIFEST).write_bytes(content)
    refused(DataError, "checkpoint.json' is damaged: ", folder, kept.parent)
    assert (kept.parent / MANIFEST).read_bytes() == content


def test_states_without_a_description(kept):
    (kept.parent / MANIFEST).unlink()
    refused(DataError, "checkpoint.json' is damaged: it is not there", folder, kept.parent)


# --- damage ---------------------------------------------------------------------------------------------------------


def damaged(path, words=""):
    before = content(path.parent)
    refused(DataError, f"0001-fit.npz' is damaged: .*{words}", load, path)
    assert content(path.parent) == before


def test_a_refusal_keeps_even_what_was_half_written(kept):
    (kept.parent / SCRAP).write_bytes(b"half")
    kept.write_bytes(b"damaged")
    damaged(kept)


def test_cut_anywhere(kept):
    whole = kept.read_bytes()
    for length in (*range(0, len(whole), 97), len(whole) - 1):
        kept.write_bytes(whole[:length])
        damaged(kept)


@pytest.mark.slow
def test_every_flipped_byte_is_found_or_harmless(kept):
    """Harmless: times and other notes of the archive that nothing depends on."""
    whole = bytearray(kept.read_bytes())
    harmless = 0
    for place in range(len(whole)):
        whole[place] ^= 0xFF
        kept.write_bytes(whole)
        whole[place] ^= 0xFF
        try:
            state = load(kept)
        except DataError:
            continue
        harmless += 1
        assert all(state.arrays[name].tobytes() == array.tobytes() for name, array in KEPT.arrays.items())
        assert (state.facts, state.generator) == (json.loads(json.dumps(KEPT.facts)), KEPT.generator)
    assert harmless < len(whole) / 5


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def rewritten(path, **members):
    """Write the archive anew with other members; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= {name.replace("_", "."): content for name, content in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(np.zeros((3, 5), np.float32)), r"wide.npy is float32 \(3, 5\), not float32 \(3, 4\)"),
        (npy(np.zeros((3, 4))), r"wide.npy is float64 \(3, 4\), not float32 \(3, 4\)"),
        (npy(np.zeros((3, 4), ">f4")), "wide.npy is >f4"),
        (npy(np.zeros((3, 4), np.float32))[:-4], ""),
        (npy(np.zeros((3, 4), np.float32)) + b"more", ""),
        (npy(np.zeros((3, 4), np.float32), version=(2, 0)), "unknown format"),
        (npy(np.zeros((3, 4), np.float32)).replace(b"(3, 4)", b"(9**9,"), ""),
        (npy(np.zeros((3, 4), np.float32)).replace(b"(3, 4), }", b"(10**15,)}"), ""),
        (npy(np.zeros((3, 4), np.float32)).replace(b"'<f4'", b"'|O' "), "wide.npy is object"),
        (b"", ""),
        (None, "its arrays are not those of this fit"),
    ],
    ids=[
        "shape",
        "type",
        "byte order",
        "short",
        "long",
        "version",
        "expression",
        "huge",
        "claims objects",
        "empty",
        "gone",
    ],
)
def test_an_array_that_is_not_the_expected_one(kept, content, words):
    rewritten(kept, wide_npy=content)
    damaged(kept, words)


def test_a_pickle_is_never_loaded(kept, tmp_path):
    trap = np.array([[Trap(str(tmp_path / "sprung"))] * 4] * 3, dtype=object)
    rewritten(kept, wide_npy=npy(trap, allow_pickle=True))
    damaged(kept, "wide.npy is object")
    kept.write_bytes(pickle.dumps(trap))
    damaged(kept, "not a zip file")
    assert not (tmp_path / "sprung").exists()


def test_an_array_too_many(kept):
    rewritten(kept, more_npy=npy(np.zeros(3)))
    damaged(kept, "its arrays are not those of this fit")


def test_a_bomb_is_not_inflated(kept):
    with zipfile.ZipFile(kept, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(10**7))
    damaged(kept, "claims more than it holds")


def facts(**changes):
    content = {"fit": FIT, "finished": False, "facts": KEPT.facts, "generator": KEPT.generator}
    return content | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"facts": KEPT.facts | {"rounds": "3"}},
        {"facts": KEPT.facts | {"rounds": 3.5}},
        {"facts": KEPT.facts | {"losses": []}},
        {"facts": KEPT.facts | {"losses": [1.0, "x"]}},
        {"facts": KEPT.facts | {"pairs": [[1.0, 2.0, 3.0]]}},
        {"facts": KEPT.facts | {"inner": {}}},
        {"facts": KEPT.facts | {"more": 1}},
        {"facts": [1]},
        {"generator": None},
        {"generator": KEPT.generator | {"bit_generator": "Other"}},
        {"generator": KEPT.generator | {"state": {"state": -1, "inc": 10**60}}},
        {"generator": {"bit_generator": "PCG64"}},
        {"fit": 3},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_facts_that_this_fit_does_not_keep(kept, changes):
    with zipfile.ZipFile(kept) as archive:
        key = json.loads(archive.read(STATE))["key"]
    rewritten(kept, state_json=json.dumps(facts(key=key, **changes)))
    damaged(kept)


@pytest.mark.parametrize("text", ["", "{", "3", "null", "[" * 10**5, "\x00", '{"fit": 1}', "9" * 5000])
def test_nonsense_instead_of_facts(kept, text):
    rewritten(kept, state_json=text)
    damaged(kept)


# --- the folder -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counter:
    values: np.ndarray


def count_to_four():
    return resumable("fit", Counter(np.zeros(2)), lambda state, _: Counter(state.values + 1), 4, label="count")


def use(path, **options):
    with checkpointed(path, **options):
        identify(lambda: WORK)
        count_to_four()


def test_it_is_made_and_emptied(tmp_path):
    use(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_it_stays_where_the_work_fails(tmp_path):
    def fail():
        with checkpointed(tmp_path):
            identify(lambda: WORK)
            count_to_four()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001-fit.npz", MANIFEST]
    use(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_none_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use(None)
    assert list(tmp_path.iterdir()) == []


def test_where_it_goes_on_is_said(kept, caplog):
    caplog.set_level("INFO")
    folder(kept.parent)
    assert f"goes on from {str(kept.parent)!r}, at fit 1 (fit)" in caplog.text


@pytest.mark.parametrize("minutes", [-1, float("nan")])
def test_no_such_time(tmp_path, minutes):
    with pytest.raises(InputError, match="`minutes` must be 0 or more; it is "):
        use(tmp_path / "new", minutes=minutes)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["notes.txt", "0001-fit.npy", "1-fit.npz", "0001-Fit.npz", "sub"])
def test_what_is_not_ours_is_left_alone(tmp_path, name):
    foreign = tmp_path / name
    foreign.mkdir() if name == "sub" else foreign.write_text("mine")
    with pytest.raises(InputError, match=f"holds '{name}', which is no part of a checkpoint"):
        use(tmp_path)
    assert list(tmp_path.iterdir()) == [foreign]


@pytest.mark.parametrize("name", ["0001-fit.npz", MANIFEST, "lock", SCRAP])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_ours_are_plain_files(tmp_path, name, kind):
    """A link would be written through; opening a pipe would wait for ever."""
    target, path = tmp_path / "target", tmp_path / "folder"
    target.write_text("mine")
    path.mkdir()
    {
        "link": lambda: (path / name).symlink_to(target),
        "pipe": lambda: os.mkfifo(path / name),
        "folder": (path / name).mkdir,
    }[kind]()
    with pytest.raises(InputError, match="no part of a checkpoint"):
        use(path)
    assert target.read_text() == "mine"
    assert [entry.name for entry in path.iterdir()] == [name]


def test_what_a_killed_process_left_half_written_goes_before_more_is_written(kept):
    """So that a job that is killed again and again does not fill the disk."""
    (kept.parent / SCRAP).write_bytes(b"half")
    folder(kept.parent).save(FIT, RESULT)
    assert sorted(content(kept.parent)) == ["0001-fit.npz", MANIFEST]


def test_what_a_killed_process_left_half_written_goes_at_the_end(kept):
    (kept.parent / SCRAP).write_bytes(b"half")
    with checkpointed(kept.parent):
        identify(lambda: WORK)
    assert list(kept.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/in", "absent/folder", "x" * 300])
def test_no_folder_can_be_there(tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"`folder` .* is not a folder to write to: "):
        use(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(checkpoints.os, "open", refuse)
    with pytest.raises(InputError, match="is not a folder to write to: Read-only file system"):
        use(tmp_path)


def test_two_jobs_to_one_folder(tmp_path):
    with checkpointed(tmp_path), pytest.raises(InputError, match="in use by another job"):
        use(tmp_path)
    use(tmp_path)


def test_a_job_that_ends_while_the_next_begins(tmp_path, monkeypatch):
    """The lock that was opened may be gone from the folder by the time it is free."""
    usual, locked = checkpoints._flock, []

    def late(descriptor):
        usual(descriptor)
        if not locked:
            (tmp_path / "lock").unlink()
        locked.append(descriptor)

    monkeypatch.setattr(checkpoints, "_flock", late)
    with checkpointed(tmp_path):
        assert len(locked) == 2
        assert (tmp_path / "lock").exists()


def test_a_file_system_without_locks(tmp_path, monkeypatch, caplog):
    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(checkpoints.fcntl, "flock", refuse)
    use(tmp_path)
    assert "knows no locks" in caplog.text


def test_the_work_outlives_a_full_disk(kept, monkeypatch, caplog):
    """The earlier state stays, and whoever watches is told."""

    def refuse(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints, "_write", refuse)
    folder(kept.parent).save(FIT, RESULT)
    assert "0001-fit.npz' is not kept: no space left for" in caplog.text
    assert not load(kept, ALIKE, RESULT).finished
