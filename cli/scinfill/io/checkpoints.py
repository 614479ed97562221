"""A folder that keeps long work, so that it goes on after a crash: plain arrays and JSON, never pickles.

``checkpoint.json`` says what the work is; every fit has one file ``NUMBER-NAME.npz`` of its arrays and a
``state.json``. Files appear whole or not at all, and nothing in them is believed: a name, type, shape or
checksum that is not the expected one ends the job, and nothing is ever executed.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError, InputError, ResourceError
from scinfill.io.streams import NO_SPACE, complete, display, write_text
from scinfill.resume import MINUTES, Checkpoint, Job, storing_in

log = logging.getLogger(__name__)

FORMAT = 1
MANIFEST = "checkpoint.json"
LOCK = "lock"
STATE = "state.json"
"""In every file of a fit, beside its arrays."""
FIT_FILE = re.compile(r"\d{4,}-[a-z]+\.npz")
PART_FILE = re.compile(r"\.scinfill-[0-9a-f]{16}")
"""What a process that was killed while it wrote may leave behind."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What some network file systems answer."""
REMEDY = "name another folder, or delete this one to start afresh"


@contextmanager
def checkpointed(folder: str | Path | None, *, minutes: float = MINUTES) -> Iterator[None]:
    """Keep the fits inside the block in a folder, and take up what is kept there.

    When the block ends well the folder is emptied; when it does not, everything stays for the next process.

    Parameters
    ----------
    folder
        Made if it is not there; None keeps nothing.
    minutes
        Between two states of one fit. The end of a fit is always kept.

    Raises
    ------
    InputError
        Not a folder, not writable, in use by another job, with files of another origin, or with other work.
    DataError
        What is kept is damaged.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=50, n_genes=40))
    >>> with scinfill.checkpointed("checkpoints"):
    ...     scinfill.impute_deepmc(table, rank=2).write_h5ad("imputed.h5ad")
    """
    if folder is None:
        yield
        return
    if not minutes >= 0:
        raise InputError(f"`minutes` must be 0 or more; it is {minutes}")
    path = Path(folder)
    _make_usable(path)
    with _lock(path):
        store = Folder(path, minutes)
        with storing_in(store):
            yield
        store.clear()


class Folder:
    """A :class:`scinfill.resume.CheckpointStore` on disk; the caller holds the lock."""

    def __init__(self, path: Path, minutes: float) -> None:
        self.path = path
        self._seconds = 60 * minutes
        self._saved_at = time.monotonic()
        self._key = ""
        self._scraps = self._files(PART_FILE)

    def identify(self, job: Job) -> None:
        """Write down what the work is, or compare it with what is written."""
        text = json.dumps({"format": FORMAT, "work": job}, indent=1, sort_keys=True)
        self._key = hashlib.sha256(text.encode()).hexdigest()
        manifest, fits = self.path / MANIFEST, self._files(FIT_FILE)
        if manifest.exists():
            _check_same(self.path, _manifest(manifest), json.loads(text)["work"])
        elif fits:
            raise _damaged(manifest, "it is not there")
        else:
            write_text(text, manifest)
        if fits:
            number, name = fits[-1].stem.split("-")
            log.info("goes on from %s, at fit %d (%s)", display(self.path), int(number), name)

    def load(self, fit: str, alike: Sequence[Checkpoint]) -> Checkpoint | None:
        """Return what was kept of a fit, if it is sound and as expected."""
        path = self._file(fit)
        if not path.exists():
            return None
        try:
            with path.open("rb") as handle:
                return _read(handle, fit=fit, key=self._key, alike=alike)
        except MemoryError:
            raise
        except Exception as error:  # whatever a damaged file makes the libraries raise
            remedy = "delete this file to do that fit again, or the folder to start afresh"
            raise _damaged(path, " ".join(str(error).split()), remedy) from error

    def due(self) -> bool:
        """Whether the last state was kept long enough ago."""
        return time.monotonic() - self._saved_at >= self._seconds

    def save(self, fit: str, checkpoint: Checkpoint) -> None:
        """Write a state. Where that fails the work is worth more than its copy: it goes on, with a warning."""
        path = self._file(fit)
        try:
            self._clear_scraps()
            with complete(path) as handle:
                _write(handle, fit=fit, key=self._key, checkpoint=checkpoint)
        except (ResourceError, OSError) as error:
            log.warning("%s is not kept: %s", display(path), error)
        self._saved_at = time.monotonic()

    def clear(self) -> None:
        """Remove what was kept; what the work is goes last, so that no state is ever without it."""
        self._clear_scraps()
        for path in (*self._files(FIT_FILE), self.path / MANIFEST):
            path.unlink(missing_ok=True)

    def _clear_scraps(self) -> None:
        """Remove what earlier processes left half-written, not before this one writes: a refusal changes nothing."""
        while self._scraps:
            self._scraps.pop().unlink(missing_ok=True)

    def _file(self, fit: str) -> Path:
        return self.path / f"{fit}.npz"

    def _files(self, pattern: re.Pattern[str]) -> list[Path]:
        return sorted(path for path in self.path.iterdir() if pattern.fullmatch(path.name))


def _make_usable(path: Path) -> None:
    """Make the folder if need be, and refuse one that holds anything that is not ours."""
    try:
        path.mkdir(exist_ok=True)
        entries = list(os.scandir(path))
    except OSError as error:
        raise _unusable(path, error) from error
    for entry in entries:
        ours = entry.name in (MANIFEST, LOCK) or FIT_FILE.fullmatch(entry.name) or PART_FILE.fullmatch(entry.name)
        if not (ours and entry.is_file(follow_symlinks=False)):
            raise InputError(
                f"`folder` {display(path)} holds {entry.name!r}, which is no part of a checkpoint; "
                f"name an empty or a new folder"
            )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other jobs out; the lock ends with the process, however that ends."""
    lock = path / LOCK
    try:
        descriptor = _lock_descriptor(lock)
    except BlockingIOError as error:
        raise InputError(f"`folder` {display(path)} is in use by another job; name another folder") from error
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _lock_descriptor(lock: Path) -> int:
    """Open and lock a file, again where the job that held it has just ended and taken it away."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            _flock(descriptor)
            if lock.exists() and os.path.samestat(lock.stat(), os.fstat(descriptor)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _flock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        log.warning("this file system knows no locks: see that no other job keeps its work in the same folder")


def _unusable(path: Path, error: OSError) -> InputError | ResourceError:
    kind = ResourceError if error.errno in NO_SPACE else InputError
    reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
    return kind(f"`folder` {display(path)} is not a folder to write to: {reason}")


def _damaged(path: Path, reason: str, remedy: str = REMEDY) -> DataError:
    return DataError(f"checkpoint {display(path)} is damaged: {reason}; {remedy}")


def _manifest(path: Path) -> Any:  # noqa: ANN401 - what JSON may hold
    """Return what the work in a folder is."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, work = content["format"], content["work"]
        groups = [dict(group) for group in work.values()]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise _damaged(path, f"it is not what scinfill writes ({type(error).__name__})") from error
    if version != FORMAT or not groups:
        raise InputError(f"checkpoint {display(path)} has format {version}, not {FORMAT}; {REMEDY}")
    return work


def _check_same(path: Path, kept: Job, now: Job) -> None:
    """Refuse the work of other data, parameters or versions, and say what differs."""
    differences = []
    if kept.get("input") != now.get("input"):
        differences.append("from other data")
    same_method = kept.get("method") == now.get("method")
    for group in sorted((kept.keys() | now.keys()) - {"input"}) if same_method else ["method"]:
        then, today = kept.get(group, {}), now.get(group, {})
        differences += [
            f"with {name} {_shown(then.get(name))}, now {_shown(today.get(name))}"
            for name in sorted(then.keys() | today.keys())
            if then.get(name) != today.get(name)
        ]
    if differences:
        raise InputError(f"checkpoint {display(path)} was made {', '.join(differences)}; {REMEDY}")


def _shown(value: object) -> str:
    return "unset" if value is None else f"{value}"


def _write(handle: BinaryIO, *, fit: str, key: str, checkpoint: Checkpoint) -> None:
    facts = {
        "fit": fit,
        "key": key,
        "finished": checkpoint.finished,
        "facts": checkpoint.facts,
        "generator": checkpoint.generator,
    }
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(STATE, json.dumps(facts))
        for name, array in checkpoint.arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), version=(1, 0), allow_pickle=False)


def _read(handle: BinaryIO, *, fit: str, key: str, alike: Sequence[Checkpoint]) -> Checkpoint:
    """Read a state, after its sizes are compared with the file's and its names and types with the expected ones.

    Raises
    ------
    Exception
        Any kind, where the file is not as expected.
    """
    size = os.fstat(handle.fileno()).st_size
    with zipfile.ZipFile(handle) as archive:
        members = archive.infolist()
        if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > size for info in members):
            raise ValueError("it claims more than it holds")
        content = json.loads(archive.read(STATE))
        if (content["fit"], content["key"]) != (fit, key):
            raise ValueError("it belongs to another fit or other work")
        expected = next(one for one in alike if one.finished == content["finished"])
        facts, generator = content["facts"], content["generator"]
        if not (_like(expected.facts, facts) and _like(expected.generator, generator)):
            raise ValueError(f"{STATE} is not what this fit keeps")
        if generator is not None:
            np.random.default_rng().bit_generator.state = generator
        if sorted(info.filename for info in members) != sorted([STATE, *(f"{name}.npy" for name in expected.arrays)]):
            raise ValueError("its arrays are not those of this fit")
        arrays = {name: _array(archive, f"{name}.npy", array) for name, array in expected.arrays.items()}
    return Checkpoint(arrays, facts, generator, expected.finished)


def _array(archive: zipfile.ZipFile, name: str, expected: NDArray[Any]) -> NDArray[Any]:
    """Read one array in the memory layout that it had; reading to the end compares its checksum."""
    with archive.open(name) as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} has an unknown format")
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(member)
        if (shape, dtype) != (expected.shape, expected.dtype):
            raise ValueError(f"{name} is {dtype} {shape}, not {expected.dtype} {expected.shape}")
        values = np.frombuffer(member.read(), dtype)
    return values.reshape(shape, order="F" if columns_first else "C").copy(order="K")


def _like(expected: object, value: object) -> bool:
    """Whether a value from JSON is built as the expected one: names, kinds of numbers, lists of the first's kind."""
    if isinstance(expected, Mapping):
        return (
            isinstance(value, Mapping)
            and expected.keys() == value.keys()
            and all(_like(part, value[name]) for name, part in expected.items())
        )
    if isinstance(expected, tuple):
        return (
            isinstance(value, list)
            and len(value) == len(expected)
            and all(_like(*pair) for pair in zip(expected, value, strict=True))
        )
    if isinstance(expected, list):
        return isinstance(value, list) and bool(value) and all(_like(expected[0], part) for part in value)
    if isinstance(expected, float):
        return isinstance(value, float | int)
    return type(value) is type(expected)
