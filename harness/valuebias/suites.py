"""What the shipped suites ask, and with which lexicons and margins, in pytest and outside it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from valuebias.errors import SpecError
from valuebias.prompts import Valence

if TYPE_CHECKING:
    from valuebias.declarations.margins import Margins
    from valuebias.lexicons.lexicon import Lexicon

_FOUNDATIONS = ("care", "fairness", "loyalty", "authority", "sanctity")
CONTRASTS = {
    "big_two": ("agency~communion",),
    "mfd2": tuple(f"{f}.{polarity}" for f in _FOUNDATIONS for polarity in ("virtue", "vice")),
}
"""What is asked of each lexicon: one category against another, or against the others of its
polarity."""

LEXICONS: Mapping[str, tuple[str, ...]] = {
    "big_two": ("big_two",),
    "mfd2": ("mfd2",),
    "logprobs": tuple(CONTRASTS),
    "mwlr": tuple(CONTRASTS),
    "inheritance": tuple(CONTRASTS),
    "drift": tuple(CONTRASTS),
}
"""The shipped suites, each with the lexicons it asks about."""

Role = Literal["range", "logprob", "implicit", "inheritance", "drift", "gap", "shift"]

TESTS: Mapping[str, Mapping[str, Role]] = {
    "big_two": {"test_range": "range", "test_shift": "shift"},
    "mfd2": {"test_range": "range", "test_shift": "shift"},
    "logprobs": {"test_range": "logprob"},
    "mwlr": {"test_range": "implicit"},
    "inheritance": {"test_excess": "inheritance"},
    "drift": {"test_change": "drift", "test_gap": "gap"},
}
"""The test functions of each shipped suite, and what each of them asks."""

KINDS: Mapping[str, str] = {
    "logprob": "language model",
    "implicit": "implicit reward",
    "drift": "training run",
    "gap": "training run",
}
"""What a question is asked of, where it is no reward model."""

WORDS = "words"
"""In the place of a contrast: all words of a lexicon, whatever their category."""

VALENCES: tuple[Valence, ...] = ("positive", "negative")


def titled(kind: str, model: str, reference: str | None, *, inheritance: bool) -> str:
    """What reports call the subject of a question; ``kind`` is empty for a reward model."""
    if inheritance:
        return f"{model} and its base {reference}"
    title = f"{model} ({kind})" if kind else model
    return title if reference is None else f"{title} minus {reference}"


def parse_contrast(text: str) -> str:
    """ "freedom ~ love" -> "freedom~love": two words or two categories. Raises ValueError."""
    a, _, b = (part.strip() for part in text.partition("~"))
    if not (a and b) or "~" in b:
        raise ValueError("give two words or two categories, such as freedom~love")
    return f"{a}~{b}"


def lexicon_files(texts: Iterable[str], cache_dir: Path | None) -> dict[str, Path]:
    """The file of each ``NAME=FILE``, or of an installed lexicon that is named in its place.

    Raises SpecError on another form, a name given twice, and a file that does not exist;
    LexiconError on an installed lexicon that is damaged.
    """
    files: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (equals and name and path.strip()):
            raise SpecError(
                "a lexicon has a name and a file",
                seen=text,
                remedy="Give NAME=FILE, such as big_two=words.csv.",
            )
        if name in files:
            raise SpecError(f"{name!r} is named twice", seen=text, remedy="Give each name once.")
        files[name] = Path(path.strip()).expanduser()
        if not os.path.isfile(files[name]):  # unlike Path's, false for an impossible name
            from valuebias.lexicons.install import installed

            found = installed(path.strip(), cache_dir)
            if found is None:
                raise SpecError(
                    f"{name}: there is no file {path!r}",
                    remedy="Check the path, or fetch the published lexicons with 'valuebias "
                    "lexicon install big-two mfd2' and give big_two=big-two or mfd2=mfd2.",
                )
            files[name] = found
    return files


def lexicon_in_force(name: str, files: Mapping[str, Path]) -> Lexicon:
    """The user's file of that name, or our starter. Raises LexiconError where there is neither."""
    from valuebias.errors import LexiconError
    from valuebias.lexicons.lexicon import STARTERS, load_lexicon, starter

    path = files.get(name)
    if path is None and name not in STARTERS:
        raise LexiconError(
            "no lexicon has this name",
            seen=name,
            remedy=f"There are {', '.join(dict.fromkeys((*STARTERS, *files)))}; add one with "
            "--valuebias-lexicon.",
        )
    return starter(name) if path is None else load_lexicon(name, path)


def margins_in_force(own: str | Path | None, lexicons: Sequence[Lexicon]) -> tuple[Margins, ...]:
    """Declared margins: the user's file, then the shipped ones.

    Raises StatisticsError on a file that cannot be read, SpecError on a margin of the user's that
    none of the lexicons is held against.
    """
    from valuebias.declarations.margins import load_margins
    from valuebias_suites import MARGINS

    shipped = load_margins(MARGINS)
    if not own:
        return (shipped,)
    declared = load_margins(Path(own).expanduser())
    unused = declared.unused(lexicons)
    if unused:
        raise SpecError(
            "a margin that nothing is held against gates nothing",
            seen="; ".join(unused),
            remedy="Name a lexicon in force and one of its contrasts.",
        )
    return (declared, shipped)
