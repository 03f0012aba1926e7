"""Watching values in training: what it says is true, and it changes nothing."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure
from valuebias.models.settings import Settings
from valuebias.prompts import PAPER, Valence
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store
from valuebias.training import Recipe, train
from valuebias.training.watch import ValueWatch

LEXICON = Lexicon(
    "big_two",
    {
        "agency": tuple(f"power{chr(97 + i)}" for i in range(24)),
        "communion": tuple(f"love{chr(97 + i)}" for i in range(24)),
    },
)
LINE = re.compile(
    r"step (\d+): agency~communion \(big_two\): positive (\S+) \[.*\]; negative (\S+) \["
)


def test_it_says_what_the_checkpoint_prefers_and_changes_nothing(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = replace(recipe, epochs=1, initial_checkpoint=True)
    caplog.set_level(logging.INFO, "valuebias.training")
    unseen = train(recipe, tmp_path / "unseen")
    assert not LINE.search(caplog.text)
    watched = train(recipe, tmp_path / "watched", callbacks=[ValueWatch([LEXICON])])
    told = {int(step): (p, n) for step, p, n in LINE.findall(caplog.text)}
    assert list(told) == [c.step for c in watched.checkpoints] == [0, 3, 5]

    with Bench(Store(tmp_path / "scores.sqlite"), Settings(device="cpu")) as bench:
        for checkpoint in watched.checkpoints[1:]:
            spec = parse_spec(str(checkpoint.path))
            valences: tuple[Valence, ...] = ("positive", "negative")
            for valence, said in zip(valences, told[checkpoint.step], strict=True):
                found = measure(
                    bench.scorer(spec), LEXICON, "agency~communion", valence, prompts=PAPER.quick
                )
                assert float(said) == pytest.approx(found.effect.estimate, abs=2e-3)
    for a, b in zip(unseen.checkpoints, watched.checkpoints, strict=True):
        first, second = (load_file(c.path / "adapter_model.safetensors") for c in (a, b))
        assert all((first[name] == second[name]).all() for name in first)


def test_what_cannot_be_watched_stops_no_run(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = Lexicon("big_two", {"agency": ("power",), "communion": ("love",)})
    run = train(replace(recipe, epochs=1), tmp_path / "run", callbacks=[ValueWatch([few])])
    assert run.finished
    assert "values could not be measured" in caplog.text
