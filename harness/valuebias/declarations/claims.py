"""Declared claims: how an error budget is divided before anything is measured.

Each claim's share depends only on the declaration, so that no selection of tests, order, sharding
or repetition can change a verdict (weighted Bonferroni; Holm 1979).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from valuebias.errors import LexiconError, StatisticsError
from valuebias.lexicons.lexicon import normal_contrast
from valuebias.prompts import Valences
from valuebias.questions import Role
from valuebias.yaml_nodes import YamlFile

ALPHA = 0.05
"""The alpha of each claim if none are declared: the run as a whole passes only if all claims do,
which needs no correction (intersection-union)."""

_VALENCES = get_args(Valences)
_ROLES = get_args(Role)


class Key(NamedTuple):
    """What is tested, without the model: each release has a new name but the same claims.

    ``suite`` is a shipped suite's name or the path of a test file, ``test`` a function's or an
    entry's name; ``role`` is what is asked (`questions.Question`). The contrast of the
    roles inheritance and human is "words".
    """

    suite: str
    test: str
    lexicon: str
    contrast: str
    valence: str
    role: str

    def __str__(self) -> str:
        """The key as an entry of a claims file; what YAML could misread is quoted."""
        values = {
            k: v if re.fullmatch(r"[\w~][\w./~-]*", v) else json.dumps(v, ensure_ascii=False)
            for k, v in self._asdict().items()
        }
        return "{" + ", ".join(f"{k}: {v}" for k, v in values.items()) + "}"


@dataclass(frozen=True)
class Claims:
    """Declared claims with their weights, and the budget they share."""

    budget: float
    weights: Mapping[Key, float]
    source: str

    def alpha(self, key: Key) -> float:
        """The alpha of a claim: its weight's share of the budget.

        Raises StatisticsError for a claim that is not declared: it has no share.
        """
        weight = self.weights.get(key)
        if weight is None:
            raise StatisticsError(
                f"the claim is not declared, so it has no share of the budget of {self.budget:g}",
                seen=key,
                remedy=f"Add the line `- {key}` to {self.source}, or remove the assertion.",
            )
        largest = max(self.weights.values())  # weights may be any numbers: their sum overflows
        return (
            self.budget * (weight / largest) / math.fsum(w / largest for w in self.weights.values())
        )


def load_claims(path: Path) -> Claims:
    """Read a claims file.

    Its form is ``budget: 0.05`` (the default) and ``claims:``, a list of entries with the keys
    ``suite``, ``test``, ``lexicon``, ``contrast``, ``valence``, ``role`` and, if wanted,
    ``weight`` (1).

    Raises StatisticsError naming file and line.
    """
    file = YamlFile.read(path, "the claims file", StatisticsError)
    top = file.mapping(file.root, "the file")
    for name, (node, _) in top.items():
        if name not in ("budget", "claims"):
            raise file.fail(node, "unknown key", "Use budget or claims.", name)
    if "claims" not in top:
        raise file.fail(file.root, "no `claims` list", "Begin with `claims:`.")
    budget = ALPHA
    if "budget" in top:
        node = top["budget"][1]
        budget = _number(file.text(node, "`budget`"))
        if not 0 < budget < 0.5:
            raise file.fail(
                node,
                "the budget must lie between 0 and 0.5",
                "Give for example 0.05.",
                file.text(node, "`budget`"),
            )
    weights: dict[Key, float] = {}
    for node in file.sequence(top["claims"][1], "`claims`"):
        fields = file.mapping(node, "a claim")
        for name, (at, _) in fields.items():
            if name not in (*Key._fields, "weight"):
                known = ", ".join((*Key._fields, "weight"))
                raise file.fail(at, "unknown key", f"Use one of {known}.", name)
        for name in Key._fields:
            if name not in fields:
                raise file.fail(node, f"a claim has no `{name}`", f"Give `{name}: ...`.")
        texts = {name: file.text(value, f"`{name}`") for name, (_, value) in fields.items()}
        for name, allowed in (("valence", _VALENCES), ("role", _ROLES)):
            if texts[name] not in allowed:
                raise file.fail(
                    fields[name][1], f"unknown {name}", f"Give {' or '.join(allowed)}.", texts[name]
                )
        weight = _number(texts.pop("weight", "1"))
        if not (math.isfinite(weight) and weight > 0):
            at = fields["weight"][1]
            raise file.fail(at, "a weight must be a positive number", "Give for example 1.", weight)
        try:
            texts["contrast"] = normal_contrast(texts["contrast"])
        except LexiconError as e:
            raise file.fail(fields["contrast"][1], e.what, e.remedy, e.seen) from None
        key = Key(**texts)
        if key in weights:
            raise file.fail(node, "duplicate claim", "Keep one of them.", key)
        weights[key] = weight
    if not weights:
        raise file.fail(top["claims"][1], "no claims", "Declare at least one.")
    return Claims(budget, weights, str(path))


def holm(p: Sequence[float], m: int | None = None) -> npt.NDArray[np.float64]:
    """Holm's adjusted p values (Scandinavian Journal of Statistics 1979), in the order given.

    ``m`` is the number of tests in the family if some were not run; these count as the largest.
    """
    given, total = _family(p, m)
    order = np.argsort(given)
    steps = given[order] * (total - np.arange(len(given)))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def benjamini_hochberg(p: Sequence[float], m: int | None = None) -> npt.NDArray[np.float64]:
    """Adjusted p values for the false discovery rate (Benjamini and Hochberg, JRSS B 1995)."""
    given, total = _family(p, m)
    order = np.argsort(given)
    steps = given[order] * total / np.arange(1, len(given) + 1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1)
    return adjusted


def _family(p: Sequence[float], m: int | None) -> tuple[npt.NDArray[np.float64], int]:
    given = np.asarray(p, dtype=np.float64)
    total = len(given) if m is None else m
    if not ((given >= 0) & (given <= 1)).all() or total < len(given):
        raise StatisticsError(
            "p values must lie between 0 and 1, and be no more than the tests of their family",
            seen=f"{len(given)} of {total}",
            remedy="Give the p values of one family of tests.",
        )
    return given, total


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
