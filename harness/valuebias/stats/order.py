"""Where words stand in orders of scores, and how much weight stands below each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Order:
    """Where words stand in orders (..., words): ``order`` lists them from the lowest; ``begin`` and
    ``end`` are the places between which the words tied with each of them stand."""

    order: npt.NDArray[np.intp]
    begin: npt.NDArray[np.intp]
    end: npt.NDArray[np.intp]

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> Order:
        order = np.argsort(values, axis=-1)
        ordered = np.take_along_axis(values, order, axis=-1)
        differs = ordered[..., 1:] != ordered[..., :-1]
        place = np.arange(values.shape[-1])
        first, last = (np.ones(values.shape, dtype=np.bool_) for _ in range(2))
        first[..., 1:], last[..., :-1] = differs, differs
        begins = np.maximum.accumulate(np.where(first, place, 0), axis=-1)
        ends = np.where(last, place + 1, len(place))[..., ::-1]
        ends = np.minimum.accumulate(ends, axis=-1)[..., ::-1]
        begin, end = np.empty_like(order), np.empty_like(order)
        np.put_along_axis(begin, order, begins, -1)
        np.put_along_axis(end, order, ends, -1)
        return cls(order, begin, end)

    def below(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(..., words): the summed weight of the words below each, and half that of the tied, the
        word itself among them. ``weights`` (..., words) and the orders are broadcast together."""
        begin, end = self.spans(weights)
        return (begin + end) / 2

    def spans(
        self, weights: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The summed weight of the words below each, without and with the tied, the word itself
        among them; each (..., words)."""
        shape = np.broadcast_shapes(self.order.shape, weights.shape)
        order, begin, end = (np.broadcast_to(x, shape) for x in (self.order, self.begin, self.end))
        total = np.zeros((*shape[:-1], shape[-1] + 1))
        sorted_weights = np.take_along_axis(np.broadcast_to(weights, shape), order, -1)
        np.cumsum(sorted_weights, axis=-1, out=total[..., 1:])
        return np.take_along_axis(total, begin, -1), np.take_along_axis(total, end, -1)
