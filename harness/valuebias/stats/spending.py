"""How much of a claim's error each release may spend, so that all releases together keep to it."""

from __future__ import annotations

from valuebias.errors import StatisticsError

RULE = "1/(k(k+1))"
"""The share of the k-th release. The shares of releases 1 to n add up to n/(n+1), and those of all
releases that there will ever be to 1: the chance that any release beyond the budget passes is no
more than the error of one claim (Bonferroni; alpha spending, Lan and DeMets, Biometrika 1983, over
releases without an end). Normal intervals of the tenth and the twentieth release are 2.0 and 2.2
times as wide as at the whole error; with shares that halve they would be 2.4 and 3.2 times."""


def share(release: int) -> float:
    """The share of a claim's error that the ``release``-th one since the anchor may spend.

    Raises StatisticsError for a number below 1: the anchor is not compared with itself.
    """
    if release < 1:
        raise StatisticsError(
            "the number of a release must be an integer >= 1",
            seen=release,
            remedy="Count from the first release after the anchor.",
        )
    return 1 / (release * (release + 1))
