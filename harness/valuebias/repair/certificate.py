"""The certificate of a repair: JSON for programs, a page for people, and both beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.files import CERTIFICATE, locate
from valuebias.models.loading import load_reward_model
from valuebias.models.repaired import KEY
from valuebias.models.settings import Settings
from valuebias.records.record import plain
from valuebias.repair.checkpoint import staged, write_json, write_model
from valuebias.repair.fit import Key
from valuebias.repair.repair import Repaired
from valuebias.report.repair_page import repair_page
from valuebias.scorers.schemes import parse_spec

PAGE = "valuebias-repair.html"
_CLOSE = {"float32": 1e-3}
_CLOSE_IN_HALF = 0.05
"""A written model's rewards must be those that were judged, to so many standard deviations."""


def certificate(repaired: Repaired) -> dict[str, Any]:
    """What a repair was, what it was judged by and what it cost, in JSON types."""
    order, edit = repaired.order, repaired.fitted.edit
    not_checked = [] if repaired.policy else ["what a policy would say after optimisation"]
    return {
        "format": "pytest-valuebias repair",
        "version": 1,
        "tool": version("pytest-valuebias"),
        "date": datetime.now(UTC).date().isoformat(),
        **plain(
            {
                KEY: [repaired.on.entry()],
                "model": repaired.files,
                "fingerprint": repaired.fingerprint,
                "policy": repaired.policy or None,
                "contrast": order.contrast,
                "lexicon": order.lexicon.name,
                "prompt_set": order.prompts.name,
                "keep": order.keep.name,
                "repaired": not repaired.refused,
                "refused": list(repaired.refused),
                "not_checked": not_checked,
                "edit": {
                    "of": "score.weight",
                    "size": repaired.size,
                    "binding": list(edit.binding),
                    "aims": _by_name(repaired.fitted.aims),
                    "foreseen": _by_name(repaired.fitted.foreseen),
                },
                "halves": {"families": list(repaired.families), "prompts": list(repaired.prompts)},
                "held_out": [asdict(finding) for finding in repaired.target],
                "kept": [asdict(finding) for finding in repaired.besides],
                "price": {"spearman": repaired.spearman},
                "moved": [asdict(each) for each in repaired.moved],
                "shams": [
                    {
                        "shown": all(finding.shown for finding in sham),
                        "after": {finding.name: finding.after for finding in sham},
                    }
                    for sham in repaired.shams
                ],
            }
        ),
    }


def _by_name(values: Mapping[Key, float]) -> dict[str, float]:
    return {f"{what}, {valence} prompts": float(x) for (what, valence), x in values.items()}


def write(repaired: Repaired, out: Path, settings: Settings) -> None:
    """Write the repaired model, its certificate and the page into ``out``, whole or not at all.

    Raises ModelError where the written model does not give the rewards that were judged.
    """
    found = certificate(repaired)
    files = locate(repaired.order.model, settings)
    with staged(out) as folder:
        write_model(folder, files, repaired.linear, repaired.weights, repaired.on)
        write_json(folder / CERTIFICATE, found)
        (folder / PAGE).write_text(repair_page(found), encoding="utf-8")
        _check(repaired, folder, settings)


def _check(repaired: Repaired, folder: Path, settings: Settings) -> None:
    """Read the model as anybody would, and compare its rewards with those that were judged."""
    prompt = repaired.trial.half.prompts.both[0]
    judged = repaired.trial.table(repaired.weights)
    candidates = Candidates.words(judged.responses, "text")
    again = load_reward_model(parse_spec(str(folder)), settings).score_prompt(prompt, candidates)
    values = judged.score([prompt], candidates).values[0]
    apart = again - values
    precision = repaired.linear.model.provenance["dtype"]
    close = _CLOSE.get(precision, _CLOSE_IN_HALF) * float(values.std())
    if (differs := float(np.abs(apart - apart.mean()).max())) > close:
        raise ModelError(
            "the written model does not give the rewards that were judged",
            seen=f"they differ by up to {differs:.2g}, {close:.2g} allowed",
            remedy="Repair the model in float32: --dtype float32.",
        )
