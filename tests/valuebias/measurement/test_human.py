"""Agreement with people, and the same contrast in them: over the words that both have."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

import valuebias as vb
from support.scores import write_ratings, write_scores
from valuebias.errors import StatisticsError
from valuebias.lexicons.files import load_lexicon
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.ratings import Ratings, load_ratings
from valuebias.measurement.human import measure_human
from valuebias.model import Model
from valuebias.prompts import PAPER
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats.rated import rated

SIDES = ("big_two", "agency", "communion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("human")
    write_scores(folder / "rewards.csv", shift=1.0)
    write_ratings(folder / "people.csv", like=0, shift=1.0)
    write_ratings(folder / "some.csv", like=0, share=0.3)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return vb.load(f"scores:{folder / 'rewards.csv'}", cache_dir=folder)


def test_agreement_is_of_the_rated_words_on_one_valence(model: Model, folder: Path) -> None:
    some = load_ratings(str(folder / "some.csv"))
    found = model.agreement(some, "big_two")
    lexicon = model.find("big_two")
    words = [word for word in lexicon.words() if not np.isnan(some(word))]
    assert 60 < len(words) < 130
    scores = model.score(words, [p.id for p in PAPER.of("positive")])
    taus = [kendalltau(row, [some(word) for word in words]).statistic for row in scores.values]
    assert found.effect.by_spelling == pytest.approx(np.mean(taus), abs=1e-9)
    assert found.effect.n_words == (len(words),)
    assert found.effect.n_families == (len({lexicon.family(word) for word in words}),)
    assert found.effect.n_prompts == 27
    measured = found.measurement
    assert measured.role == "human"
    assert (measured.reference, measured.reference_fingerprint) == ("some.csv", some.fingerprint)
    assert measured.coverage == pytest.approx(len(words) / len(lexicon.words()))
    assert f"{len(words)} of {len(lexicon.words())} words are rated in some.csv" in measured.detail
    assert measured.title == "rewards.csv and people (some.csv)"
    assert found.judge(0.1, 1.0).outcome == "PASS"
    assert "rewards.csv and people (some.csv)" in found._repr_html_()
    asked = model.agreement(str(folder / "some.csv"), "big_two", valence="negative")
    assert asked.effect.n_prompts == 27


def test_without_a_lexicon_it_is_of_all_that_was_rated(model: Model, folder: Path) -> None:
    rows = (folder / "some.csv").read_text("utf-8").splitlines()[:41]
    (folder / "forty.csv").write_text("\n".join(rows).lower() + "\n", "utf-8")
    found = model.agreement(str(folder / "forty.csv"))
    assert found.effect.n_words == (40,)
    assert found.measurement.lexicon.name == "forty.csv"
    assert found.measurement.coverage == 1


def test_words_that_people_rate_in_several_spellings_are_left_out(folder: Path) -> None:
    scorer = RecordedScores.from_file(folder / "rewards.csv")
    people = load_ratings(str(folder / "people.csv"))
    lexicon = Lexicon("own", {"a": ("freedom", "power", "love", *list(people.values)[:40])})
    twice = Ratings("twice", "twice", "twice.csv", {**people.values, "FREEDOM": 1.0})
    found = measure_human(scorer, twice, lexicon, "positive")
    assert "left out, rated in several spellings: freedom" in found.detail
    nobody = Ratings("nobody", "nobody", "nobody.csv", {"zebra": 1.0})
    with pytest.raises(StatisticsError, match=r"none of the .* words is rated in nobody\.csv"):
        measure_human(scorer, nobody, lexicon, "positive")


def test_the_same_contrast_is_over_the_same_words(model: Model, folder: Path) -> None:
    some = load_ratings(str(folder / "some.csv"))
    effect = model.contrast(*SIDES, valence="positive", people=[some])
    (people,) = effect.measurement.in_people
    assert people.found is not None
    lexicon = model.find("big_two")
    kept = {
        side: [w for w in lexicon.categories[side] if not np.isnan(some(w))] for side in SIDES[1:]
    }
    assert people.rated == tuple(map(len, kept.values()))
    assert people.entries == (165, 157)
    values = np.array([some(w) for words in kept.values() for w in words])
    in_a = np.array([side == "agency" for side, words in kept.items() for _ in words])
    families = [lexicon.family(w) for words in kept.values() for w in words]
    assert people.found.people.estimate == pytest.approx(rated(values, in_a, families).estimate)
    categories = {side: tuple(words) for side, words in kept.items()}
    only = Lexicon("kept", categories, families=lexicon.families)
    alone = model.contrast(only, *SIDES[1:], valence="positive")
    assert people.found.scorer.estimate == pytest.approx(alone.estimate)
    assert effect.estimate != alone.estimate  # of all words, which is not comparable
    for question in ({"valence": "negative"}, {"valence": "positive-negative"}):
        asked = model.contrast(*SIDES, people=[some], **question)  # type: ignore[arg-type]
        assert asked.measurement.in_people == ()


def test_a_rating_is_a_covariate_over_the_rated_words(model: Model, folder: Path) -> None:
    people = load_ratings(str(folder / "people.csv"))
    plain = model.contrast(*SIDES, valence="positive")
    held = model.contrast(*SIDES, valence="positive", covariates={"liked": people})
    assert held.effect.n_words == plain.effect.n_words
    assert 0 < held.estimate < plain.estimate  # people like agency too
    some = load_ratings(str(folder / "some.csv"))
    fewer = model.contrast(*SIDES, valence="positive", covariates={"liked": some})
    assert fewer.measurement.coverage < 0.4
    assert sum(fewer.effect.n_words) == sum(
        not np.isnan(some(word)) for word in model.find("big_two").words()
    )


@pytest.mark.skipif(
    not (os.environ.get("VALUEBIAS_TEST_DATA") and os.environ.get("VALUEBIAS_PUBLISHED_DATA")),
    reason="needs VALUEBIAS_TEST_DATA and VALUEBIAS_PUBLISHED_DATA",
)
def test_eloeverything_and_ten_reward_models_on_the_same_nouns(tmp_path: Path) -> None:
    elo = Path(os.environ["VALUEBIAS_TEST_DATA"], "human", "eloeverything.csv")
    data = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"], "data")
    nouns = data / "corpora" / "dict_big2_nouns.csv"
    lexicon = load_lexicon("big_two", nouns)
    words = [(w, side == "agency") for side, ws in lexicon.categories.items() for w in ws]

    def effect(column: str) -> tuple[float | None, float, tuple[int, ...]]:
        """That of a column of the file as if it were ratings; the models' are of one prompt."""
        given = load_ratings(f"{elo}:word=name,{column}")
        kept = [(w, in_a) for w, in_a in words if not np.isnan(given(w))]
        found = rated(
            np.array([given(w) for w, _ in kept]),
            np.array([in_a for _, in_a in kept]),
            [lexicon.family(w) for w, _ in kept],
        )
        return found.by_spelling, found.estimate, found.n_words

    with elo.open(encoding="utf-8", newline="") as file:
        models = next(csv.reader(file))[4:]
    by_spelling, by_family, n_words = effect("rating=elo_score")
    assert n_words == (12, 26)
    assert by_spelling == pytest.approx(-0.189, abs=5e-4)
    assert by_family == pytest.approx(-0.193, abs=5e-4)
    assert effect("rank=elo_rank")[0] == pytest.approx(-0.192, abs=5e-4)  # ties broken
    rewarded = sorted(effect(f"rating={name}")[0] or 0.0 for name in models)
    assert [rewarded[0], rewarded[-1]] == pytest.approx([-0.359, -0.122], abs=5e-4)
    assert len(rewarded) == 10

    table = data / "reward_model_scores" / "dict_big2_nouns"
    skywork = vb.load(
        f"skywork=scores:{table / 'big2_rewards_Skywork_Skywork-Reward-Gemma-2-27B.csv'}",
        lexicons={"big_two": nouns},
        cache_dir=tmp_path,
    )
    spec = f"people={elo}:word=name,rating=elo_score"
    (people,) = skywork.contrast(*SIDES, valence="positive", people=[spec]).measurement.in_people
    assert people.said.startswith("people (people) -.193 [-.556, +.231]; this model -.311 [")
    assert "12 of 104 and 26 of 159 words" in people.said
    agreed = skywork.agreement(spec, "big_two")
    assert agreed.estimate == pytest.approx(0.366, abs=5e-4)
    assert agreed.interval[0] > 0.1
