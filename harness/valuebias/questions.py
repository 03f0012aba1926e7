"""What an estimate is: the unit that stands beside it in every report."""

from __future__ import annotations

_ONE = "rank-biserial correlation"


def unit(role: str, valence: str, *, compared: bool = False, raw: bool = False) -> str:
    """The unit of what is asked (a `measure.Question`) on prompts of this valence.

    ``compared`` says whether another model's effect was subtracted, where the question leaves it
    open; ``raw`` is of an inheritance from which no other base's correlation was.
    """
    if role == "inheritance":
        return f"{'' if raw else 'excess '}rank correlation beside covariates"
    if role == "gap":
        return f"change of the gap in {_ONE}"
    single = f"difference of {_ONE}s" if valence == "positive-negative" else _ONE
    several = "difference of " + ("differences of " if single != _ONE else "")
    if role == "family":
        return f"{several}mean {_ONE}s"
    if role == "regression":
        return f"distance from zero, {several}{_ONE}s"
    found = f"{several}{_ONE}s" if compared or role in ("shift", "drift") else single
    return f"{found} beside covariates" if role == "controlled" else found
