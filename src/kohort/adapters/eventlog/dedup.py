"""Which messages were received, of any age: 128-bit keys of (source, message id), exact, in bounded memory.

New keys go into a set. A full set becomes a sorted run in memory, several of those a file, and files are merged so that there
are only ever a few. All of that happens on threads of its own. After a crash the keys since the last file are read from the log.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from kohort.adapters.eventlog.runs import DamagedRun, FileRun, GivenUp, MemoryRun, Run, filter_bits, merged_in_memory, write_run
from kohort.events.model import Received
from kohort.ports.event_log import EventLog, Position
from kohort.workspace.files import write_text

SET_KEYS = 32_768
MEMORY_KEYS = 524_288
READER = "message-ids"
"""The name of the index among the readers of the log."""

_RATIO = 3
_MOST_FULL_SETS = 16
"""When sorting does not keep up so far, the writer of the log waits for it, rather than memory growing."""
_MANIFEST = "manifest.json"


def message_key(source: str, message_id: str) -> bytes:
    """16 bytes that stand for one message of one source."""
    return _digest(_person(source), message_id)


def _person(source: str) -> bytes:
    return sha256(source.encode()).digest()[:16]


def _digest(person: bytes, message_id: str) -> bytes:
    return blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=16, person=person).digest()


@dataclass(frozen=True, slots=True, eq=False)
class _Full:
    """A set that is to become a run. upto: the position of the log at which it was full."""

    keys: set[bytes]
    joined: tuple[bytes, ...]
    upto: int


class MessageIndex:
    """See `kohort.web.ingest.commits.KnownIds`. One thread takes and settles; `log` tells the keys that are in no file yet.

    folder: of the index. ids_of: the message ids of a request by place, "" for calls that came without one. on_trouble is told,
    in words, what the operator should know.
    """

    def __init__(
        self,
        folder: Path,
        log: EventLog,
        ids_of: Callable[[Received], Sequence[str]],
        *,
        set_keys: int = SET_KEYS,
        memory_keys: int = MEMORY_KEYS,
        on_trouble: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._log = log
        self._set_keys = set_keys
        self._memory_keys = memory_keys
        self._tell = on_trouble
        self._persons: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._active: set[bytes] = set()
        self._fresh: list[bytes] = []
        self._unsettled: list[bytes] = []
        self._settled: list[bytes] = []
        self._upto = 0
        self._full: tuple[_Full, ...] = ()
        self._memory: tuple[MemoryRun, ...] = ()
        self._files: tuple[FileRun, ...] = ()
        self._position = 0
        self._number = 0
        self._trouble = ""
        self._closing = False
        self._open_files()
        log.mark(READER, Position(self._position))
        self._room = threading.Semaphore(_MOST_FULL_SETS)
        self._sorting: SimpleQueue[_Full | None] = SimpleQueue()
        self._merging: SimpleQueue[bool] = SimpleQueue()
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in self._work()]
        for thread in self._threads:
            thread.start()
        self.replayed = self._replay(ids_of)

    def _work(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        return ("kohort-ids-sort", self._sort), ("kohort-ids-merge", self._merge)

    # --- on the thread of the log's writer ----------------------------------------------------------------------

    def take(self, requests: Sequence[tuple[str, Sequence[str]]]) -> list[list[int]]:
        """Remember the messages of some requests, each its source and ids; by request, the places of those known before, ascending."""
        keys = self._keys(requests)
        new = keys if len(set(keys)) == len(keys) and self._active.isdisjoint(keys) else self._not_active(keys)
        self._active.update(new)
        self._fresh += new
        if older := self._older(new) if new else None:
            new = [key for number, key in enumerate(new) if number not in older]
        self._unsettled.append(b"".join(new))
        return [[] for _ in requests] if len(new) == len(keys) else _places(requests, keys, set(new))

    def _keys(self, requests: Sequence[tuple[str, Sequence[str]]]) -> list[bytes]:
        """Of all messages that have an id, in order."""
        persons = self._persons
        for source in {source for source, _ in requests} - persons.keys():
            persons[source] = _person(source)
        return [_digest(persons[source], name) for source, ids in requests for name in ids if name]

    def _not_active(self, keys: list[bytes]) -> list[bytes]:
        """Those that are not in the active set, each once."""
        return [key for key in dict.fromkeys(keys) if key not in self._active]

    def _older(self, keys: list[bytes]) -> set[int]:
        """The places of keys that were there before the active set began."""
        with self._lock:
            full = self._full
            runs: tuple[Run, ...] = (*self._memory, *self._files)
        known = {number for number, key in enumerate(keys) for piece in full if key in piece.keys}
        if runs:
            halves = np.frombuffer(b"".join(keys), "<u8").reshape(-1, 2)
            upper, lower = np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1])
            bits = filter_bits(lower)
            for run in runs:
                known.update(np.flatnonzero(run.holds(upper, lower, bits)).tolist())
        return known

    def settle(self, position: Position) -> None:
        """What was taken is in the log, up to here."""
        self._settled += self._unsettled
        self._unsettled, self._fresh = [], []
        self._upto = position.number
        if len(self._active) >= self._set_keys:
            self._hand_over()

    def _hand_over(self) -> None:
        self._room.acquire()
        piece = _Full(self._active, tuple(self._settled), self._upto)
        with self._lock:
            self._full = (*self._full, piece)
        self._active, self._settled = set(), []
        self._sorting.put(piece)

    def forget(self) -> None:
        """What was taken since the last `settle` did not get into the log."""
        self._active.difference_update(self._fresh)
        self._unsettled, self._fresh = [], []

    # --- on threads of its own ----------------------------------------------------------------------------------

    def _sort(self) -> None:
        while (piece := self._sorting.get()) is not None:
            try:
                with self._watched(is_write=False):
                    self._sort_one(piece)
            finally:
                self._room.release()
            with self._watched(is_write=False):
                self._merge_memory()
            if sum(run.size for run in self._memory) >= self._memory_keys:
                self._write_memory(piece.upto)

    def _sort_one(self, piece: _Full) -> None:
        keys = b"".join(piece.joined)
        run = (MemoryRun.of(keys),) if keys else ()
        with self._lock:
            self._memory = (*self._memory, *run)
            self._full = tuple(other for other in self._full if other is not piece)

    def _merge_memory(self) -> None:
        runs = list(self._memory)
        while len(runs) > 1 and runs[-2].size <= 2 * runs[-1].size:
            runs[-2:] = [merged_in_memory(runs[-2:])]
        with self._lock:
            self._memory = tuple(runs)

    def _write_memory(self, upto: int) -> None:
        runs = self._memory
        with self._watched():
            file = write_run(runs, self._new_path())
            with self._lock:
                self._memory, self._files, self._position = (), (*self._files, file), upto
                self._write_manifest()
            self._log.mark(READER, Position(upto))
            self._merging.put(True)

    def _merge(self) -> None:
        while self._merging.get():
            with self._watched():
                while self._merge_files():
                    pass

    def _merge_files(self) -> bool:
        """Merge the newest files into the one before them as long as that is not much bigger than all of them."""
        with self._lock:
            files = self._files
        begin = len(files) - 1
        while begin > 0 and files[begin - 1].size <= _RATIO * sum(file.size for file in files[begin:]):
            begin -= 1
        if len(files) - begin < 2:
            return False
        merged = write_run(files[begin:], self._new_path(), lambda: not self._closing)
        with self._lock:
            self._files = (*files[:begin], merged, *self._files[len(files) :])
            self._write_manifest()
        for file in files[begin:]:
            file.path.unlink(missing_ok=True)
        return True

    @contextlib.contextmanager
    def _watched(self, *, is_write: bool = True) -> Iterator[None]:
        """What goes wrong (a full disk) is told once; the keys stay in memory and the next full set tries again."""
        try:
            yield
            self._trouble = "" if is_write else self._trouble
        except GivenUp:
            pass
        except Exception as error:
            if str(error) != self._trouble:
                self._tell(f"the index of message ids cannot be written, it stays in memory: {error}")
            self._trouble = str(error)

    # --- files --------------------------------------------------------------------------------------------------

    def _new_path(self) -> Path:
        with self._lock:
            self._number += 1
            return self._folder / f"ids-{self._number:08d}.run"

    def _write_manifest(self) -> None:
        document = {"position": self._position, "number": self._number, "files": [file.path.name for file in self._files]}
        write_text(self._folder / _MANIFEST, json.dumps(document))

    def _open_files(self) -> None:
        manifest = self._folder / _MANIFEST
        if not manifest.exists():
            if self._log.marks().get(READER, Position(0)).number:
                self._tell("the index of message ids is gone: messages that left the log before are not recognised if they come again")
            return
        document = json.loads(manifest.read_text(encoding="utf-8"))
        self._position, self._number = document["position"], document["number"]
        files = []
        for name in document["files"]:
            try:
                files.append(FileRun(self._folder / name))
            except (DamagedRun, OSError) as problem:
                self._tell(f"a part of the index of message ids cannot be read, its messages are not recognised any more: {problem}")
        self._files = tuple(files)
        for path in self._folder.glob("ids-*.run"):
            if path.name not in document["files"]:
                path.unlink()

    def _replay(self, ids_of: Callable[[Received], Sequence[str]]) -> int:
        """Take what the log has after the last file; how many messages."""
        count, after, before = 0, Position(self._position), None
        self._upto = self._position
        while after != before:
            before = after
            for entry in self._log.read(after):
                received, after = entry.received, entry.position
                ids = [name for place, name in enumerate(ids_of(received)) if name and place not in received.dropped]
                self.take([(received.source, ids)])
                self.settle(after)
                count += len(ids)
        return count

    @property
    def size(self) -> int:
        """How many messages are known."""
        with self._lock:
            runs: tuple[Run, ...] = (*self._memory, *self._files)
            in_sets = len(self._active) + sum(len(piece.keys) for piece in self._full)
        return in_sets + sum(run.size for run in runs)

    @property
    def file_count(self) -> int:
        """Of runs on disk."""
        return len(self._files)

    def close(self, *, write: bool = True) -> None:
        """Write what is settled into files, so that the next start has nothing to read from the log; a merge under way is given up.

        write False: leave that to the next start.
        """
        self._closing = True
        if self._active and write:
            self._hand_over()
        self._sorting.put(None)
        self._merging.put(False)
        for thread in self._threads:
            thread.join()
        if self._memory and write:
            self._write_memory(self._upto)


def _places(requests: Sequence[tuple[str, Sequence[str]]], keys: list[bytes], new: set[bytes]) -> list[list[int]]:
    """By request, the places of messages that are not new, or not the first of their kind."""
    found: list[list[int]] = []
    following = iter(keys)
    for _, ids in requests:
        places = []
        for place, name in enumerate(ids):
            if name:
                key = next(following)
                if key in new:
                    new.discard(key)
                else:
                    places.append(place)
        found.append(places)
    return found
