"""The releases of a baseline file: which number the next one has, and what is kept of the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from filelock import SoftFileLock, Timeout

from valuebias.errors import ScoresError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.scorers.baseline_file import anchor_of, read_baseline, write_baseline
from valuebias.scorers.baseline_record import Baseline, check_template

_PATIENCE = 30.0
"""Seconds to wait for another run that is recording into the same file."""


def number(baseline: Baseline, fingerprint: str) -> int:
    """The number since the anchor of the model with this fingerprint, compared with a file: that of
    the recorded release if it is that very model, else the next one. So a release that is tested or
    recorded again keeps its number, and what it may spend.

    The anchor itself counts as 1, and so does the first release after it. ``baseline`` must have an
    anchor.
    """
    assert baseline.release is not None
    same = bool(fingerprint) and fingerprint == baseline.about.get("fingerprint")
    return max(1, baseline.release + (not same))


def follow(old: Baseline | None, new: Baseline, lexicons: Sequence[Lexicon] = ()) -> Baseline:
    """The new release's record with its number and the anchor that ``old`` has.

    Without an old record it is the anchor itself; after one of an earlier format that one's
    release becomes the anchor. The same model again keeps its number. ``lexicons`` are those that
    will be compared with the anchor.

    Raises ScoresError if the anchor does not have these lexicons, or was recorded with another chat
    template: later releases could not be compared with it.
    """
    if old is None:
        return replace(new, release=0, anchor=None)
    if old.release is None:
        old = replace(old, release=0)
    fingerprint = new.about.get("fingerprint", "")
    if old.release == 0 and fingerprint and fingerprint == old.about.get("fingerprint"):
        return replace(new, release=0, anchor=None)
    anchor = anchor_of(old)
    assert anchor is not None
    for lexicon in lexicons:
        anchor.ranking(lexicon)
    check_template({**anchor.about, "baseline": anchor.source}, new.about)
    return replace(new, release=number(old, fingerprint), anchor=anchor)


def add_release(
    new: Baseline, path: Path, lexicons: Sequence[Lexicon] = (), *, renew: bool = False
) -> Baseline:
    """Write the record into the file, after those that are there; returns it as written.

    ``renew`` makes it the anchor, whatever the file holds. Runs that record at the same time take
    turns, so that no release loses its number. Raises ScoresError for an old file that cannot be
    used, and as `follow`; OSError.
    """
    path = path.expanduser()
    regular = path.is_file() or not path.exists()
    if not regular:  # a pipe or a device has nothing to be kept
        write_baseline(follow(None, new), path)
        return follow(None, new)
    path = path.resolve()
    lock = path.with_name(f".{path.name}.lock")
    try:
        with SoftFileLock(lock, timeout=_PATIENCE):
            old = read_baseline(path, new.prompts) if path.exists() and not renew else None
            written = follow(old, new, lexicons)
            write_baseline(written, path)
    except Timeout:
        raise ScoresError(
            "another run is recording into this file, or was stopped while it did",
            seen=lock,
            remedy="Wait for it; if no other run is going on, remove that file and run again.",
        ) from None
    return written
