"""Adds the shipped suites, under node ids that are the same in every directory."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import pytest

from pytest_valuebias.inputs import KEY, State
from pytest_valuebias.yaml_tests import DeclaredItem
from valuebias.prompts import VALENCES, Valence
from valuebias.questions import QUESTIONS, WORDS, Declared, titled
from valuebias.training.checkpoints import TrainingRun, side_by_side
from valuebias_suites import CONTRASTS, LEXICONS, TESTS

if TYPE_CHECKING:
    from valuebias.models.spec import ModelSpec
    from valuebias.scorers.protocol import Scorer
    from valuebias.scores import Job

    Subject = ModelSpec | TrainingRun


@dataclass(frozen=True)
class Claim:
    """One shipped test: this contrast of this model stays inside its declared margin.

    ``asked`` is how many claims the suite's like make about the same model, selected or not.
    """

    suite: str
    role: Declared
    lexicon: str
    contrast: str
    valence: Valence
    model: Subject
    reference: Subject | None = None
    asked: int = 0

    @property
    def id(self) -> str:
        models = self.model.label
        if self.reference is not None:
            models += f"-vs-{self.reference.label}"
        return f"{self.lexicon}-{self.contrast}-{self.valence}-{models}"

    @property
    def kind(self) -> str:
        """What the model under test is, where it is no reward model."""
        return QUESTIONS[self.role].kind

    @property
    def title(self) -> str:
        """What reports call its subject."""
        reference = None if self.reference is None else self.reference.label
        return titled(QUESTIONS[self.role], self.kind, self.model.label, reference)


class _Suites(pytest.Collector):
    """The virtual directory the shipped suites appear under."""

    def collect(self) -> Iterator[pytest.Collector]:
        for name in self.config.stash[_KEY]:
            module = importlib.import_module(f"valuebias_suites.test_{name}")
            yield _Suite.from_parent(
                self,
                path=Path(cast(str, module.__file__)),
                name=f"test_{name}.py",
                nodeid=f"valuebias/test_{name}.py",
            )


class _Suite(pytest.Module):
    """A shipped suite: an ordinary test module whose node id does not depend on where it lies."""

    def _getobj(self) -> ModuleType:
        return importlib.import_module(f"valuebias_suites.{self.path.stem}")

    def funcnamefilter(self, name: str) -> bool:
        # Whatever the user's python_functions says; and no test that has nothing to ask about.
        suite = self.path.stem.removeprefix("test_")
        role = TESTS[suite].get(name)
        return role is not None and bool(claims(suite, role, self.config.stash[KEY]))


_KEY = pytest.StashKey[Sequence[str]]()


def shipped_items(session: pytest.Session, state: State) -> list[pytest.Item]:
    """The items of the suites in force, collected like any others."""
    suites = [
        s for s in state.values["suite"] if any(claims(s, r, state) for r in TESTS[s].values())
    ]
    session.config.stash[_KEY] = suites
    if not suites:
        return []
    # --lf leaves out whole files without a failure, known by their paths; ours have none, and are
    # chosen from by their ids like any others.
    if session.config.pluginmanager.hasplugin("lfplugin-collskip"):
        session.config.pluginmanager.unregister(name="lfplugin-collskip")
    root = _Suites.from_parent(session, name="valuebias", nodeid="valuebias")
    items = list(session.genitems(root))
    if not state.selection:
        return items
    return [i for i in items if any(_within(i.nodeid, wanted) for wanted in state.selection)]


def check_selection(state: State) -> None:
    """Raise pytest.UsageError on a shipped id, named on the command line, that does not exist."""
    known = [
        f"valuebias/test_{claim.suite}.py::{test}[{claim.id}]" for test, claim in shipped(state)
    ]
    for wanted in state.selection:
        if not any(_within(nodeid, wanted) for nodeid in known):
            raise pytest.UsageError(f"no shipped test has the id {wanted}; see --collect-only")


def shipped(state: State) -> Iterator[tuple[str, Claim]]:
    """Every test of the suites in force, whatever is selected: its function and its claim."""
    for suite in state.values["suite"]:
        for test, role in TESTS[suite].items():
            for claim in claims(suite, role, state):
                yield test, claim


def _within(nodeid: str, wanted: str) -> bool:
    wanted = wanted.rstrip("/")
    return nodeid == wanted or nodeid.startswith((f"{wanted}/", f"{wanted}::", f"{wanted}["))


def claim_of(item: pytest.Item) -> Claim | None:
    """The claim a shipped test is about; None for any other item."""
    callspec = getattr(item, "callspec", None)
    claim = callspec.params.get("valuebias_claim") if callspec is not None else None
    return claim if isinstance(claim, Claim) else None


def claims(suite: str, role: Declared, state: State) -> list[Claim]:
    """The claims of one suite, in an order that is the same in every process."""
    contrasts = [
        (lexicon, contrast) for lexicon in LEXICONS[suite] for contrast in _contrasts(role, lexicon)
    ]
    return [
        Claim(suite, role, lexicon, contrast, valence, model, reference, asked(role, state))
        for (model, reference), (lexicon, contrast), valence in product(
            _subjects(role, state), contrasts, VALENCES
        )
    ]


def asked(role: Declared, state: State) -> int:
    """How many claims of this role the suites in force make about one model."""
    lexicons = (
        lexicon
        for suite in state.values["suite"]
        if role in TESTS[suite].values()
        for lexicon in LEXICONS[suite]
    )
    return sum(len(_contrasts(role, lexicon)) for lexicon in lexicons) * len(VALENCES)


def _contrasts(role: Declared, lexicon: str) -> tuple[str, ...]:
    return (WORDS,) if QUESTIONS[role].all_words else CONTRASTS[lexicon]


def _subjects(role: Declared, state: State) -> Sequence[tuple[Subject, Subject | None]]:
    """What a role's claims are about, with what it is compared with."""
    question = QUESTIONS[role]
    given: Mapping[str, Sequence[Subject]] = {
        "": state.models,
        "language model": state.language_models,
        "implicit reward": state.pairs,
        "training run": state.runs,
    }
    models = given[question.kind]
    match question.beside:
        case "reference":
            return list(product(models, state.compared))
        case "base":
            based = (model for model in models if model.label in state.bases)
            return [(model, state.bases[model.label]) for model in based]
        case "other run":
            return side_by_side(state.runs)
        case _:
            return [(model, None) for model in models]


def parametrize(metafunc: pytest.Metafunc, state: State) -> None:
    """Give our own fixtures their values; a user's fixture of another name is never touched."""
    names = metafunc.fixturenames
    if "valuebias_claim" in names:
        suite = getattr(metafunc.module, "VALUEBIAS_SUITE", None)
        role = TESTS.get(suite or "", {}).get(metafunc.function.__name__)
        if suite is None or role is None:
            raise pytest.UsageError(
                f"{metafunc.definition.nodeid} uses valuebias_claim, which belongs to the shipped "
                "suites. Write your own assertion with the bias fixture."
            )
        cases = claims(suite, role, state)
        metafunc.parametrize(
            "valuebias_claim", cases, indirect=True, ids=[c.id for c in cases], scope="function"
        )
    for fixture, specs in (
        ("valuebias_rm", state.models),
        ("valuebias_reference", state.references),
        ("valuebias_llm", state.language_models),
        ("valuebias_pair", state.pairs),
        ("valuebias_run", state.runs),
    ):
        if fixture in names and specs:
            metafunc.parametrize(
                fixture, specs, indirect=True, ids=[s.label for s in specs], scope="session"
            )


def prepare(items: Sequence[pytest.Item], state: State) -> None:
    """Score what the selected shipped and declared tests will read, each model in one go.

    Whatever goes wrong is kept by the bench and raised where a test asks for the scores.
    """
    from valuebias.errors import ValueBiasError
    from valuebias.measurement import contrast

    # Of each model, whether it is under test (its vocabulary is read too), and the lexicons read.
    under_test: dict[ModelSpec, bool] = {}
    lexicons: dict[ModelSpec, dict[str, None]] = {}
    for item in items:
        name, models = _reads(item)
        for spec, vocabulary in models:
            under_test[spec] = under_test.get(spec, False) or vocabulary
            lexicons.setdefault(spec, {})[name] = None
    shown = _shown_besides(items, state)
    for spec, vocabulary in under_test.items():
        try:
            scorer = state.bench.scorer(spec)
            # All that was selected, not only this process's share: whoever loads the model first
            # leaves nothing to do for the other workers.
            contrast.prepare(
                scorer,
                [state.lexicon(name) for name in lexicons[spec]],
                quick=state.quick,
                vocabulary=vocabulary,
                besides=shown(scorer, vocabulary),
            )
        except ValueBiasError:
            continue
    state.bench.release()  # the tests read from the store; nothing needs the model's memory now


def _shown_besides(
    items: Sequence[pytest.Item], state: State
) -> Callable[[Scorer, bool], list[Job]]:
    """What reports show of a model besides what its tests read."""
    from valuebias.measurement.pair_matrix import pair_words
    from valuebias.measurement.paper import WHOLE_VOCABULARY
    from valuebias.prompts import GREATEST
    from valuebias.scores import Job

    words = None
    if any((claim := claim_of(item)) and claim.kind == "implicit reward" for item in items):
        lexicons = [state.lexicon(name) for name in state.lexicon_names]
        words = pair_words(state.values["matrix"], lexicons)

    def jobs(scorer: Scorer, vocabulary: bool) -> list[Job]:
        if vocabulary and scorer.kind != "language" and state.values["profile"] == "paper":
            return [WHOLE_VOCABULARY] if scorer.has_vocabulary else []
        spoken = scorer.kind != "reward"
        return [Job((GREATEST,), words)] if words is not None and spoken else []

    return jobs


def _reads(item: pytest.Item) -> tuple[str, list[tuple[ModelSpec, bool]]]:
    """The lexicon and the models that a test is known to read; of which also the vocabulary."""
    if isinstance(item, DeclaredItem):
        return item.test.lexicon, [(spec, place == 0) for place, spec in enumerate(item.models)]
    claim = claim_of(item)
    if claim is None:
        return "", []
    found: list[tuple[ModelSpec, bool]] = []
    for subject in (claim.model, claim.reference):
        if isinstance(subject, TrainingRun):
            ends = (subject.models[0], subject.models[-1])
            found += [(spec, spec in ends) for spec in subject.models]
    if QUESTIONS[claim.role].beside == "base":  # its own is compared with the others
        found += [(base, False) for base in item.config.stash[KEY].bases.values()]
    elif claim.reference is not None and not isinstance(claim.reference, TrainingRun):
        found.append((claim.reference, False))
    if not isinstance(claim.model, TrainingRun):
        found.append((claim.model, True))
    return claim.lexicon, found
