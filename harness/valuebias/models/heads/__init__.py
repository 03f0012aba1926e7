"""Head families: how each convention of reward models turns hidden states into a reward.

A family is any object with a ``name``, ``claims(checkpoint)`` and ``load(checkpoint, placement)``
(see HeadFamily). A third party adds one by an entry point of its package::

    [project.entry-points."valuebias.heads"]
    my-head = "my_package.heads:MyFamily"

which names a HeadFamily, or a class whose call without arguments gives one. Third parties are asked
before the families below. A config.json can also settle it: ``"valuebias_head": "first-logit"``
names the family outright.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Protocol, cast

from valuebias.errors import ModelError
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.fingerprint import HEADS
from valuebias.models.heads.first_logit import FirstLogitFamily
from valuebias.models.heads.gated import ArmoFamily, QuantileFamily
from valuebias.models.heads.normal import NormalFamily
from valuebias.models.heads.score import ScoreFamily
from valuebias.models.heads.value import ValueFamily
from valuebias.search.head import Head


class HeadFamily(Protocol):
    """One convention: which checkpoints follow it, and how they are loaded."""

    @property
    def name(self) -> str:
        """The name reports show, and that config.json's ``valuebias_head`` may give."""

    def claims(self, checkpoint: Checkpoint) -> bool:
        """True if the checkpoint's config and tensors show that it follows this convention."""

    def load(self, checkpoint: Checkpoint, placement: Placement) -> Head:
        """Load it, in eval mode. Raises ModelError where a weight of the head is missing."""


BUILT_IN: tuple[HeadFamily, ...] = (
    QuantileFamily(),
    ArmoFamily(),
    NormalFamily(),
    ValueFamily(),
    FirstLogitFamily(),
    ScoreFamily(),  # last: it claims every other checkpoint
)


def third_party() -> Iterator[HeadFamily]:
    """The families installed packages add. Raises ModelError on one that cannot be imported."""
    for entry in entry_points(group=HEADS):
        try:
            family = entry.load()
            if isinstance(family, type):
                family = family()
        except Exception as error:
            raise ModelError(
                f"the head family {entry.name!r} of an installed package cannot be imported",
                seen=f"{entry.value}: {error}",
                remedy="Fix or uninstall that package.",
            ) from error
        yield cast(HeadFamily, family)


def find(checkpoint: Checkpoint) -> HeadFamily:
    """The family of a checkpoint: the one its config names, else the first that claims it.

    Raises ModelError where the config names an unknown one, or two third parties claim it.
    """
    added = tuple(third_party())
    named = checkpoint.config.get("valuebias_head")
    if named is not None:
        for family in (*added, *BUILT_IN):
            if family.name == named:
                return family
        known = ", ".join(family.name for family in (*added, *BUILT_IN))
        raise ModelError(
            "unknown head family in the config's valuebias_head",
            seen=named,
            remedy=f"Use one of: {known}.",
        )
    claiming = [family for family in added if family.claims(checkpoint)]
    if len(claiming) > 1:
        raise ModelError(
            "two installed packages claim this model's head",
            seen=", ".join(family.name for family in claiming),
            remedy='Name one in its config.json, as in "valuebias_head": "…".',
        )
    if claiming:
        return claiming[0]
    return next(family for family in BUILT_IN if family.claims(checkpoint))
