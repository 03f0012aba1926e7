"""The store: what is written comes back bit by bit, whoever else is writing, whatever is killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebias.errors import ScoresError, StoreError
from valuebias.store.database import FORMAT, Store, address, default_folder


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "scores.sqlite") as store:
        yield store


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


# What goes in comes out


def test_nothing_stored_is_nothing_done(store):
    values, done = store.partial("a", 3)
    assert values.dtype == np.float32
    assert np.isnan(values).all()
    assert not done.any()


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.integers(0, 40), finite), st.integers(1, 7))
def test_chunks_come_back_bit_by_bit(scores, size):
    """Also zeros with a sign and subnormal numbers; rows that were not written stay missing."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
        index = np.array(list(scores), dtype=np.int64)
        value = np.array(list(scores.values()), dtype=np.float32)
        for start in range(0, len(index), size):
            store.write("a", 41, index[start : start + size], value[start : start + size])
        values, done = store.partial("a", 41)
        assert set(np.flatnonzero(done)) == set(scores)
        assert values[index].tobytes() == value.tobytes()
        assert np.isnan(values[~done]).all()


def test_a_store_stays_where_it_was_opened(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, place in {"cache": tmp_path / "cache", "~/cache": tmp_path / "home/cache"}.items():
        with Store(Path(name) / "s.sqlite") as store:
            assert store.path == place / "s.sqlite"
            store.write("a", 1, [0], [1.0])
            store.close()
            with monkeypatch.context() as patch:
                patch.chdir(tmp_path / "elsewhere")
                assert store.partial("a", 1)[1].all()


def test_addresses_do_not_mix(store):
    store.write("a", 2, [0], [1.0])
    store.write("b", 2, [0, 1], [2.0, 3.0])
    assert store.partial("a", 2)[1].tolist() == [True, False]
    assert store.partial("b", 2)[0].tolist() == [2.0, 3.0]


def test_a_stored_score_never_changes(store):
    store.write("a", 3, [0, 1], [1.0, 2.0])
    store.write("a", 3, [1, 2], [9.0, 3.0])
    assert store.partial("a", 3)[0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_stored(store, bad):
    with pytest.raises(ScoresError, match="1 of 2 scores are not finite"):
        store.write("a", 2, [0, 1], [0.0, bad])
    assert not store.partial("a", 2)[1].any()


@pytest.mark.parametrize(("indices", "values"), [([2], [0.0]), ([-1], [0.0]), ([0, 1], [0.0])])
def test_indices_must_fit(store, indices, values):
    with pytest.raises(ValueError, match=r"index|indices"):
        store.write("a", 2, indices, values)


def test_meta_is_kept_and_replaced(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        assert store.get_meta("k") is None
        store.put_meta("k", {"texts": ["\ud800", "null", "\x1b[31m"], "n": 1})
        store.put_meta("other", {})
    with Store(tmp_path / "s.sqlite") as store:
        assert store.get_meta("k") == {"texts": ["\ud800", "null", "\x1b[31m"], "n": 1}
        store.put_meta("k", {"n": 2})
        assert store.get_meta("k") == {"n": 2}
        store.drop_meta("k")
        assert store.get_meta("k") is None
        assert store.get_meta("other") == {}


def test_loads_are_counted_by_fingerprint(store):
    for fingerprint in ("f", "g", "f"):
        store.record_load(fingerprint)
    assert [(f, pid) for f, pid, _ in store.loads("f")] == [("f", os.getpid())] * 2
    assert len(store.loads()) == 3


# Addresses


def test_every_part_counts_in_an_address():
    parts = {"fingerprint": "f", "prompt": "p", "candidates": "c", "engine": "1"}
    swapped = dict(reversed(parts.items()))
    assert address(**parts) == address(**swapped)
    others = [{**parts, name: value + "x"} for name, value in parts.items()]
    others += [{**parts, "fingerprint": "p", "prompt": "f"}, {**parts, "head": ""}]
    assert len({address(**p) for p in [parts, *others]}) == len(others) + 1


def test_the_address_of_a_release_stays():
    """A changed address would orphan every user's store; raise ENGINE to do that on purpose."""
    assert (
        address(fingerprint="f", prompt="é\ud800")
        == "e6c446d16e507b67f85d8362fce938ff9d893e07f680b1dcddb04690ebec6aa7"
    )


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("VALUEBIAS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "valuebias"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", "~/mine")
    assert default_folder() == tmp_path / "home" / "mine"
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", "")
    assert default_folder() == tmp_path / "valuebias"
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_folder() == tmp_path / "home" / ".cache" / "valuebias"


# Files that are no store


def refused(path: Path, match: str) -> None:
    with pytest.raises(StoreError, match=match) as caught, Store(path) as store:
        store.partial("a", 1)
    assert str(path.parent) in str(caught.value)


def test_a_text_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "scores.sqlite"
    path.write_text("my thesis, the only copy\n" * 100)
    refused(path, "not a score store.*cache-dir")
    assert path.read_text() == "my thesis, the only copy\n" * 100


def test_a_foreign_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "scores.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = path.read_bytes()
    refused(path, "another program")
    assert path.read_bytes() == before


def test_a_newer_format_is_refused(tmp_path):
    path = tmp_path / "scores.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()
    refused(path, f"format {FORMAT + 1}.*Upgrade")


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "scores.sqlite"
    with Store(path) as store:
        for i in range(50):
            store.write("a", 5000, range(i * 100, (i + 1) * 100), np.arange(100))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match="damaged"), Store(path) as store:
        store.partial("a", 5000)


def test_a_flipped_bit_in_a_score_is_noticed(tmp_path):
    """SQLite itself keeps no checksum of what it stores."""
    path = tmp_path / "scores.sqlite"
    score = np.array([1.2345678], dtype="<f4")
    with Store(path) as store:
        store.write("a", 1, [0], score)
    content = path.read_bytes()
    assert content.count(score.tobytes()) == 1
    flipped = (score.view("<u4") ^ 1).tobytes()
    path.write_bytes(content.replace(score.tobytes(), flipped))
    with Store(path) as store, pytest.raises(StoreError, match=r"damaged.*Delete"):
        store.partial("a", 1)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot create the folder"):
        Store(tmp_path / "file" / "cache" / "scores.sqlite")


def test_a_directory_in_the_place_of_the_file(tmp_path):
    (tmp_path / "scores.sqlite").mkdir()
    refused(tmp_path / "scores.sqlite", "cannot open the score store for writing")


READ_ONLY = """
import os, sys
from pathlib import Path
from valuebias.errors import StoreError
from valuebias.store.database import Store
if os.geteuid() == 0:  # nothing is read-only for root
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    Store(Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_store_is_refused_at_once(what):
    """At once: not after hours of search, when the first chunk is to be written."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders let no other user in
    try:
        path = folder / "scores.sqlite"
        Store(path).close()
        path.chmod(0o444 if what == "file" else 0o666)
        folder.chmod(0o777 if what == "file" else 0o555)
        out = finish(child(READ_ONLY, path))
        assert "cannot open the score store for writing" in out
        assert "cache-dir" in out
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


# Several processes

WRITER = """
import sys, numpy as np
from pathlib import Path
from valuebias.store.database import Store
path, own, n = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
expected = np.arange(n, dtype=np.float32) / 7
with Store(path) as store:
    for start in range(0, n, 10):
        rows = np.arange(start, start + 10)
        for address in ("shared", own):
            store.write(address, n, rows, expected[rows])
            values, done = store.partial(address, n)
            assert done[rows].all() and (values[done] == expected[done]).all()
        store.put_meta("shared", {"by": own})
    store.record_load("f")
"""


def test_four_processes_share_one_store(tmp_path):
    """From the moment the file is made, on one key and on keys of their own, nothing is lost."""
    path, n = tmp_path / "new" / "scores.sqlite", 300
    for writer in [child(WRITER, path, f"own{i}", n) for i in range(4)]:
        finish(writer)
    with Store(path) as store:
        for key in ("shared", "own0", "own1", "own2", "own3"):
            values, done = store.partial(key, n)
            assert done.all()
            assert values.tobytes() == (np.arange(n, dtype=np.float32) / 7).tobytes()
        assert len({pid for _, pid, _ in store.loads("f")}) == 4
        meta = store.get_meta("shared")
        assert meta is not None
        assert meta["by"].startswith("own")


KILLED = """
import sys, time, numpy as np
from pathlib import Path
from valuebias.store.database import Store
store = Store(Path(sys.argv[1]))
for i in range(100):
    store.write("a", 1000, np.arange(10) + 10 * i, np.arange(10, dtype=np.float32) / 3 + i)
    print(i, flush=True)
    if i == 20:
        store._open.execute("BEGIN IMMEDIATE")
        store._open.execute("DELETE FROM chunk")
        print("in a transaction", flush=True)
        time.sleep(60)
"""


def test_a_killed_writer_leaves_every_committed_chunk_and_no_lock(tmp_path):
    path = tmp_path / "scores.sqlite"
    with child(KILLED, path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("in a transaction"):
                break
        process.send_signal(signal.SIGKILL)
    with Store(path) as store:
        values, done = store.partial("a", 1000)
        assert np.flatnonzero(done).tolist() == list(range(210))
        assert values[205] == np.float32(5) / np.float32(3) + 20
        store.write("a", 1000, [999], [1.0])


FORKED = """
import os, sys
from pathlib import Path
from valuebias.store.database import Store
with Store(Path(sys.argv[1])) as store:
    store.write("a", 2, [0], [1.0])
    before = store._open
    pid = os.fork()
    store.write("a", 2, [1], [2.0])
    assert (store._open is before) == bool(pid)
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_store_can_be_used_after_a_fork(tmp_path):
    path = tmp_path / "scores.sqlite"
    finish(child(FORKED, path))
    with Store(path) as store:
        assert store.partial("a", 2)[0].tolist() == [1.0, 2.0]


def test_nothing_stored_can_run_code(tmp_path, store):
    """Arrays are raw little-endian float32 and meta is JSON: a store from a stranger is data."""
    store.write("a", 2, [0, 1], [1.0, -2.5])
    with sqlite3.connect(store.path) as db:
        blob = db.execute("SELECT scores FROM chunk").fetchone()[0]
    db.close()
    assert blob == bytes.fromhex("0000803f000020c0")
