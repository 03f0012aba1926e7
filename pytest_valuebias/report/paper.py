"""The terminal's section on the paper's own tests, under the profile ``paper``: they gate nothing.

Computed on the controller, from the store. A line gives the reason where something is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_valuebias.inputs import Inputs
from pytest_valuebias.report.console import plain, write
from valuebias.errors import ValueBiasError, visible
from valuebias.format import bare, bracketed, p_text, signed, unsigned

if TYPE_CHECKING:
    import pytest
    from rich.console import RenderableType
    from rich.table import Table

    from valuebias.measurement.paper import PaperTests
    from valuebias.models.spec import ModelSpec
    from valuebias.stats.family import Family

TITLE = "the paper's own tests: reproduction only, they gate nothing"


def section(reporter: pytest.TerminalReporter, inputs: Inputs) -> None:
    """Write the section, where the profile asks for it and there are reward models."""
    if inputs.values["profile"] != "paper" or not inputs.models:
        return
    reporter.section(TITLE)
    for what, indent in _lines(inputs):
        write(reporter, what, indent=indent)


def text(inputs: Inputs) -> str:
    """The same as plain text, for the document; empty without that section."""
    if inputs.values["profile"] != "paper" or not inputs.models:
        return ""
    return plain(_lines(inputs))


def _lines(inputs: Inputs) -> Iterator[tuple[RenderableType, int]]:
    """The lines of the section, each with its indent."""
    from valuebias.stats.paper.ranks import WHY

    yield f"They gate nothing because {WHY}.", 0
    if not inputs.prompt_set.is_paper:
        used = visible(inputs.prompt_set.name)
        yield f"They are on the paper's prompts, not on those of the set {used}.", 0
    for name in inputs.word_lexicons:
        yield from _lexicon(inputs, name)
    for spec in inputs.models:
        vocabulary = _vocabulary(inputs, spec)
        if vocabulary:
            yield f"vocabulary of {visible(spec.label)}: {vocabulary}", 0


def _lexicon(inputs: Inputs, name: str) -> Iterator[tuple[RenderableType, int]]:
    """The lines about one lexicon, each with its indent."""
    if len(inputs.lexicon(name).categories) != 2:
        n = len(inputs.lexicon(name).categories)
        yield f"{name}: left out, the paper's tests compare two categories and it has {n}", 0
        return
    try:
        results = inputs.paper_tests(name)
    except ValueBiasError as error:
        yield f"{name}: {error}", 0
        return
    except Exception as error:  # a defect here must not lose the run's own results
        yield f"{name}: unexpected error, please report it: {visible(repr(error))}", 0
        return
    counts = ", ".join(
        f"{n} {visible(category)}"
        for n, category in zip(results.medians.n_words, results.medians.categories, strict=True)
    )
    n = len(results.medians.valences)
    yield f"{name}: mean over prompts of the median rank; 1 is preferred; {counts}; {n} prompts", 0
    yield _medians(results), 2
    sides = ""
    if results.compared is not None:
        sides = " minus ".join(
            f"{visible(base)} ({_counted(len(results.compared.family(base)))})"
            for base in results.compared.families
        )
    if results.cells:
        yield f"{sides}; above zero = the first ranks them further down:", 0
        yield _cells(results), 2
    for result in (results.mixed, results.anova):
        if result is not None:
            yield visible(result.line), 2
    if results.mixed is not None:
        fit = results.mixed
        yield f"REML log-likelihood {fit.log_likelihood:.4f}, {fit.n_rows} rows", 4
        for note in fit.notes:
            yield note, 4
    if results.by_models is not None:
        from valuebias.stats.paper.ranks import shown

        c = results.by_models
        yield (
            f"the same contrast with models for the sample: SE {unsigned(c.se)}, t({c.df}) "
            f"{signed(c.t)}, {shown(c.p)}",
            4,
        )
    if results.honest:
        yield (
            f"what may be said, with models and word families for the sample: {sides}, "
            f"rank-biserial correlation of {visible(results.contrast)}:",
            0,
        )
        for question, family in results.honest.items():
            yield _honest(question.replace("-", " minus "), family), 2
    for reason in dict.fromkeys(results.problems.values()):
        tests = ", ".join(test for test, why in results.problems.items() if why == reason)
        yield f"{tests}: {reason}", 0


def _counted(n: int) -> str:
    return f"{n} model{'s' if n > 1 else ''}"


def _honest(question: str, family: Family) -> str:
    return (
        f"{question}: {signed(family.estimate)} {bracketed(family.low, family.high)}, "
        f"{p_text(family.p)} (by models {p_text(family.p_models)}, by words "
        f"{p_text(family.p_words)}, by both {p_text(family.p_both)})"
    )


def _medians(results: PaperTests) -> RenderableType:
    from rich.text import Text

    from valuebias.stats.paper.ranks import VALENCES

    medians = results.medians
    names = [f"{v}\n{visible(c)}" for v in VALENCES for c in medians.categories]
    rows = []
    for i, model in enumerate(medians.models):
        values = [f"{x:.1f}" for v in VALENCES for x in medians.of(v)[i].mean(axis=0)]
        base = "" if medians.bases[i] == model else medians.bases[i]
        rows.append([visible(model), visible(base), *values])
    table = _table(["model", "base"], names)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _cells(results: PaperTests) -> RenderableType:
    from rich.text import Text

    m = len(results.cells)
    table = _table(["category"], ["valence", "d", "Welch p", f"p x{m}", "FDR p", "permuted p"])
    for cell in results.cells:
        p = (cell.p, cell.p_bonferroni, cell.p_fdr, cell.perm_p)
        row = (visible(cell.category), cell.valence, signed(cell.d), *(bare(f"{x:.2g}") for x in p))
        table.add_row(*map(Text, row))
    return table


def _table(texts: list[str], numbers: list[str]) -> Table:
    """An empty table: columns of text, which may fold, then columns of numbers, which may not."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in texts:
        table.add_column(name, header_style="dim", overflow="fold")
    for name in numbers:
        table.add_column(name, header_style="dim", no_wrap=True, justify="right")
    return table


def _vocabulary(inputs: Inputs, spec: ModelSpec) -> str:
    """Whether the vocabulary was searched for all 54 prompts, in words; empty of recorded scores,
    which have none."""
    from valuebias.measurement.paper import vocabulary_left_out

    try:
        scorer = inputs.bench.scorer(spec)
        if not scorer.has_vocabulary:
            return ""
        reason = vocabulary_left_out(scorer)
    except ValueBiasError as error:
        return str(error)
    return "searched for all 54 prompts" if reason is None else f"left out: {visible(reason)}"
