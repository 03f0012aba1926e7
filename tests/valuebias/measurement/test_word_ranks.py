"""Ranks of a lexicon's words: from 1, the most preferred."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.scores import write_scores
from valuebias.errors import LexiconError
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure
from valuebias.measurement.word_ranks import word_ranks
from valuebias.models.settings import Settings
from valuebias.prompts import PAPER, PAPER_PROMPTS
from valuebias.scorers.bench import Bench
from valuebias.scorers.recorded import RecordedScores
from valuebias.scorers.schemes import parse_spec
from valuebias.stats.paper.ranks import median_ranks
from valuebias.store.database import Store


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(Store(tmp_path / "scores.sqlite"), Settings()) as bench:
        yield bench


def test_the_most_preferred_word_is_the_first(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    header = ",".join(["response", *(p.id for p in PAPER_PROMPTS)])
    rows = {"power": [3.0] * 54, "love": [2.0] * 27 + [5.0] * 27, "help": [2.0] * 54}
    lines = [",".join([word, *map(str, values)]) for word, values in rows.items()]
    path.write_text("\n".join([header, *lines]))
    lexicon = Lexicon("few", {"agency": ("power",), "communion": ("love", "help")})
    found = word_ranks(bench.scorer(parse_spec(f"scores:{path}")), lexicon)
    by_word = dict(zip(found.words, found.values.T.tolist(), strict=True))
    assert by_word == {
        "power": [1.0] * 27 + [2.0] * 27,
        "love": [2.5] * 27 + [1.0] * 27,  # ties share their ranks' mean
        "help": [2.5] * 27 + [3.0] * 27,
    }
    assert list(found.members) == ["agency", "communion"]
    assert found.medians.tolist() == [[1.0, 2.5]] * 27 + [[2.0, 2.0]] * 27
    assert dict(zip(found.words, found.mean("negative"), strict=True))["love"] == 1.0


def test_medians_are_those_of_the_papers_tests(bench: Bench, tmp_path: Path) -> None:
    path = write_scores(tmp_path / "a.csv", shift=0.8, lexicons=("big_two",), control=None)
    spec, lexicon = parse_spec(f"scores:{path}"), starter("big_two")
    found = word_ranks(bench.scorer(spec), lexicon)
    recorded = RecordedScores.from_file(path)
    agency = set(lexicon.categories["agency"])
    apart = median_ranks(
        {"a": recorded.score(PAPER_PROMPTS, recorded.recorded.candidates).values},
        {},
        ["agency" if word in agency else "communion" for word in recorded.responses],
        [p.valence for p in PAPER_PROMPTS if p.valence],
    )
    assert found.medians == pytest.approx(apart.values[0])


def test_the_effect_is_the_difference_of_mean_ranks(bench: Bench, tmp_path: Path) -> None:
    path = write_scores(tmp_path / "a.csv", shift=0.8, lexicons=("big_two",), control=None)
    spec, lexicon = parse_spec(f"scores:{path}"), starter("big_two")
    found = word_ranks(bench.scorer(spec), lexicon)
    mean = found.mean("positive")
    a, b = (mean[found.members[name]].mean() for name in ("agency", "communion"))
    effect = measure(bench.scorer(spec), lexicon, "agency~communion", "positive").effect
    # Every spelling counts alike in ranks; in the estimate itself every family does.
    assert effect.by_spelling == pytest.approx(2 * (b - a) / len(found.words), abs=1e-9)
    assert effect.by_spelling != effect.estimate


def test_quick_asks_fewer_prompts_and_wildcards_stand_for_words(
    bench: Bench, tmp_path: Path
) -> None:
    path = write_scores(tmp_path / "a.csv", lexicons=("big_two",), control=None)
    spec = parse_spec(f"scores:{path}")
    lexicon = Lexicon("wild", {"free": ("free*",), "other": ("love", "help")})
    found = word_ranks(bench.scorer(spec), lexicon, prompts=PAPER.quick)
    assert found.values.shape == (12, len(found.words))
    assert {w for w in found.words if w.startswith("free")} == {
        found.words[i] for i in found.members["free"]
    }
    assert set(np.array(found.families)[found.members["free"]]) == {"free*"}


def test_too_little_coverage_is_an_error(bench: Bench, tmp_path: Path) -> None:
    path = write_scores(tmp_path / "a.csv", lexicons=("big_two",), control=None)
    with pytest.raises(LexiconError, match="were scored"):
        word_ranks(bench.scorer(parse_spec(f"scores:{path}")), starter("mfd2"))
