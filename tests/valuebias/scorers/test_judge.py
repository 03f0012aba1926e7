"""Judges as scorers: their specs, and that what they say is kept like any reward."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.judges import planted_judge
from support.models import save_language_model
from valuebias.candidates import VOCABULARY, Candidates
from valuebias.errors import ModelError, SpecError
from valuebias.lexicons.files import starter
from valuebias.measurement.contrast import measure
from valuebias.measurement.instrument import check_instrument
from valuebias.models.settings import Settings
from valuebias.prompts import BALANCED, GREATEST, PAPER_PROMPTS, Prompt
from valuebias.report.public_command import public
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.scores import Job
from valuebias.store.database import Store
from valuebias.store.model_scores import ModelScores

WORDS = Candidates.words(["love", "freedom", "a happy life", "power"])
QUICK = BALANCED.quick
OWN = "mode: expected\ntext: '{question} {answer}'\nratings: {1: 1, 2: 2}\n"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> str:
    return planted_judge(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the store that the tests of the planted judge share."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def bench(folder: Path) -> Iterator[Bench]:
    with Bench(Store(folder / "scores.sqlite"), Settings(device="cpu")) as bench:
        yield bench


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_a_judge_is_a_language_model_and_a_template(template: Path) -> None:
    spec = parse_spec("judge:org/model@v2")
    (model,) = spec.parts
    assert (spec.label, spec.scheme, spec.target) == ("judge:org/model@v2", "judge", "rating")
    assert (model.scheme, model.revision, model.load_as) == ("hub", "v2", "llm")
    assert parse_spec("judge:demo:agency, rating").label == "judge:demo:agency,rating"
    own = parse_spec(f"judge:demo:agency,{template}")
    assert (own.label, own.target) == ("judge:demo:agency,mine.yaml", str(template))
    assert parse_spec(f"ours=judge:demo:agency,{template}").label == "ours"
    shown = public(f"pytest --rm=judge:{template.parent},{template}", [])
    assert shown == f"pytest --rm=judge:{template.parent.name},mine.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("judge:", "a language model and, if wanted, a template"),
        ("judge:demo:agency,", "a language model and, if wanted, a template"),
        ("judge:demo:agency,rating,rating", "if a path contains a comma"),
        ("judge:judge:demo:agency", "must be a language model"),
        ("judge:dpo:org/a", "two language models"),
        ("judge:nowhere", "not an existing directory"),
        ("judge:demo:agency,nothing.yaml", "neither the name of a judge template nor a file"),
        ("judge:demo:agency,WRONG", "mine.yaml, line 1: unknown mode. Seen: mean"),
    ],
)
def test_what_is_no_judge_is_said(text: str, message: str, template: Path) -> None:
    template.write_text(OWN.replace("expected", "mean"), encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        parse_spec(text.replace("WRONG", str(template)))
    assert message in str(refused.value)


def test_a_planted_judge_thinks_what_its_reward_model_does(bench: Bench, planted: str) -> None:
    judge, rewarding = (bench.scorer(parse_spec(spec)) for spec in (planted, "demo:agency"))
    assert (judge.kind, judge.injection, judge.parts) == ("reward", "text", ())
    found, given = (each.score(PAPER_PROMPTS[:2], WORDS) for each in (judge, rewarding))
    np.testing.assert_allclose(found.values, 2 * given.values, atol=1e-5)
    about = found.provenance
    assert (about["model"], about["injection"]) == ("judge:planted,of_rewards.yaml", "text")
    assert about["fingerprint"] == judge.fingerprint != rewarding.fingerprint
    assert about["template"] == "raw judge"
    assert float(about["rating_mass"]) > 0.99
    assert judge.token_counts(WORDS.responses) == rewarding.token_counts(WORDS.responses)
    tokens = judge.score([GREATEST], VOCABULARY)
    assert tokens.candidates.token_ids == rewarding.vocabulary().token_ids
    own = rewarding.score([GREATEST], VOCABULARY)
    np.testing.assert_allclose(tokens.values, 2 * own.values, atol=1e-5)


def test_its_verdicts_are_those_of_its_reward_model(bench: Bench, planted: str) -> None:
    """Ranks alone decide, so the judge's effects are its reward model's."""
    lexicon = starter("big_two")
    judge, rewarding = (bench.scorer(parse_spec(spec)) for spec in (planted, "demo:agency"))
    effects = [
        measure(
            each, lexicon, "agency~communion", "positive", prompts=QUICK, vocabulary=False
        ).effect
        for each in (judge, rewarding)
    ]
    assert effects[0].estimate == pytest.approx(effects[1].estimate, abs=1e-4)
    assert effects[0].estimate > 0.5
    checked, own = (check_instrument(each, lexicon, prompts=QUICK) for each in (judge, rewarding))
    assert checked.required
    assert [c.key for c in checked.checks if c.missed] == []
    for mine, theirs in zip(checked.checks, own.checks, strict=True):
        assert (mine.estimate, mine.low) == pytest.approx((theirs.estimate, theirs.low), abs=1e-3)


def test_it_is_loaded_once_and_then_read_from_the_store(bench: Bench, planted: str) -> None:
    judge = bench.scorer(parse_spec(planted))
    words = Candidates.words(["mercy", "wound"])
    judge.prepare([Job((GREATEST,), words), Job((GREATEST, PAPER_PROMPTS[1]), words)])
    loads = bench.store.loads(judge.fingerprint)
    again = Bench(bench.store, Settings(device="cpu")).scorer(parse_spec(f"other={planted}"))
    twice = again.score([GREATEST], words)
    assert bench.store.loads(judge.fingerprint) == loads
    assert twice.provenance["model"] == "other"
    assert twice.values.tobytes() == judge.score([GREATEST], words).values.tobytes()
    assert again.left_out([GREATEST], words) is None


def test_one_that_gives_no_ratings_is_told_once(bench: Bench, tmp_path: Path) -> None:
    path = save_language_model(tmp_path / "random", max_position_embeddings=512)
    judge = bench.scorer(parse_spec(f"judge:{path}"))
    for prompt in (GREATEST, Prompt("own", "What matters?")):
        with pytest.raises(ModelError, match="judge:random does not answer with a rating") as said:
            judge.score([prompt], WORDS)
    assert "must be at least .500" in str(said.value)
    assert len(bench.store.loads(judge.fingerprint)) == 1
    missing = ModelScores(bench.store, judge.fingerprint).missing(Job((GREATEST,), WORDS), WORDS)
    assert not missing[GREATEST].any()
