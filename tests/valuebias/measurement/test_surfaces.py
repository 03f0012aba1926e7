"""Words in other forms, of models that are asked by text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import valuebias as vb
from support.scores import write_scores
from support.taste import make
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure
from valuebias.measurement.surfaces import forms

BIG_TWO = starter("big_two")
FEW = Lexicon(
    "few", {side: tuple(BIG_TWO.categories[side])[:24] for side in ("agency", "communion")}
)


def test_a_function_is_asked_of_every_form_too() -> None:
    model = vb.load(make(), name="mine", prompts="paper", quick=True)
    written = forms(model.scorer, FEW)
    # The words are in lower case, so that this form is no other.
    assert set(written) == {"capitalised", "with a full stop"}
    assert written["with a full stop"].responses[0].endswith(".")
    found = measure(
        model.scorer,
        FEW,
        "agency~communion",
        "positive",
        prompts=model.prompts,
        vocabulary=False,
        surfaces=True,
    )
    effect = found.effect
    assert isinstance(effect, vb.stats.Effect)
    assert effect.alternatives is not None
    ways = effect.alternatives.against(effect, -1, 1, 0.9).specifications
    rows = [way for way in ways if way.surface == "with a full stop"]
    in_a = np.isin(FEW.words(), FEW.categories["agency"])
    values = model.score([f"{w}." for w in FEW.words()], model.prompts.of("positive")).values
    alone = vb.stats.single(values, in_a, [FEW.family(w) for w in FEW.words()])
    assert any(row.estimate == pytest.approx(alone.estimate, abs=1e-6) for row in rows)


def test_a_table_has_the_forms_that_were_recorded(tmp_path: Path) -> None:
    table = vb.load(f"scores:{write_scores(tmp_path / 'even.csv')}", cache_dir=tmp_path)
    assert forms(table.scorer, BIG_TWO) == {}
