"""Which claim a test makes: the key its share of the error budget and its seed come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_valuebias.collection import claim_of

if TYPE_CHECKING:
    from pytest_valuebias.inputs import State
    from valuebias.declarations.claims import Key


@dataclass(frozen=True)
class Terms:
    """What one claim is tested with: the error it may spend, and the seed of its permutations."""

    key: Key
    alpha: float
    seed: int


def terms(
    item: pytest.Item, state: State, lexicon: str, contrast: str, valence: str, role: str
) -> Terms:
    """A claim's terms, which follow from what is tested and from nothing else.

    What is measured and not asserted needs no share of the budget: `spend` asks for that.
    """
    from valuebias.declarations.claims import ALPHA, Key
    from valuebias.lexicons.lexicon import normal_contrast
    from valuebias.measurement.contrast import seed_for

    shipped = claim_of(item)
    suite = shipped.suite if shipped is not None else item.nodeid.partition("::")[0]
    test = getattr(item, "originalname", None) or item.name
    key = Key(suite, test, lexicon, normal_contrast(contrast), valence, role)
    registry = state.claims
    declared = registry is not None and key in registry.weights
    alpha = registry.alpha(key) if registry is not None and declared else ALPHA
    return Terms(key, alpha, seed_for(state.values["seed"], *key))


def spend(terms: Terms, state: State) -> float:
    """The error that the claim may spend.

    Raises StatisticsError where a registry of claims is in force and does not hold this one.
    """
    return terms.alpha if state.claims is None else state.claims.alpha(terms.key)
