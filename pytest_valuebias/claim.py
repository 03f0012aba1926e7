"""What a shipped test claims, and what any claim is tested with: its level and its seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import pytest

from pytest_valuebias.inputs import Inputs
from valuebias.prompts import Valence
from valuebias.questions import QUESTIONS, WORDS, Declared, titled
from valuebias.training.checkpoints import TrainingRun, side_by_side
from valuebias_suites import ANSWERS, AT_TOP, CONTRASTS, LEXICONS, RANKS, TESTS

if TYPE_CHECKING:
    from valuebias.declarations.claims import Key
    from valuebias.lexicons.ratings import Ratings
    from valuebias.models.spec import ModelSpec

    Subject = ModelSpec | TrainingRun


@dataclass(frozen=True)
class Claim:
    """One shipped test: this contrast of this model stays inside its margin.

    ``asked`` is how many claims the suite's like make about the same model, selected or not.
    """

    suite: str
    role: Declared
    lexicon: str
    contrast: str
    valence: Valence
    model: Subject
    reference: Subject | Ratings | None = None
    asked: int = 0

    @property
    def id(self) -> str:
        models = self.model.label
        if self.reference is not None:
            models += f"-vs-{self.reference.label}"
        return f"{self.lexicon}-{self.contrast}-{self.valence}-{models}"

    @property
    def kind(self) -> str:
        """What the model under test is, if it is not a reward model."""
        return QUESTIONS[self.role].kind

    @property
    def title(self) -> str:
        """The title of its subject in reports."""
        reference = None if self.reference is None else self.reference.label
        return titled(QUESTIONS[self.role], self.kind, self.model.label, reference)


def check_selection(inputs: Inputs) -> None:
    """Raise pytest.UsageError on a shipped id, named on the command line, that does not exist."""
    known = [
        f"valuebias/test_{claim.suite}.py::{test}[{claim.id}]" for test, claim in shipped(inputs)
    ]
    known += [f"valuebias/test_{RANKS[0]}.py::{RANKS[1]}[{r.label}]" for r in inputs.category_ranks]
    for wanted in inputs.selection:
        if not any(within(nodeid, wanted) for nodeid in known):
            raise pytest.UsageError(
                f"no shipped test has the id {wanted}. List the ids with --collect-only"
            )


def shipped(inputs: Inputs) -> Iterator[tuple[str, Claim]]:
    """Every test of the suites in force, whatever is selected: its function and its claim."""
    for suite in inputs.values["suite"]:
        for test, role in TESTS[suite].items():
            for claim in claims(suite, role, inputs):
                yield test, claim


def within(nodeid: str, wanted: str) -> bool:
    wanted = wanted.rstrip("/")
    return nodeid == wanted or nodeid.startswith((f"{wanted}/", f"{wanted}::", f"{wanted}["))


def claim_of(item: pytest.Item) -> Claim | None:
    """The claim a shipped test is about; None for any other item."""
    callspec = getattr(item, "callspec", None)
    claim = callspec.params.get("_valuebias_claim") if callspec is not None else None
    return claim if isinstance(claim, Claim) else None


def claims(suite: str, role: Declared, inputs: Inputs) -> list[Claim]:
    """The claims of one suite, in an order that is the same in every process."""
    n = asked(role, inputs)
    return [
        Claim(suite, role, *case, model, reference, n)
        for (model, reference), case in product(
            _subjects(role, inputs), list(_cases(suite, role, inputs))
        )
    ]


def asked(role: Declared, inputs: Inputs) -> int:
    """How many claims of this role the suites in force make about one model."""
    suites = (suite for suite in inputs.values["suite"] if role in TESTS[suite].values())
    return sum(len(list(_cases(suite, role, inputs))) for suite in suites)


def _cases(suite: str, role: Declared, inputs: Inputs) -> Iterator[tuple[str, str, Valence]]:
    """The lexicon, contrast and valence of each claim of a role."""
    for lexicon in LEXICONS[suite]:
        contrasts = (WORDS,) if QUESTIONS[role].all_words else {**CONTRASTS, **ANSWERS}[lexicon]
        for contrast, valence in product(contrasts, QUESTIONS[role].valences):
            if role != "top" or _at_top(lexicon, contrast, valence, inputs):
                yield lexicon, contrast, valence


def _at_top(lexicon: str, contrast: str, valence: Valence, inputs: Inputs) -> bool:
    """Whether the top share is asked: where a margin is declared for it."""
    own = lexicon in inputs.lexicon_files
    if not own and (lexicon in AT_TOP or not inputs.values["margins"]):
        return lexicon in AT_TOP  # as the shipped margins have it, which need not be read
    return inputs.declared(inputs.lexicon(lexicon), contrast, valence, "top") is not None


def _subjects(role: Declared, inputs: Inputs) -> Sequence[tuple[Subject, Subject | Ratings | None]]:
    """What a role's claims are about, with what it is compared with."""
    question = QUESTIONS[role]
    given: Mapping[str, Sequence[Subject]] = {
        "": inputs.models,
        "language model": inputs.language_models,
        "implicit reward": inputs.pairs,
        "training run": inputs.runs,
    }
    models = given[question.kind]
    match question.beside:
        case "reference":
            return list(product(models, inputs.compared))
        case "anchor":
            return [] if inputs.anchor is None else [(m, inputs.anchor) for m in models]
        case "base":
            based = (model for model in models if model.label in inputs.bases)
            return [(model, inputs.bases[model.label]) for model in based]
        case "policy":
            return list(product(models, inputs.policies))
        case "people":
            return list(product(models, inputs.people))
        case "other run":
            return side_by_side(inputs.runs)
        case _:
            return [(model, None) for model in models]


@dataclass(frozen=True)
class Terms:
    """What one claim is tested with: the error it may spend, and the seed of its permutations."""

    key: Key
    alpha: float
    seed: int


def terms(
    item: pytest.Item, inputs: Inputs, lexicon: str, contrast: str, valence: str, role: str
) -> Terms:
    """A claim's terms, which depend only on what is tested.

    What is measured and not asserted needs no share of the budget: `alpha_for` asks for that.
    """
    from valuebias.declarations.claims import ALPHA, Key
    from valuebias.lexicons.lexicon import normal_contrast
    from valuebias.measurement.contrast import seed_for

    shipped = claim_of(item)
    suite = shipped.suite if shipped is not None else item.nodeid.partition("::")[0]
    test = getattr(item, "originalname", None) or item.name
    key = Key(suite, test, lexicon, normal_contrast(contrast), valence, role)
    registry = inputs.claims
    declared = registry is not None and key in registry.weights
    alpha = registry.alpha(key) if registry is not None and declared else ALPHA
    return Terms(key, alpha, seed_for(inputs.values["seed"], *key))


def alpha_for(terms: Terms, inputs: Inputs) -> float:
    """The error that the claim may spend.

    Raises StatisticsError if there is a registry of claims and this one is not in it.
    """
    return terms.alpha if inputs.claims is None else inputs.claims.alpha(terms.key)
