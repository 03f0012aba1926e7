"""The one format of numbers, intervals, margins and tokens in messages and reports."""

from __future__ import annotations

import re


def signed(value: float) -> str:
    """A number with its sign and without its leading zero: +.003."""
    return bare(f"{value:+.3f}")


def unsigned(value: float) -> str:
    """A number without its leading zero: .276."""
    return bare(f"{value:.3f}")


def percent(share: float) -> str:
    """A share as a percentage: 99.9%, 12%, .031%, and <.0001% of a smaller one."""
    if 0 < share < 1e-6:
        return "<.0001%"
    return bare(f"{100 * share:.{3 if share > 0.95 else 2}g}%")


def p_text(p: float) -> str:
    """p = .0312, or p < .0001."""
    return "p < .0001" if p < 0.0001 else f"p = {bare(f'{p:.4f}')}"


def bare(number: str) -> str:
    """A written number without its leading zero: 0.5 is .5, -0.5 is -.5, 10.5 is 10.5."""
    return re.sub(r"^([+-]?)0\.", r"\1.", number)


def bracketed(low: float, high: float) -> str:
    """An interval: [-.163, +.168]."""
    return f"[{signed(low)}, {signed(high)}]"


def margin(low: float | None, high: float | None) -> str:
    """[-.200, +.200], or > +.100 for a one-sided margin; empty if there is no margin."""
    if low is not None and high is not None:
        return bracketed(low, high)
    if low is not None:
        return f"> {signed(low)}"
    return "" if high is None else f"< {signed(high)}"


def token(text: str) -> str:
    """A token with visible spaces; an empty one in quotes."""
    return text.replace(" ", "␣") or '""'
