"""The ranks of a document as arrays, for the figures that draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebias.report.document import Document as Document

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """One model's median ranks: ``medians`` (prompts, categories), from 1, the most preferred."""

    name: str
    kind: str
    base: str | None
    n_words: int
    categories: tuple[str, ...]
    prompts: tuple[str, ...]
    valences: tuple[str, ...]
    medians: Floats

    @property
    def shares(self) -> Floats:
        """The ranks as shares of the words, from 0 (the most preferred) to 1."""
        shares: Floats = (self.medians - 0.5) / self.n_words
        return shares

    def asked(self, valence: str) -> npt.NDArray[np.intp]:
        """The rows of the prompts of one valence."""
        return np.flatnonzero([v == valence for v in self.valences])

    def column(self, category: str) -> int:
        return self.categories.index(category)


def ranked(document: Document, lexicon: str) -> list[Ranked]:
    """The ranks on one lexicon, in the document's order."""
    valences = {p["id"]: p["valence"] for p in document["prompts"]}
    bases = {s["model"]: s.get("base") for s in document["subjects"] if not s["kind"]}
    return [
        Ranked(
            r["subject"],
            r["kind"],
            bases.get(r["subject"]) if r["kind"] == "reward model" else None,
            r["n_words"],
            tuple(r["categories"]),
            tuple(r["prompts"]),
            tuple(valences.get(p) or "other" for p in r["prompts"]),
            np.asarray(r["medians"], dtype=np.float64).reshape(len(r["prompts"]), -1),
        )
        for r in document["ranks"]
        if r["lexicon"] == lexicon and r["prompts"] and r["categories"]
    ]


def categories(models: Sequence[Ranked]) -> list[str]:
    """All their categories, in order of appearance."""
    return list(dict.fromkeys(c for m in models for c in m.categories))


def by_polarity(names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The categories that are compared with one another, under what they have in common: virtues
    with virtues and vices with vices."""
    groups: dict[str, list[str]] = {}
    for name in names:
        stem, _, polarity = name.rpartition(".")
        groups.setdefault(polarity if stem and polarity in ("virtue", "vice") else "", []).append(
            name
        )
    return list(groups.items())


def stem(category: str, polarity: str) -> str:
    """The category's name beside the heading of its polarity."""
    return category.removesuffix(f".{polarity}") if polarity else category


def valences(models: Sequence[Ranked]) -> list[str]:
    """The valences that were asked for, positive first."""
    there = {v for m in models for v in m.valences}
    return [v for v in ("positive", "negative", "other") if v in there]


def density(values: Floats, at: Floats) -> Floats:
    """A Gaussian kernel density (Silverman's rule of thumb) with its highest point at 1."""
    spread = float(values.std())
    quartiles = np.subtract(*np.percentile(values, [75, 25])) / 1.349
    scale = min(spread, quartiles) if quartiles > 0 else spread
    width = 0.9 * scale * len(values) ** -0.2
    heights: Floats = np.exp(-0.5 * ((at[:, None] - values) / width) ** 2).sum(axis=1)
    top: Floats = heights / heights.max()
    return top


def plural(kind: str) -> str:
    return f"{kind}s"


def parts(prompt: str) -> tuple[str, str, str]:
    """The adjective, scope and style that a prompt was generated from, by its id."""
    fields = prompt.split("_")
    return (fields[0], fields[1], fields[2]) if len(fields) == 3 else (prompt, "", "")


def described(models: Sequence[Ranked], names: Sequence[str]) -> str:
    """Ranks by prompt and category in words."""
    said = []
    for name in names:
        shares = [m.shares[:, m.column(name)] for m in models if name in m.categories]
        low, high = min(f.min() for f in shares), max(f.max() for f in shares)
        said.append(f"{name} {low:.0%} to {high:.0%}")
    asked = len({p for m in models for p in m.prompts})
    return (
        f"Median ranks as shares of the words, 0% the most preferred, for {asked} prompts and "
        f"{len(models)} model{'' if len(models) == 1 else 's'}: {'; '.join(said)}."
    )
