"""Implicit rewards of all pairs of language models as one matrix, and how it is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates
from valuebias.errors import (
    LexiconError,
    ModelError,
    ScoresError,
    SearchError,
    SpecError,
    StatisticsError,
    ValueBiasError,
    visible,
)
from valuebias.format import signed
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure
from valuebias.models.spec import ModelSpec, implicit
from valuebias.prompts import GREATEST, PAPER, Prompt, PromptSet
from valuebias.scorers.bench import Bench
from valuebias.scores import Job

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Matrix:
    """One contrast in the implicit rewards of all pairs.

    ``values`` (models, models): row the model it starts from, column the one it leads to; above
    zero the latter prefers the contrast's first side more than the former does. The diagonal is
    zero, and the matrix antisymmetric. ``unit`` says what the numbers are. A pair that could not be
    measured is NaN, and ``left_out`` says why, each reason once.
    """

    contrast: str
    unit: str
    labels: tuple[str, ...]
    values: npt.NDArray[np.float64]
    left_out: tuple[str, ...] = ()


def pair_words(contrasts: Iterable[str], lexicons: Sequence[Lexicon]) -> Candidates | None:
    """The words of those contrasts that are of two words; None if there are none."""
    words = [
        word for text in contrasts if _lexicon(text, lexicons) is None for word in text.split("~")
    ]
    return Candidates.words(words, "spellings") if words else None


def prepare_matrices(
    bench: Bench,
    models: Sequence[ModelSpec],
    contrasts: Sequence[str],
    lexicons: Sequence[Lexicon],
    prompt: Prompt = GREATEST,
) -> None:
    """Score the words that matrices of two words need, loading each model at most once. `matrix`
    reports a model that cannot be loaded."""
    words = pair_words(contrasts, lexicons)
    if words is not None:
        for model in models:
            with suppress(ModelError, ScoresError, SearchError):
                bench.scorer(model).prepare([Job((prompt,), words)])


def matrix(
    bench: Bench,
    models: Sequence[ModelSpec],
    contrast: str,
    lexicons: Sequence[Lexicon],
    *,
    prompt: Prompt | None = None,
    prompts: PromptSet = PAPER,
    name: str = "MWLR",
) -> Matrix:
    """The matrix of two words, or of two categories of one of the lexicons.

    Of words it holds the difference of their implicit rewards on one prompt (that which leads the
    set, unless given; figure 3 of the paper), all spellings of a word being one; of categories
    the rank-biserial correlation over the positive prompts. Raises what loading or scoring a model
    raises if no pair could be measured.
    """
    if len(models) < 2:
        raise SpecError(
            "a matrix needs at least two models",
            seen=f"{len(models)} models",
            remedy="Give at least two language models.",
        )
    lexicon = _lexicon(contrast, lexicons)
    asked = prompts.lead if prompt is None else prompt

    def measured(pair: ModelSpec) -> float:
        if lexicon is not None:
            scorer = bench.scorer(pair)
            return measure(scorer, lexicon, contrast, "positive", prompts=prompts).effect.estimate
        words = pair_words([contrast], lexicons)
        assert words is not None
        first, second = bench.scorer(pair).score((asked,), words).values[0].tolist()
        return float(first - second)

    values = np.zeros((len(models), len(models)))
    errors: list[ValueBiasError] = []
    for (i, source), (j, target) in combinations(enumerate(models), 2):
        try:
            value = measured(implicit(source, target, name))
        except (ModelError, ScoresError, SearchError, StatisticsError) as error:
            errors.append(error)
            value = math.nan
        values[i, j], values[j, i] = value, -value
    if len(errors) == len(models) * (len(models) - 1) // 2:
        raise errors[0]
    unit = (
        f"difference of {name}: {asked.text}"
        if lexicon is None
        else f"rank-biserial correlation of {name}, positive prompts, {lexicon.name}"
    )
    reasons = tuple(dict.fromkeys(map(str, errors)))
    return Matrix(contrast, unit, tuple(model.label for model in models), values, reasons)


def _lexicon(contrast: str, lexicons: Sequence[Lexicon]) -> Lexicon | None:
    """The first lexicon that has these categories; None if they are words."""
    for lexicon in lexicons:
        try:
            lexicon.contrast(contrast)
        except LexiconError:
            continue
        return lexicon
    return None


def shown(matrix: Matrix) -> RenderableType:
    """The matrix as a table: models are numbered, so that many fit into 80 columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("from, to", header_style="dim", overflow="fold")
    for number in range(1, len(matrix.labels) + 1):
        table.add_column(str(number), header_style="dim", justify="right", no_wrap=True)
    for i, label in enumerate(matrix.labels):
        cells = ["" if i == j else _cell(value) for j, value in enumerate(matrix.values[i])]
        table.add_row(Text(f"{i + 1} {visible(label)}"), *map(Text, cells))
    return table


def _cell(value: float) -> str:
    return "none" if math.isnan(value) else signed(value)


def parse_contrast(text: str) -> str:
    """ "freedom ~ love" -> "freedom~love": two words or two categories. Raises ValueError."""
    a, _, b = (part.strip() for part in text.partition("~"))
    if not (a and b) or "~" in b:
        raise ValueError("give two words or two categories, such as freedom~love")
    return f"{a}~{b}"
