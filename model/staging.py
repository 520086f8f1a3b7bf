"""Hidden folders next to outputs in which files are made and from which they are delivered."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .run_records import Identity, Move, RunFacts, RunRecord, identify, is_own_folder, lock_stale_records

ENDING = ".part"
MADE, PREVIOUS = "made", "previous"  # folders within that of a run: of new files, and of those that they replace
ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # what ends a plain process


@dataclass(frozen=True)
class StaleRun:
    """The cleanup after a killed run.

    folder     its hidden folder         restored   names of files that it was replacing and that are back
    kept       names of previous files that could not be put back, for which the folder stays
    """

    folder: Path
    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Staging:
    """The hidden folder of a run, and how files leave it."""

    def __init__(self, folder: Path, record: RunRecord | None) -> None:
        self.folder, self.record = folder, record
        self.moves: list[Move] = []

    def deliver(self, new: Sequence[Path], previous: Sequence[Path]) -> None:
        """Move `previous` files out of the way and `new` ones to their place: all of them or none.

        The main file is the first of `previous` and the last of `new`, so it is there only while all others are.

        Raises OSError; the previous files are then back, or the message says where they are.
        """
        aside, target_folder = self.folder / PREVIOUS, self.folder.parent
        aside.mkdir()
        moves = [Move(target_folder / file.name, aside / file.name, identify(file)) for file in previous]
        self.moves = moves + [Move(file, target_folder / file.name, identify(file)) for file in new]
        if self.record and self.record.facts:
            with suppress(OSError):  # of a full disk elsewhere: only a kill would need it
                self.record.write(replace(self.record.facts, moves=tuple(self.moves)))
        try:
            for move in self.moves:
                os.replace(move.source, move.place)
        except OSError as error:
            self.restore()
            if self.kept:
                raise OSError(f"{error}; move the previous files back from {aside}: {', '.join(self.kept)}") from error
            raise

    def restore(self, trusted: bool = True) -> tuple[str, ...]:
        """Undo a delivery that has not come to its end; returns the names of previous files that are back.

        Where the folder is not `trusted`, only files of the recorded identity move, and none replaces another.
        """
        if self.complete:
            return ()
        for move in reversed(self.moves):
            with suppress(OSError):
                open_way = not os.path.lexists(move.source)
                if open_way and (trusted or _is_same_file(move.place, move.identity)):
                    os.replace(move.place, move.source)
        return tuple(m.source.name for m in self._previous if os.path.lexists(m.source))

    @property
    def complete(self) -> bool:
        """True where no delivery has begun, or its last file has left the folder."""
        return not self.moves or not os.path.lexists(self.moves[-1].source)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of previous files that the folder still holds though nothing has taken their place."""
        return () if self.complete else tuple(m.source.name for m in self._previous if os.path.lexists(m.place))

    @property
    def _previous(self) -> list[Move]:
        return [m for m in self.moves if m.place.parent == self.folder / PREVIOUS]

    def discard(self) -> None:
        """Remove the folder and its record; a folder that holds the only copy of previous files stays."""
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)  # which follows no link
        if self.record:
            with suppress(OSError):  # of a full disk elsewhere, once the result is in place
                self.record.close(remove=not os.path.lexists(self.folder))


@contextmanager
def staging(target: Path) -> Iterator[Staging]:
    """Yield a folder next to `target` to make it in. It is removed, also where the process is terminated.

    Raises OSError where no folder can be made.
    """
    with _unwinding():
        parent = os.path.abspath(target.parent)
        made = Staging(Path(tempfile.mkdtemp(prefix=f".{target.stem[:40]}-", suffix=ENDING, dir=parent)), None)
        try:
            with suppress(OSError):  # without a record, only the user can remove what a kill leaves
                made.record = RunRecord.create(made.folder)
            yield made
        finally:
            made.restore()
            made.discard()


def remove_stale_runs(folder: Path) -> list[StaleRun]:
    """Remove what killed runs of this user have left in a folder; files that they were replacing are restored first.

    Only the user's own records count: no file in the folder leads to any change.
    """
    stale_runs = []
    for record in lock_stale_records(folder):
        if record.facts is None or not _is_recorded(record.facts):
            record.close(remove=True)
            continue
        stale = Staging(record.facts.folder, record)
        stale.moves = _select_moves(record.facts)
        restored = stale.restore(trusted=False)
        stale_runs.append(StaleRun(stale.folder, restored, stale.kept))
        stale.discard()
    return stale_runs


def _is_recorded(facts: RunFacts) -> bool:
    """Return whether a path is still the folder of this user's run, not a link to it or a copy."""
    name = facts.folder.name
    try:
        pattern = name.startswith(".") and name.endswith(ENDING)
        return pattern and is_own_folder(facts.folder) and identify(facts.folder) == facts.identity
    except (OSError, ValueError):
        return False


def _select_moves(facts: RunFacts) -> list[Move]:
    """Return the moves of a record, all within the folder and its parent; none where one is not."""
    inside = (facts.folder, facts.folder / MADE, facts.folder / PREVIOUS, facts.folder.parent)
    return list(facts.moves) if all(p.parent in inside for m in facts.moves for p in (m.source, m.place)) else []


def _is_same_file(path: Path, identity: Identity) -> bool:
    """Return whether a path is a plain file, not a link, that has the recorded device and inode."""
    return stat.S_ISREG(path.lstat().st_mode) and identify(path) == identity


class _EndedError(BaseException):
    """A signal that ends the process; the number is its argument."""


@contextmanager
def _unwinding() -> Iterator[None]:
    """Let signals that end the process unwind the block first, as an interrupt does.

    Only in the main thread, and only signals with their default handling, which is restored afterwards.
    """
    main = threading.current_thread() is threading.main_thread()
    taken = [s for s in ENDS if main and signal.getsignal(s) is signal.SIG_DFL]

    def unwind(number: int, frame: Any) -> None:
        raise _EndedError(number)

    for number in taken:
        signal.signal(number, unwind)
    ended = None
    try:
        yield
    except _EndedError as error:
        ended = error.args[0]
        raise
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        if ended is not None:
            os.kill(os.getpid(), ended)
