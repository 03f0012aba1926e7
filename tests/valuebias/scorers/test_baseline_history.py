"""The releases of a baseline file: numbers, the anchor that is kept, and runs at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.candidates import Candidates
from valuebias.errors import ScoresError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import PAPER_PROMPTS
from valuebias.scorers import baseline_history
from valuebias.scorers.baseline_file import anchor_of, read_baseline, write_baseline
from valuebias.scorers.baseline_history import add_release, follow, number
from valuebias.scorers.baseline_record import Baseline, Ranking
from valuebias.scores import Scores

WORDS = ("skill", "power", "friend", "care")
LEXICON = Lexicon("four", {"agency": WORDS[:2], "communion": WORDS[2:]})


def release(name: str, **about: str) -> Baseline:
    rng = np.random.default_rng(sum(map(ord, name)))
    values = rng.normal(size=(len(PAPER_PROMPTS), 4)).astype(np.float32)
    ranking = Ranking.of(Scores(values, PAPER_PROMPTS, Candidates.words(WORDS)), LEXICON)
    return Baseline(name, {"fingerprint": f"print of {name}", **about}, {"four": ranking}, (), "1")


def as_of_version_1(path: Path) -> None:
    content = json.loads(path.read_text())
    for name in ("release", "spending", "anchor"):
        del content[name]
    path.write_text(json.dumps(content | {"version": 1}))


def test_releases_are_numbered_from_the_anchor_which_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    prints = set()
    for place, name in enumerate("abc"):
        written = add_release(release(name), path, [LEXICON])
        back = read_baseline(path)
        assert (back.model, back.release, written.release) == (name, place, place)
        anchor = anchor_of(back)
        assert anchor is not None
        assert anchor.model == "a"
        assert np.array_equal(anchor.lexicons["four"].ranks, release("a").lexicons["four"].ranks)
        prints.add(anchor.fingerprint)
    assert len(prints) == 1  # the anchor's own, whatever was recorded after it
    assert [p.name for p in tmp_path.iterdir()] == ["last.json"]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8))
def test_the_same_release_again_keeps_its_number_and_another_gets_the_next(
    names: list[str],
) -> None:
    old: Baseline | None = None
    expected = -1
    for before, name in zip([None, *names], names, strict=False):
        expected += before != name
        old = follow(old, release(name), [LEXICON])
        assert old.release == expected
        anchor = anchor_of(old)
        assert anchor is not None
        assert anchor.model == names[0]
        assert number(old, f"print of {name}") == max(1, expected)
        assert number(old, "print of another") == expected + 1
        assert number(old, "") == expected + 1


def test_what_is_recorded_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    for name in "ab":
        add_release(release(name), path)
    before = path.read_bytes()
    add_release(release("b"), path)
    assert path.read_bytes() == before


def test_an_anchor_is_renewed_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    for name in "ab":
        add_release(release(name), path)
    add_release(release("c"), path, renew=True)
    assert (read_baseline(path).model, read_baseline(path).release) == ("c", 0)
    assert read_baseline(path).anchor is None
    path.write_text("<<<<<<< HEAD")
    with pytest.raises(ScoresError, match=r"is not JSON.*--valuebias-renew-anchor"):
        add_release(release("d"), path)
    assert path.read_text() == "<<<<<<< HEAD"
    add_release(release("d"), path, renew=True)
    assert read_baseline(path).release == 0


def test_a_file_of_an_earlier_format_has_no_anchor_until_the_next_release(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    add_release(release("a"), path)
    as_of_version_1(path)
    old = read_baseline(path)
    assert (old.model, old.release, anchor_of(old)) == ("a", None, None)
    add_release(release("b"), path)
    assert read_baseline(path).release == 1
    anchor = anchor_of(read_baseline(path))
    assert anchor is not None
    assert anchor.model == "a"


def test_an_anchor_that_cannot_be_compared_with_is_refused_when_a_release_is_recorded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "last.json"
    add_release(release("a"), path)
    other = Lexicon("four", {"agency": WORDS[:1], "communion": WORDS[1:]})
    with pytest.raises(ScoresError, match=r"\(its anchor\): the lexicon four has changed"):
        add_release(release("b"), path, [other])
    chat = {"template": "chat_template", "template_sha256": "0123"}
    with pytest.raises(ScoresError, match="another chat template"):
        add_release(release("b", **chat), path, [LEXICON])
    assert read_baseline(path).model == "a"


def test_releases_recorded_at_the_same_time_all_get_a_number(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    add_release(release("first"), path)
    names = [f"model-{i}" for i in range(6)]
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda name: add_release(release(name), path).release, names))
    assert sorted(n for n in numbers if n is not None) == [1, 2, 3, 4, 5, 6]
    back = read_baseline(path)
    assert back.release == 6
    assert back.anchor is not None
    assert back.anchor.model == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["last.json"]


def test_a_run_that_was_stopped_while_recording_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.json"
    add_release(release("a"), path)
    before = path.read_bytes()
    (tmp_path / ".last.json.lock").touch()
    monkeypatch.setattr(baseline_history, "_PATIENCE", 0.01)
    with pytest.raises(ScoresError, match=r"another run is recording.*\.last\.json\.lock"):
        add_release(release("b"), path)
    assert path.read_bytes() == before


def test_a_file_that_could_not_be_written_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.json"
    add_release(release("a"), path)
    before = path.read_bytes()

    def fail(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        add_release(release("b"), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.json"]


def test_a_link_is_followed_and_nothing_is_kept_of_a_device(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    for name in "ab":
        add_release(release(name), link)
    assert link.is_symlink()
    assert read_baseline(real).release == 1
    assert add_release(release("a"), Path("/dev/null")).release == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c | {"release": -1}, "`release` must be an integer >= 0"),
        (lambda c: c | {"release": True}, "`release` must be an integer >= 0"),
        (lambda c: c | {"release": 0}, "release 0 is the anchor"),
        (lambda c: c | {"anchor": None}, "release 0 is the anchor"),
        (lambda c: c | {"anchor": {}}, "`anchor` has no `tool`"),
        (lambda c: c | {"anchor": c["anchor"] | {"recorded": {}}}, "of the anchor names no model"),
        (lambda c: c | {"spending": "1/2**k"}, "spent by another rule"),
        (lambda c: {k: v for k, v in c.items() if k != "spending"}, "has no `spending`"),
        (lambda c: c | {"version": 1}, "unknown entry"),
    ],
    ids=["below", "truth", "zero", "none", "empty", "nameless", "rule", "no rule", "version"],
)
def test_a_history_changed_by_hand_is_refused(
    tmp_path: Path, change: Callable[[dict[str, object]], dict[str, object]], message: str
) -> None:
    path = tmp_path / "last.json"
    for name in "ab":
        add_release(release(name), path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ScoresError, match=message):
        read_baseline(path)


def test_a_record_written_alone_is_an_anchor(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    write_baseline(replace(release("a"), release=0), path)
    assert read_baseline(path).release == 0
