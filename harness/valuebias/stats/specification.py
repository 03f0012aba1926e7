"""One way to compute an effect, and whether it comes out alike in all of them (`robustness`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from valuebias.errors import visible
from valuebias.format import bracketed, signed
from valuebias.stats.crossed import Parts, bounds

Alike = Literal["families", "spellings"]
Drawn = Literal["families", "facets"]

AS_WRITTEN = "as written"

FACETS_OUTSIDE = 0.10
"""Where a larger share of a category's facets is expected to lie outside a margin, a PASS is
fragile: a convention (one facet in ten), fixed on 2026-11-29 before it was tried."""


@dataclass(frozen=True)
class Specification:
    """One way to compute an effect, its estimate and the parts of its variance.

    ``alike`` is what counts alike in the estimate, ``drawn`` the unit of the variance, ``surface``
    how words were written, ``covariates`` what is held constant and ``without`` the level of the
    prompts' first factor (an adjective) that is left out, "" for none.
    """

    alike: Alike
    drawn: Drawn
    surface: str
    covariates: tuple[str, ...]
    without: str
    estimate: float
    parts: Parts = field(repr=False)
    span: float = field(repr=False)
    fisher: bool = field(repr=False)

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided confidence interval, within the scale's own bounds."""
        fisher = self.fisher and abs(self.estimate) < 1
        return bounds(self.estimate, self.parts, level, self.span, fisher=fisher)

    @property
    def changes(self) -> tuple[str, ...]:
        """In words, what is other than in the effect itself."""
        held = " and ".join(map(visible, self.covariates))
        words = (
            "every spelling counted alike" * (self.alike == "spellings"),
            "facets for draws" * (self.drawn == "facets"),
            f"words {visible(self.surface)}" * (self.surface != AS_WRITTEN),
            f"{held} held constant" * bool(held),
            f'without "{visible(self.without)}"' * bool(self.without),
        )
        return tuple(filter(None, words))


@dataclass(frozen=True)
class Robustness:
    """Whether every specification lies inside a margin, as the effect itself does.

    ``turned`` are those that do not, fewest changes first; ``outside`` those of them that are shown
    to lie wholly outside. ``facets_outside`` is the share of a category's facets
    expected to lie outside.
    """

    specifications: tuple[Specification, ...]
    level: float
    turned: tuple[Specification, ...]
    outside: tuple[Specification, ...]
    facets_outside: float = 0.0

    @property
    def state(self) -> Literal["robust", "fragile"]:
        return "fragile" if self.turned_by else "robust"

    @property
    def turned_by(self) -> str:
        """The changes of the first specification that turns it, else the facets, else nothing."""
        if self.turned:
            return ", ".join(self.turned[0].changes)
        return "facets that differ" if self._facets_differ else ""

    @property
    def _facets_differ(self) -> bool:
        return self.facets_outside > FACETS_OUTSIDE

    @property
    def reason(self) -> str:
        """One clause, such as 'fragile: not inside in 3 of 80 specifications, as without ...'; the
        one that is named has the fewest changes."""
        n = len(self.specifications)
        clauses = []
        if self.turned:
            first = self._named(self.turned[0])
            clauses.append(f"not inside in {len(self.turned)} of {n} specifications, as {first}")
        if self._facets_differ:
            clauses.append(
                f"{self.facets_outside:.0%} of a category's facets are expected to lie outside, "
                f"more than {FACETS_OUTSIDE:.0%}"
            )
        if not clauses:
            return f"robust: inside in all of {n} specifications"
        return f"fragile: {'; '.join(clauses)}"

    @property
    def objection(self) -> str:
        """Part of a sentence on those that are shown to lie outside."""
        return (
            f"it is shown to lie outside in {len(self.outside)} of {len(self.specifications)} "
            f"specifications, as {self._named(self.outside[0])}"
        )

    def _named(self, found: Specification) -> str:
        interval = bracketed(*found.interval(self.level))
        return f"{', '.join(found.changes)}: {signed(found.estimate)} {interval}"
