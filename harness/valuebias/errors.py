"""Errors that a user can cause or fix. Each says what was wrong, the value seen, and what to do."""

from __future__ import annotations

_LONGEST = 300
"""Characters of a value that a message shows."""


class ValueBiasError(Exception):
    """Base of every error raised on purpose.

    ``what`` is one sentence on what was wrong, ``seen`` the offending value, ``remedy`` what to do
    about it; the attributes hold them as given. The message escapes them, so that no string from a
    vocabulary or file reaches a terminal raw, and shortens a long value to its two ends.
    """

    def __init__(self, what: str, *, remedy: str, seen: object = None) -> None:
        self.what = what
        self.seen = seen
        self.remedy = remedy
        saw = "" if seen is None else f" Seen: {visible(_shortened(str(seen)))}."
        super().__init__(f"{visible(what.rstrip('.'))}.{saw} {visible(remedy)}")

    def __reduce__(self) -> tuple[object, ...]:  # keyword-only arguments survive pickling
        return _rebuild, (type(self), self.what, self.remedy, self.seen)


def _rebuild(kind: type[ValueBiasError], what: str, remedy: str, seen: object) -> ValueBiasError:
    return kind(what, remedy=remedy, seen=seen)


def first_line(error: BaseException) -> str:
    """The kind of another library's error and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


class SpecError(ValueBiasError):
    """A model spec, option or file name that cannot be used: a usage error."""


class ModelError(ValueBiasError):
    """A model that cannot be loaded, or that preflight refused."""


class ScoresError(ValueBiasError):
    """Recorded or computed scores that cannot be used: missing, not finite, not numbers."""


class LexiconError(ValueBiasError):
    """A lexicon that cannot be read, or that covers too little of what was scored."""


class InstrumentError(ValueBiasError):
    """A reward model that does not read the questions: it gets no verdicts."""


class SuiteError(ValueBiasError):
    """A file of declared tests that cannot be used: a collection error."""


class SearchError(ValueBiasError):
    """A search that cannot be carried out: out of memory at one candidate, or an inexact rung."""


class TrainingError(ValueBiasError):
    """Preferences or a run directory that training cannot use, or a run that failed."""


class StatisticsError(ValueBiasError):
    """Data from which no valid interval can be computed."""


class ReportError(ValueBiasError):
    """A report or model card that cannot be read, or from which no card may be made."""


class StoreError(ValueBiasError):
    """A score store that cannot be opened or that holds something else."""


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    end = _LONGEST // 2
    return f"{text[:end]} […] {text[-end:]} ({len(text):,} characters)"


def visible(text: str) -> str:
    """The text with every character that could act on a terminal or vanish made visible.

    Control characters, bidirectional overrides, lone surrogates and zero-width characters become
    backslash escapes; everything printable, in any script, stays.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
