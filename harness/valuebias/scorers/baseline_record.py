"""Baselines: the record of a release, in a file to commit, with which later releases are compared.

An effect depends only on the order of the scores, so the record holds ranks instead of scores: for
each lexicon every scored word's rank on each prompt. A release compared with these ranks gets, to
the bit, the paired difference it would get from the scores. A record is identified by what was
tested, not by the model's name, which changes with each release. It is refused if the lexicon,
words, prompts or chat template differ from those it was made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from valuebias.errors import ScoresError, ValueBiasError
from valuebias.lexicons.lexicon import Coverage, Lexicon
from valuebias.prompts import PAPER, PromptSet, Valence
from valuebias.scores import Scores

Ranks = npt.NDArray[np.int32]

ANEW = (
    "record the release again, as a new anchor: pytest --rm=MODEL --valuebias-baseline FILE "
    "--valuebias-update-baseline --valuebias-renew-anchor."
)

_FACTS = ("fingerprint", "head", "dtype", "injection", "template", "template_sha256")
_ROUNDED = 1e-6
"""Recorded estimates have six decimals."""


@dataclass(frozen=True)
class Ranking:
    """The scored words of one lexicon in order of preference.

    ``ranks`` (prompts, words) are dense: 1 is the least preferred, equal scores have one rank, and
    no rank is left out. Prompts are those of the recorded set in their order; ``sha256`` is the
    lexicon's digest.
    """

    sha256: str
    words: tuple[str, ...]
    ranks: Ranks

    @classmethod
    def of(cls, scores: Scores, lexicon: Lexicon) -> Ranking:
        """Rank the responses that the lexicon's entries stand for. ``scores`` are those of
        a prompt set, in its order. Raises ScoresError if no word was scored, or one has several
        scores."""
        responses = scores.candidates.responses
        by_category = lexicon.expand(responses)
        words = tuple(dict.fromkeys(word for category in by_category.values() for word in category))
        if not words:
            raise ScoresError(
                f"no word of {lexicon.name} was scored",
                seen=scores.provenance.get("model"),
                remedy="Score its words, or leave the lexicon out.",
            )
        column: dict[str, int] = {}
        wanted = set(words)
        for i, response in enumerate(responses):
            if response in wanted:
                if response in column:
                    raise ScoresError(
                        f"a word of {lexicon.name} was recorded more than once",
                        seen=response,
                        remedy="Record each word once, as text: valuebias search "
                        "--candidates FILE.",
                    )
                column[response] = i
        values = scores.values[:, [column[word] for word in words]]
        dense = [np.unique(row, return_inverse=True)[1].reshape(-1) + 1 for row in values]
        return cls(lexicon.digest, words, np.array(dense, np.int32))


@dataclass(frozen=True)
class RecordedEffect:
    """The effect of one claim when the release was recorded, for the reader and as a check.

    ``estimate``, ``low`` and ``high`` (at ``level``) are on the rank-biserial scale, above zero
    if the contrast's first side is preferred; ``margin`` is None if none was declared.
    """

    suite: str
    test: str
    lexicon: str
    contrast: str
    valence: Valence
    role: str
    estimate: float
    low: float
    high: float
    level: float
    verdict: str
    margin: tuple[float, float] | None


@dataclass(frozen=True)
class Baseline:
    """The record of one release.

    ``about`` says how it was scored: fingerprint, head, dtype, injection, template. ``release`` is
    its number since the anchor, the release that the file began with: 0 is the anchor itself, None
    a record of an earlier format, which knows of none. ``anchor`` is the anchor's own record from
    release 1 on. ``source`` is the file it was read from, ``fingerprint`` that file's SHA-256; both
    are empty before. ``prompts`` are those it was recorded on.
    """

    model: str
    about: Mapping[str, str]
    lexicons: Mapping[str, Ranking]
    effects: tuple[RecordedEffect, ...]
    tool: str
    source: str = ""
    fingerprint: str = ""
    release: int | None = 0
    anchor: Baseline | None = None
    prompts: PromptSet = PAPER
    _checked: set[str] = field(default_factory=set, compare=False, repr=False)

    def ranking(self, lexicon: Lexicon) -> Ranking:
        """The ranks of exactly this lexicon, whatever its name. Raises ScoresError if the record
        does not have it, or if the recorded effects do not follow from the ranks."""
        recorded = next(
            ((n, r) for n, r in self.lexicons.items() if r.sha256 == lexicon.digest), None
        )
        if recorded is None:
            other = self.lexicons.get(lexicon.name)
            if other is not None:
                self.refuse(
                    f"the lexicon {lexicon.name} has changed since it was recorded",
                    f"sha256 {other.sha256[:12]} then, {lexicon.digest[:12]} now",
                    f"Give the lexicon it was recorded with, or {ANEW}",
                )
            held = ", ".join(f"{n} {r.sha256[:12]}" for n, r in self.lexicons.items())
            self.refuse(
                f"it does not contain the lexicon {lexicon.name} ({lexicon.digest[:12]})",
                f"it contains {held}",
                f"Give one of these, or {ANEW}",
            )
        name, ranking = recorded
        if ranking.sha256 not in self._checked:
            self._check_effects(name, ranking, lexicon)
            self._checked.add(ranking.sha256)
        return ranking

    def _check_effects(self, name: str, ranking: Ranking, lexicon: Lexicon) -> None:
        """Raise ScoresError unless the estimates follow from the ranks, which detects a record that
        was edited by hand or merged."""
        for effect in self.effects:
            if effect.lexicon != name:
                continue
            prompts = [i for i, p in enumerate(self.prompts.prompts) if p.valence == effect.valence]
            try:
                selection = lexicon.select(effect.contrast, ranking.words)
            except ValueBiasError as error:
                self.refuse(
                    f"its effect for {effect.contrast} cannot be checked: {error.what}",
                    error.seen,
                    f"Restore the file from version control, or {ANEW}",
                )
            midranks = rankdata(ranking.ranks[prompts][:, selection.columns], axis=1)
            sides = (midranks[:, side].mean() for side in (selection.in_a, ~selection.in_a))
            estimate = 2 * float(next(sides) - next(sides)) / midranks.shape[1]
            if abs(estimate - effect.estimate) > _ROUNDED:
                self.refuse(
                    f"its effect for {effect.contrast}, {effect.valence}, does not follow from "
                    "its ranks",
                    f"{effect.estimate:+.6f} recorded, {estimate:+.6f} from the ranks",
                    "The file was edited by hand or merged. Restore it from version control, or "
                    f"{ANEW}",
                )

    def refuse(self, what: str, seen: object, remedy: str) -> NoReturn:
        where = f"the baseline {self.source}" if self.source else "the baseline"
        raise ScoresError(f"{where}: {what}", seen=seen, remedy=remedy)


def facts(provenance: Mapping[str, str]) -> dict[str, str]:
    """The part of the provenance that a baseline keeps.

    Raises ScoresError for scores that an earlier release stored without their template's digest.
    """
    if provenance.get("template") and not provenance.get("template_sha256"):
        raise ScoresError(
            "these scores were stored by an earlier release, without their chat template's digest",
            seen=provenance.get("model"),
            remedy="Give another folder as cache-dir, to compute them again.",
        )
    return {name: provenance[name] for name in _FACTS if provenance.get(name)}


def check_pair(
    first: Mapping[str, str],
    second: Mapping[str, str],
    coverages: Iterable[tuple[Coverage, Coverage]] = (),
) -> None:
    """Raise ScoresError if one of two scorers is a baseline and the other was not scored in the
    same way: another chat template, or (by ``coverages``, a pair per category) other words.

    The words of a wildcard differ between vocabularies; the common ones are compared.
    """
    recorded = first if "baseline" in first else second
    if "baseline" not in recorded:
        return
    other = second if recorded is first else first
    where = f"the baseline {recorded['baseline']}"
    check_template(recorded, other)
    for one, two in coverages:
        absent = [w for w in {*one.missing} ^ {*two.missing} if not w.endswith("*")]
        if absent:
            raise ScoresError(
                f"{where} was not recorded on the same words of {one.lexicon}'s {one.category}",
                seen=f"{', '.join(sorted(absent)[:5])} on one side only",
                remedy=f"Score all of the lexicon's words, or {ANEW}",
            )


def check_template(recorded: Mapping[str, str], other: Mapping[str, str]) -> None:
    """Raise ScoresError if a release was recorded with another chat template than the other scorer
    has; ``recorded`` names its file as ``baseline``."""
    if _template(recorded) == _template(other):
        return
    facts(other)
    raise ScoresError(
        f"the baseline {recorded['baseline']} was recorded with another chat template, so the "
        "scores cannot be compared in pairs",
        seen=f"{_template_name(recorded)} then, {_template_name(other)} now",
        remedy=f"Use the template it was recorded with, or {ANEW}",
    )


def _template(provenance: Mapping[str, str]) -> tuple[str, str]:
    return provenance.get("template", ""), provenance.get("template_sha256", "")


def _template_name(provenance: Mapping[str, str]) -> str:
    name, digest = _template(provenance)
    return f"{name} {digest}" if name else "none (recorded scores)"
