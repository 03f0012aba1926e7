"""Scores, computed once and kept in one SQLite file by the address of their inputs.

Chunks are committed as they finish, so a killed search resumes where it stopped; the file is in
write-ahead mode, so any number of processes on one machine may share it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from valuebias.errors import ScoresError, StoreError

ENGINE = "3"
"""Version of the engine's arithmetic: raised whenever the same model would get other numbers."""

FORMAT = 1
_APPLICATION = 0x76624961  # "vbIa": tells our files from any other program's
_BUSY_SECONDS = 60.0
_REMAKE = "Delete the file to compute the scores again, or give another folder as cache-dir."

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_SCHEMA = """
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL, n INTEGER NOT NULL,
    indices BLOB NOT NULL, scores BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX chunk_address ON chunk (address);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE loads (fingerprint TEXT NOT NULL, pid INTEGER NOT NULL, time REAL NOT NULL);
"""


def default_folder() -> Path:
    """``$VALUEBIAS_CACHE_DIR``, ``$XDG_CACHE_HOME/valuebias``, or ``~/.cache/valuebias``."""
    own = os.environ.get("VALUEBIAS_CACHE_DIR", "")
    if own:
        return Path(os.path.expanduser(own))
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "valuebias"


def address(**parts: str) -> str:
    """SHA-256 (hex) of the inputs of scores; the order of the parts does not matter."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class Store:
    """The score store at ``path``; created, with its folder, if it does not exist.

    Every method raises StoreError on a file that is damaged, is not a score store, was written by a
    newer release or cannot be written. A store is used from the thread that opened it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path = path.expanduser().absolute()  # tests change the current folder
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot create the folder of the score store ({error.strerror})",
                seen=path.parent,
                remedy="Give a writable folder as cache-dir.",
            ) from None
        self._open: sqlite3.Connection | None = None
        self._inherited: sqlite3.Connection | None = None
        self._pid = 0
        with self._connection():
            pass

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._open is not None and self._pid == os.getpid():
            self._open.close()
            self._open = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Scores

    def partial(self, address: str, n: int) -> tuple[FloatArray, BoolArray]:
        """What is stored of ``n`` scores: values (n,), NaN where missing, and done (n,).

        If two processes stored the same row, the value stored first is always read.
        """
        values = np.full(n, np.nan, dtype=np.float32)
        done = np.zeros(n, dtype=np.bool_)
        with self._connection() as db:
            rows = db.execute(
                "SELECT n, indices, scores, crc FROM chunk WHERE address = ? ORDER BY id DESC",
                (address,),
            ).fetchall()
        for stored_n, index_blob, score_blob, crc in rows:
            if zlib.crc32(score_blob, zlib.crc32(index_blob)) != crc:
                raise StoreError(
                    "scores in the store are damaged: a chunk does not match its checksum",
                    seen=self.path,
                    remedy=_REMAKE,
                )
            if stored_n != n:
                raise StoreError(
                    f"the store has {stored_n} candidates at this address, not {n}",
                    seen=self.path,
                    remedy=_REMAKE,
                )
            indices = np.frombuffer(index_blob, dtype="<u4")
            values[indices] = np.frombuffer(score_blob, dtype="<f4")
            done[indices] = True
        return values, done

    def write(self, address: str, n: int, indices: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Commit one finished chunk: ``values[i]`` is the score of candidate ``indices[i]`` of n.

        Raises ScoresError, and stores nothing, if a score is not finite.
        """
        index = np.asarray(indices)
        score = np.asarray(values, dtype=np.float32)
        if index.ndim != 1 or index.shape != score.shape:
            raise ValueError(f"indices {index.shape} and values {score.shape} do not match")
        if index.size and not 0 <= index.min() <= index.max() < n:
            raise ValueError(f"an index is outside 0 to {n - 1}")
        bad = ~np.isfinite(score)
        if bad.any():
            raise ScoresError(
                f"{bad.sum()} of {score.size} scores are not finite",
                seen=score[bad][0],
                remedy="Score in float32 (dtype=float32) and look at the model's weights.",
            )
        index_blob, score_blob = index.astype("<u4").tobytes(), score.astype("<f4").tobytes()
        crc = zlib.crc32(score_blob, zlib.crc32(index_blob))
        with self._transaction() as db:
            db.execute(
                "INSERT INTO chunk (address, n, indices, scores, crc) VALUES (?, ?, ?, ?, ?)",
                (address, n, index_blob, score_blob, crc),
            )

    # Other facts

    def put_meta(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a JSON mapping under ``key``, in place of what was there."""
        text = json.dumps(value, ensure_ascii=True)
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, text))

    def get_meta(self, key: str) -> dict[str, Any] | None:
        """The mapping kept under ``key``, or None."""
        with self._connection() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            value = json.loads(row[0])
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise StoreError("an entry of the store is damaged", seen=key, remedy=_REMAKE)
        return value

    def drop_meta(self, key: str) -> None:
        """Forget what is kept under ``key``, if anything is."""
        with self._transaction() as db:
            db.execute("DELETE FROM meta WHERE key = ?", (key,))

    def record_load(self, fingerprint: str) -> None:
        """Note that this process loaded a model."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO loads VALUES (?, ?, ?)", (fingerprint, os.getpid(), time.time())
            )

    def loads(self, fingerprint: str | None = None) -> Sequence[tuple[str, int, float]]:
        """(fingerprint, process id, unix time) of each time a model was loaded, oldest first."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT fingerprint, pid, time FROM loads WHERE ?1 IS NULL OR fingerprint = ?1 "
                "ORDER BY rowid",
                (fingerprint,),
            ).fetchall()
        return [(str(f), int(pid), float(when)) for f, pid, when in rows]

    # The file

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._open is None or self._pid != os.getpid():
                self._inherited = self._open  # after a fork: closing it would disturb the parent
                self._open, self._pid = self._connect(), os.getpid()
            yield self._open
        except sqlite3.Error as error:
            self._refuse(error)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Check that the file is ours, and create the tables if it is new."""
        if self._is_new(db):
            _set_wal(db)
            db.execute("BEGIN IMMEDIATE")
            if self._is_new(db):  # still: another process may have been first
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
                db.execute(f"PRAGMA user_version = {FORMAT}")
            db.commit()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if application != _APPLICATION:
            raise StoreError(
                "not a score store but a database of another program",
                seen=self.path,
                remedy="Give another folder as cache-dir.",
            )
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise StoreError(
                f"the score store has format {version}; this release reads format {FORMAT}",
                seen=self.path,
                remedy="Upgrade pytest-valuebias, or give another folder as cache-dir.",
            )
        _set_wal(db)
        # With a write-ahead log, NORMAL loses at most the last chunks in a power cut, and no file.
        db.execute("PRAGMA synchronous = NORMAL")
        # A reader may write later: find out now that it could not, not after hours of search.
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.rollback()

    @staticmethod
    def _is_new(db: sqlite3.Connection) -> bool:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (objects,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return bool(application == 0 and objects == 0)

    def _refuse(self, error: sqlite3.Error) -> NoReturn:
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            what, remedy = "the file is damaged or not a score store", _REMAKE
        elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            what = "cannot open the score store for writing"
            remedy = (
                "Allow writing to the file and its folder, or give another folder as cache-dir."
            )
        elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            what = f"another process has locked the score store for {_BUSY_SECONDS:.0f} seconds"
            remedy = "Wait for it, or give another folder as cache-dir."
        elif code.startswith("SQLITE_FULL"):
            what, remedy = "the disk of the score store is full", "Free some space and run again."
        else:
            what = f"cannot use the score store ({error})"
            remedy = "Give a folder on a local disk as cache-dir."
        raise StoreError(what, seen=self.path, remedy=remedy) from error


def _set_wal(db: sqlite3.Connection) -> None:
    # Changing the journal mode does not wait for other processes by itself.
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise sqlite3.OperationalError(f"write-ahead log refused, mode is {mode}")
            return
