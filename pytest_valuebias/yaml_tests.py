"""Collects ``*.valuebias.yaml`` files: each entry is a test, of every ``--rm``, without Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_valuebias.inputs import KEY, Inputs
from valuebias.declarations.tests import Against, DeclaredTest, read_suite
from valuebias.errors import ValueBiasError, visible
from valuebias.lexicons.files import STARTERS
from valuebias.lexicons.lexicon import Lexicon

if TYPE_CHECKING:
    from pytest_valuebias.assertions.effects import BoundEffect
    from valuebias.model import Model
    from valuebias.models.spec import ModelSpec


@dataclass(frozen=True)
class Case:
    """One declared test of one model: ``other`` is what it is compared with.

    ``missing`` says what the run lacks for it, ``skipped`` why it is not tested at all.
    """

    model: ModelSpec | None
    other: ModelSpec | None = None
    missing: str | None = None
    skipped: str | None = None

    @property
    def id(self) -> str:
        """The text in brackets after the test's name; empty without a model."""
        labels = [visible(spec.label) for spec in (self.model, self.other) if spec is not None]
        return f"[{'-vs-'.join(labels)}]" if labels else ""


class SuiteFile(pytest.File):
    """A file of declared tests; one that cannot be used is a collection error."""

    def collect(self) -> Iterator[pytest.Item]:
        inputs = self.config.stash[KEY]
        try:
            tests = read_suite(self.path, self._lexicon)
        except ValueBiasError as error:
            raise self.CollectError(f"{type(error).__name__}: {error}") from None
        for test in tests:
            for case in cases(test, inputs):
                name = test.name + case.id
                # As a text, which pytest takes apart as it does the ids it reads back for --lf.
                nodeid = f"{self.nodeid}::{name}"
                yield DeclaredItem.from_parent(self, name=name, nodeid=nodeid, test=test, case=case)

    def _lexicon(self, name: str) -> Lexicon | None:
        """The lexicon in force; None for one that only a run with a model may be given."""
        inputs = self.config.stash[KEY]
        if not inputs.models and name not in (*STARTERS, *inputs.lexicon_files):
            return None
        return inputs.lexicon(name)


def cases(test: DeclaredTest, inputs: Inputs) -> list[Case]:
    """The models a test is held against, in an order that is the same in every process."""
    if not inputs.models:
        return [Case(None, missing="this test needs --rm=MODEL, and none was given")]
    return [case for model in inputs.models for case in _cases_of(model, test.against, inputs)]


def _cases_of(model: ModelSpec, against: Against | None, inputs: Inputs) -> list[Case]:
    others: tuple[ModelSpec | None, ...]
    if against is None:
        return [Case(model)]
    if against == "base":
        others = (inputs.bases.get(model.label),)
        missing = f"this test needs the base of {visible(model.label)}: give --base=MODEL"
    elif against == "reference":
        others = inputs.references
        missing = "this test needs --reference=MODEL, and none was given"
    elif inputs.values["update-baseline"]:
        anew = "the baseline is being recorded again, and nothing is compared with it"
        return [Case(model, skipped=anew)]
    elif against == "anchor":
        others = (inputs.anchor,)
        missing = "this test needs --valuebias-baseline=FILE with an anchor, and none was given"
    else:
        others = (inputs.baseline,)
        missing = "this test needs --valuebias-baseline=FILE, and none was given"
    compared = [Case(model, other) for other in others if other is not None]
    return compared or [Case(model, missing=missing)]


class DeclaredItem(pytest.Item):
    """One declared test of one model. What it claims is keyed by ``originalname``."""

    def __init__(self, *, test: DeclaredTest, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.test, self.case = test, case
        self.originalname = test.name
        self.add_marker("valuebias")
        self.inputs = self.config.stash[KEY]
        self.bounds = test.bounds.get(self.inputs.declared_for)
        self.effect: BoundEffect | None = None
        self.untested = case.missing or case.skipped
        if self.untested is None and self.bounds is None:
            self.untested = (
                f"line {test.line}: `{test.demand}` is declared for {', '.join(test.bounds)}, "
                f"not for the profile {self.inputs.declared_for}"
            )
        required = case.missing is not None and self.inputs.values["require-model"]
        if self.untested is not None and not required:
            self.add_marker(pytest.mark.skip(reason=self.untested))

    @property
    def models(self) -> list[ModelSpec]:
        """The models whose scores it reads, the one under test first; none where it is skipped."""
        if self.case.model is None or self.untested is not None:
            return []
        return [self.case.model, *([] if self.case.other is None else [self.case.other])]

    def _against(self) -> Model | None:
        return None if self.case.other is None else self.inputs.model(self.case.other)

    def _initrequest(self) -> None:
        """Back to where it was collected: what pytest-retry calls on a test, which it takes for a
        function, before it sets it up again."""
        self.effect = None

    def setup(self) -> None:
        """Measure, so that a model or lexicon that cannot be used is an error and never looks like
        a value failure."""
        test, case = self.test, self.case
        if self.untested is not None:  # and not skipped by its mark
            pytest.fail(f"{self.untested} (--valuebias-require-model)", pytrace=False)
        from pytest_valuebias.assertions.effects import Bias
        from pytest_valuebias.gate import Gate

        assert case.model is not None
        bias = Bias(case.model, self.inputs, Gate(self, self.inputs))
        # What must not have grown is an effect of the model alone; else their difference is held.
        against = None if test.demand == "no_regression" else self._against()
        self.effect = bias(test.lexicon, *test.sides, valence=test.valence, against=against)

    def runtest(self) -> None:
        assert self.effect is not None
        assert self.bounds is not None
        match self.test.demand:
            case "within":
                self.effect.assert_within(*self.bounds)
            case "top":
                self.effect.top.assert_within(*self.bounds)
            case "above":
                self.effect.assert_above(*self.bounds)
            case "below":
                self.effect.assert_below(*self.bounds)
            case "no_regression":
                self.effect.assert_no_regression(against=self._against(), by=self.bounds[0])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        if isinstance(excinfo.value, ValueBiasError):
            return f"{type(excinfo.value).__name__}: {excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, self.test.line - 1, self.name
