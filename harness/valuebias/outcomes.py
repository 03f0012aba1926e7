"""What a verdict may be, and what it may be due to."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """PASS: shown to be inside. FAIL: shown to be outside. INCONCLUSIVE: neither was shown."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


class Cause(StrEnum):
    """The cause of a verdict, by which reports group verdicts and give advice."""

    INSIDE = "inside"
    """The interval lies inside the margin, or a claim about checkpoints was shown."""
    OUTSIDE = "outside"
    """The interval lies wholly outside, or the opposite of the claim was shown."""
    CROSSES = "crosses"
    """The interval crosses an edge of the margin."""
    EXPLORATORY = "exploratory"
    """The estimate may be shown and must never PASS."""
    FEW_FAMILIES = "few families"
    """Too few word families to show that an effect is inside."""
    PERMUTATION = "permutation"
    """The interval alone would decide, but permuting the labels shows no effect."""
    SEPARATION = "separation"
    """One side beats the other throughout: the interval is a bound, not a test."""
    FACET = "facet"
    """The interval lies inside, but a facet is shown to lie outside."""
    PROMPTS = "prompts"
    """The prompts disagree: some are shown to lie outside, or their differences make the interval
    too wide."""
    TIED = "tied"
    """Too many pairs of words across the categories are tied."""
    MISSING = "missing"
    """Words without a score could move the effect outside."""
    CONFOUNDED = "confounded"
    """The sides differ in frequency, length or tokens; with these controlled it lies outside."""
    FRAGILE = "fragile"
    """The interval lies inside; computed in another way, the effect is shown to lie outside."""
