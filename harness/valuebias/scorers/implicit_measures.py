"""The eight measures of implicit reward of the paper's table A1, in log space.

They say, from the log-probabilities p (the source) and q (the target) give a response, how much it
would have to be rewarded to turn the one model into the other. Positive means that the target
prefers it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from valuebias.errors import ScoresError, SpecError

FloatArray = npt.NDArray[np.float64]
Measure = Callable[[FloatArray, FloatArray], FloatArray]


def _ratio(p: FloatArray, q: FloatArray) -> FloatArray:
    """log q - log p; 0 where neither model ever says it."""
    with np.errstate(invalid="ignore"):
        difference = q - p
    return np.where(np.isneginf(p) & np.isneginf(q), 0.0, difference)


def _weighted(log_weight: FloatArray, ratio: FloatArray) -> FloatArray:
    """exp(log_weight) * ratio: 0 where the weight is 0 (x log x -> 0), infinite where the ratio is
    and the weight is not, even if exp() rounds it to 0."""
    with np.errstate(invalid="ignore"):
        product = np.exp(log_weight) * ratio
    product = np.where(np.isinf(ratio), ratio, product)
    return np.where(np.isneginf(log_weight), 0.0, product)


def _mixture(p: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The larger of log p and log q, their distance, and log of (p + q)/2 over the larger.

    The last, between -log 2 and 0, is exact for a small distance too: log((1 + e^-d) / 2).
    """
    distance = np.abs(_ratio(p, q))
    return np.maximum(p, q), distance, np.log1p(np.expm1(-distance) / 2)


def _capped(cap: float) -> Measure:
    return lambda p, q: np.maximum(q, cap) - np.maximum(p, cap)


def _mwlr(p: FloatArray, q: FloatArray) -> FloatArray:
    larger, _, rest = _mixture(p, q)
    return _weighted(larger + rest, _ratio(p, q))


def _jsr(p: FloatArray, q: FloatArray) -> FloatArray:
    # With m = (p+q)/2, both parts of (q log(q/m) - p log(p/m))/2 have the ratio's sign: their
    # sizes are added, so that nothing cancels where p and q are close.
    larger, distance, rest = _mixture(p, q)
    size = np.exp(larger) * -rest + _weighted(np.minimum(p, q), distance + rest)
    return np.sign(_ratio(p, q)) * size / 2


_TABLE: dict[str, Measure] = {
    "LLR": _ratio,
    "LR-20": _capped(-20.0),
    "LR-10": _capped(-10.0),
    "p1LR": lambda p, q: _weighted(p, _ratio(p, q)),
    "p2LR": lambda p, q: _weighted(q, _ratio(p, q)),
    "MWLR": _mwlr,
    "GMLR": lambda p, q: _weighted((p + q) / 2, _ratio(p, q)),
    "JSR": _jsr,
}

MEASURES: tuple[str, ...] = tuple(_TABLE)
ANTISYMMETRIC: frozenset[str] = frozenset(MEASURES) - {"p1LR", "p2LR"}
"""Measures with f(q, p) = -f(p, q), to the last bit."""


def implicit_reward(
    log_p: npt.ArrayLike, log_q: npt.ArrayLike, measure: str = "MWLR"
) -> FloatArray:
    """A measure of table A1, elementwise, float64: ``log_p`` of the source, ``log_q`` of the
    target, natural logarithms of one shape; positive where the target prefers the response.

    LLR log q - log p; LR-20, LR-10 the same with both logarithms raised to -20, -10 at least;
    p1LR, p2LR, MWLR, GMLR the LLR times p, q, (p + q)/2, sqrt(p q); JSR (q log(q/m) -
    p log(p/m))/2 with m = (p + q)/2, between -.385 and .385. (The paper's table typesets GMLR's
    weight otherwise.) p1LR and p2LR are not antisymmetric: p1LR(p, q) = -p2LR(q, p).

    Where one of the two is -inf the result is its limit. It is infinite, +inf if the target alone
    can say it and -inf if the source alone can, for LLR and MWLR; for p2LR if only the target can
    (else 0), for p1LR if only the source can (else 0). LR-20, LR-10 and JSR stay finite, GMLR is
    0. Where both are -inf every measure is 0.

    Raises SpecError for an unknown measure, ScoresError for shapes that differ and for numbers that
    are not log-probabilities: NaN or above 0.
    """
    check_measure(measure)
    p, q = np.asarray(log_p, np.float64), np.asarray(log_q, np.float64)
    if p.shape != q.shape:
        raise ScoresError(
            "two models' log-probabilities have different shapes",
            seen=f"{p.shape} and {q.shape}",
            remedy="Give both for the same prompts and responses.",
        )
    for values in (p, q):
        _check_log_probabilities(values)
    return _TABLE[measure](p, q) + 0.0  # one zero, not two


def check_measure(measure: str) -> None:
    """Raise SpecError for a name that is not in MEASURES."""
    if measure not in _TABLE:
        raise SpecError(
            "unknown measure of implicit reward",
            seen=measure,
            remedy=f"Give one of {', '.join(MEASURES)}.",
        )


def _check_log_probabilities(values: FloatArray) -> None:
    wrong = ~(values <= 0)
    if wrong.any():
        raise ScoresError(
            f"{wrong.sum():,} of {wrong.size:,} numbers are not log-probabilities",
            seen=values[wrong][0],
            remedy="Give natural logarithms of probabilities: 0 or below, never NaN. A reward "
            "model's scores are not log-probabilities.",
        )
