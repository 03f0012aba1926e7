"""Implicit rewards: the identities of the eight measures, their limits, and two models' scores."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, rel_entr

from valuebias.candidates import Candidates
from valuebias.errors import ModelError, ScoresError, SpecError
from valuebias.prompts import PAPER_PROMPTS, Prompt
from valuebias.scorers.implicit import (
    ANTISYMMETRIC,
    MEASURES,
    ImplicitReward,
    SharedMassWarning,
    implicit_reward,
)
from valuebias.scores import Scores

INF = np.inf
WEIGHTED = ("p1LR", "p2LR", "MWLR", "GMLR", "JSR")
PROMPTS = PAPER_PROMPTS[:3]

log_probability = st.floats(-750, 0) | st.just(-INF)
pairs = st.lists(st.tuples(log_probability, log_probability), min_size=1, max_size=40).map(
    lambda rows: np.array(rows).T
)


@st.composite
def distributions(draw: st.DrawFn, spread: float = 40) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (n,) of two distributions over the same n tokens."""
    n = draw(st.integers(2, 60))
    logits = st.lists(st.floats(-spread, spread), min_size=n, max_size=n).map(np.array)
    p, q = draw(logits), draw(logits)
    return np.minimum(p - logsumexp(p), 0), np.minimum(q - logsumexp(q), 0)


@given(pairs)
def test_swapping_source_and_target_flips_the_sign_to_the_last_bit(pair: np.ndarray) -> None:
    p, q = pair
    for measure in ANTISYMMETRIC:
        forth, back = implicit_reward(p, q, measure), implicit_reward(q, p, measure)
        assert np.array_equal(forth, -back), measure
        in_float32 = forth.astype(np.float32)
        assert np.array_equal(in_float32, -back.astype(np.float32)), measure
    assert np.array_equal(implicit_reward(p, q, "p1LR"), -implicit_reward(q, p, "p2LR"))
    assert np.array_equal(implicit_reward(p, q, "p2LR"), -implicit_reward(q, p, "p1LR"))


def test_a_vocabulary_of_85_thousand_is_antisymmetric_to_the_last_bit() -> None:
    p, q = np.random.default_rng(5).normal(-12, 6, (2, 85_524)).clip(max=0)
    for measure in ANTISYMMETRIC:
        assert np.array_equal(implicit_reward(p, q, measure), -implicit_reward(q, p, measure))
    assert {"p1LR", "p2LR"} == set(MEASURES) - ANTISYMMETRIC


@given(distributions())
def test_the_sums_over_a_vocabulary_are_divergences(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, q = pair
    forth = rel_entr(np.exp(p), np.exp(q)).sum()
    back = rel_entr(np.exp(q), np.exp(p)).sum()
    total = {measure: implicit_reward(p, q, measure).sum() for measure in MEASURES}
    near: dict[str, Any] = {"rel": 1e-9, "abs": 1e-9}
    assert total["p2LR"] == pytest.approx(back, **near)
    assert total["p1LR"] == pytest.approx(-forth, **near)
    assert total["MWLR"] == pytest.approx((back - forth) / 2, **near)
    middle = (np.exp(p) + np.exp(q)) / 2
    halves = rel_entr(np.exp(q), middle).sum() - rel_entr(np.exp(p), middle).sum()
    assert total["JSR"] == pytest.approx(halves / 2, **near)


@given(pairs)
def test_weights_leave_the_sign_and_bound_the_jensen_shannon_ratio(pair: np.ndarray) -> None:
    p, q = pair
    log_ratio = implicit_reward(p, q, "LLR")
    sign = np.sign(log_ratio)
    for measure in WEIGHTED:
        reward = implicit_reward(p, q, measure)
        assert not np.isnan(reward).any()
        assert (np.sign(reward) * sign >= 0).all(), measure
    # Weights below e^-740 are 0 in double precision; the others keep a preference visible.
    seen = (np.maximum(p, q) > -700) & (np.abs(log_ratio) > 1e-3)
    for measure in ("MWLR", "JSR"):
        assert (np.sign(implicit_reward(p, q, measure)) == sign)[seen].all()
    assert (np.abs(implicit_reward(p, q, "JSR")) <= 0.3845618).all()


def test_the_jensen_shannon_ratio_is_largest_where_one_model_is_sure() -> None:
    found = implicit_reward(np.log(np.linspace(1e-4, 1, 100_001)), np.zeros(100_001), "JSR")
    assert found.max() == pytest.approx(0.38456178, abs=1e-8)
    assert np.linspace(1e-4, 1, 100_001)[found.argmax()] == pytest.approx(0.08613, abs=1e-4)


@given(st.lists(log_probability, min_size=1, max_size=20).map(np.array))
def test_a_model_wants_no_change_to_become_itself(p: np.ndarray) -> None:
    for measure in MEASURES:
        reward = implicit_reward(p, p, measure)
        assert np.array_equal(reward, np.zeros(len(p)))
        assert not np.signbit(reward).any()


@given(distributions(), st.integers(2, 40))
def test_renormalising_shifts_the_log_ratio_by_a_constant(
    pair: tuple[np.ndarray, np.ndarray], kept: int
) -> None:
    p, q = (side[: min(kept, len(side))] for side in pair)
    normal = implicit_reward(
        np.minimum(p - logsumexp(p), 0), np.minimum(q - logsumexp(q), 0), "LLR"
    )
    shift = implicit_reward(p, q, "LLR") - normal
    assert shift == pytest.approx(np.full(len(p), logsumexp(q) - logsumexp(p)), abs=1e-9)


def _in_sixty_digits(log_p: float, log_q: float) -> dict[str, Decimal]:
    """Table A1 as it stands, on probabilities instead of logarithms."""
    with localcontext() as context:
        context.prec = 60
        lp, lq = Decimal(log_p), Decimal(log_q)
        p, q, r = lp.exp(), lq.exp(), Decimal(log_q) - Decimal(log_p)
        m = (p + q) / 2
        return {
            "LLR": r,
            "LR-20": max(lq, Decimal(-20)) - max(lp, Decimal(-20)),
            "LR-10": max(lq, Decimal(-10)) - max(lp, Decimal(-10)),
            "p1LR": p * r,
            "p2LR": q * r,
            "MWLR": m * r,
            "GMLR": (p * q).sqrt() * r,
            "JSR": (q * (q / m).ln() - p * (p / m).ln()) / 2,
        }


@pytest.mark.parametrize(
    "pair",
    [
        (-0.5, -2.0),
        (-2.0, -0.5),
        (0.0, -1e-3),
        (-1.0, -1.0 - 1e-9),
        (-15.0, -15.0 + 1e-12),
        (-9.5, -10.5),
        (-19.0, -25.0),
        (-30.0, -0.01),
        (-300.0, -299.0),
        (-650.0, -1.0),
        (-1e-12, -650.0),
        (float(np.log(0.3)), float(np.log(0.2))),
    ],
)
def test_golden_values_in_sixty_digits(pair: tuple[float, float]) -> None:
    for measure, expected in _in_sixty_digits(*pair).items():
        found = float(implicit_reward(*pair, measure))
        assert found == pytest.approx(float(expected), rel=1e-12, abs=0), measure


def test_the_mixture_weighted_ratio_by_hand() -> None:
    """(1/2 + 1/4)/2 * log 2 for a word that the target gives twice the probability."""
    reward = implicit_reward(np.log([0.25, 0.5]), np.log([0.5, 0.25]))
    assert reward == pytest.approx([0.375 * np.log(2), -0.375 * np.log(2)], rel=1e-15)


@pytest.mark.parametrize("log_q", [-1.0, -800.0])
def test_what_the_target_alone_can_say(log_q: float) -> None:
    """-800: its probability is 0 in double precision, and is not 0."""
    found = {measure: float(implicit_reward(-INF, log_q, measure)) for measure in MEASURES}
    q = np.exp(log_q)
    finite = {"LR-20": max(log_q, -20) + 20, "LR-10": max(log_q, -10) + 10, "p1LR": 0, "GMLR": 0}
    infinite = dict.fromkeys(("LLR", "p2LR", "MWLR"), INF)
    assert found == pytest.approx(finite | infinite | {"JSR": q * np.log(2) / 2})


def test_what_the_source_alone_can_say() -> None:
    found = {measure: float(implicit_reward(-1.0, -INF, measure)) for measure in MEASURES}
    assert found["LLR"] == found["p1LR"] == found["MWLR"] == -INF
    assert found["p2LR"] == found["GMLR"] == 0
    assert found["LR-20"] == -19
    assert found["LR-10"] == -9
    assert found["JSR"] == pytest.approx(-np.exp(-1) * np.log(2) / 2)


def test_what_neither_can_say_is_no_preference() -> None:
    for measure in MEASURES:
        assert implicit_reward([-INF, -1e300, -1e4], [-INF, -1e300, -1e4], measure).tolist() == [
            0.0,
            0.0,
            0.0,
        ]


def test_junk_neither_model_says_does_not_outrank_a_word() -> None:
    """A token of probability 1e-40 against 1e-80 has the largest log ratio, and no weight."""
    p = np.log([1e-80, 0.2, 0.5, 0.3])
    q = np.log([1e-40, 0.4, 0.3, 0.3])
    assert implicit_reward(p, q, "LLR").argmax() == 0
    for measure in (*WEIGHTED, "LR-10", "LR-20"):
        assert implicit_reward(p, q, measure).argmax() == 1, measure


@pytest.mark.parametrize("wrong", [np.nan, 1e-9, 3.0, INF])
@pytest.mark.parametrize("place", [0, 1])
def test_what_is_no_log_probability_is_refused(wrong: float, place: int) -> None:
    sides = [[-1.0, -2.0], [-1.0, -2.0]]
    sides[place][1] = wrong
    with pytest.raises(ScoresError, match="1 of 2 numbers are not log-probabilities"):
        implicit_reward(sides[0], sides[1])


def test_unlike_shapes_are_refused() -> None:
    with pytest.raises(ScoresError, match=r"\(2,\) and \(1,\)"):
        implicit_reward([-1.0, -2.0], [-1.0])


@pytest.mark.parametrize("name", ["mwlr", "LR20", "", "KL"])
def test_a_measure_goes_by_its_exact_name(name: str) -> None:
    for use in (
        lambda: implicit_reward(-1.0, -1.0, name),
        lambda: ImplicitReward(LLAMA, GEMMA, name),
    ):
        with pytest.raises(SpecError, match="LLR, LR-20, LR-10, p1LR, p2LR, MWLR, GMLR, JSR"):
            use()


@dataclass(frozen=True)
class Model:
    """A language model of a few tokens: (text, probability) in the order of its ids, the same on
    every prompt unless ``on`` says otherwise; ``words`` are answers it gives as text."""

    name: str
    tokens: Sequence[tuple[str, float]]
    words: Mapping[str, float] = field(default_factory=dict)
    on: Mapping[str, Sequence[float]] = field(default_factory=dict)
    template: str = "chat_template"

    @property
    def fingerprint(self) -> str:
        return f"fingerprint of {self.name}"

    def vocabulary(self) -> Candidates:
        ids = tuple(range(50, 50 + len(self.tokens)))
        return Candidates(tuple(text for text, _ in self.tokens), ids, injection="token")

    def score(self, prompts: Sequence[Prompt], candidates: Candidates) -> Scores:
        if candidates.injection == "token":
            usual = [p for _, p in self.tokens]
            rows = [self.on.get(prompt.id, usual) for prompt in prompts]
        else:
            rows = [[self.words[word] for word in candidates.responses]] * len(prompts)
        with np.errstate(divide="ignore"):
            values = np.log(np.array(rows, np.float64)).astype(np.float32)
        about = {"template": self.template, "dtype": "float32", "injection": candidates.injection}
        return Scores(values, tuple(prompts), candidates, about)


LLAMA = Model(
    "llama",
    [("Freedom", 0.5), ("Love", 0.2), (" Love", 0.15), ("A", 0.07), ("A", 0.03), ("\udce2", 0.05)],
    words={"freedom": 0.4, "love": 0.1, "a b": 1e-30},
)
GEMMA = Model(
    "gemma",
    [("Love", 0.6), ("Freedom", 0.1), ("Ciao", 0.02), ("A", 0.1), (" Love", 0.18)],
    words={"freedom": 0.05, "love": 0.5, "a b": 1e-35},
    template="raw",
)


def test_two_vocabularies_are_compared_by_the_texts_they_share() -> None:
    scores = ImplicitReward(GEMMA, LLAMA).score_vocabulary(PROMPTS)
    assert scores.candidates == Candidates((" Love", "A", "Freedom", "Love"))
    p, q = np.log([0.18, 0.1, 0.1, 0.6]), np.log([0.15, 0.1, 0.5, 0.2])
    assert scores.values.shape == (3, 4)
    assert scores.values[0] == pytest.approx(implicit_reward(p, q), abs=1e-6)
    assert scores.candidates.responses[scores.values[0].argmax()] == "Freedom"
    assert scores.candidates.responses[scores.values[0].argmin()] == "Love"
    mass = ImplicitReward(GEMMA, LLAMA).shared_mass(PROMPTS)
    assert mass == pytest.approx(np.array([[0.98] * 3, [0.95] * 3]))


def test_the_scores_say_where_they_come_from() -> None:
    reward = ImplicitReward(GEMMA, LLAMA, "JSR")
    about = reward.score_vocabulary(PROMPTS).provenance
    assert about["model"] == reward.name == "JSR(gemma to llama)"
    assert about["fingerprint"] == reward.fingerprint
    assert (about["measure"], about["renormalized"]) == ("JSR", "no")
    assert (about["source"], about["source_fingerprint"]) == ("gemma", "fingerprint of gemma")
    assert (about["target"], about["target_template"]) == ("llama", "chat_template")
    assert about["template"] == "raw, chat_template"
    assert about["source_tokens"] == "5 tokens: 4 shared, 0 merged, 0 fragment, 1 only here"
    assert about["target_tokens"] == "6 tokens: 4 shared, 1 merged, 1 fragment, 0 only here"
    assert about["source_shared_mass"] == "0.9800 to 0.9800"
    assert about["target_shared_mass"] == "0.9500 to 0.9500"


def test_whatever_decides_the_numbers_changes_the_fingerprint() -> None:
    rewards = [
        ImplicitReward(GEMMA, LLAMA),
        ImplicitReward(LLAMA, GEMMA),
        ImplicitReward(GEMMA, LLAMA, "LLR"),
        ImplicitReward(GEMMA, LLAMA, renormalize=True),
        ImplicitReward(GEMMA, replace(LLAMA, name="llama2")),
    ]
    assert len({reward.fingerprint for reward in rewards}) == len(rewards)


@pytest.mark.parametrize("renormalize", [False, True])
@pytest.mark.parametrize("measure", sorted(ANTISYMMETRIC))
def test_the_way_back_is_the_same_ranking_reversed_to_the_last_bit(
    measure: str, renormalize: bool
) -> None:
    forth = ImplicitReward(LLAMA, GEMMA, measure, renormalize)
    back = ImplicitReward(GEMMA, LLAMA, measure, renormalize)
    words = Candidates.words(["freedom", "love", "a b"])
    for there, here in (
        (forth.score_vocabulary(PROMPTS), back.score_vocabulary(PROMPTS)),
        (forth.score(PROMPTS, words), back.score(PROMPTS, words)),
    ):
        assert there.candidates.digest == here.candidates.digest
        assert np.array_equal(there.values, -here.values)
        assert there.values.any()


def test_words_are_scored_whole_by_both_models() -> None:
    words = Candidates.words(["freedom", "love", "a b"])
    scores = ImplicitReward(LLAMA, GEMMA, "LLR").score(PROMPTS, words)
    expected = [np.log(0.05 / 0.4), np.log(0.5 / 0.1), np.log(1e-5)]
    assert scores.values[2] == pytest.approx(expected, rel=1e-6)
    assert scores.provenance["injection"] == "text"


def test_renormalised_probabilities_sum_to_one_over_what_is_scored() -> None:
    words = Candidates.words(["freedom", "love"])
    scores = ImplicitReward(LLAMA, GEMMA, "MWLR", renormalize=True).score(PROMPTS, words)
    p, q = np.log([0.8, 0.2]), np.log([1 / 11, 10 / 11])
    assert scores.values[0] == pytest.approx(implicit_reward(p, q), rel=1e-5)
    assert scores.provenance["renormalized"] == "yes"
    shared = ImplicitReward(LLAMA, GEMMA, "LLR", renormalize=True).score_vocabulary(PROMPTS)
    raw = ImplicitReward(LLAMA, GEMMA, "LLR").score_vocabulary(PROMPTS)
    assert raw.values - shared.values == pytest.approx(np.full((3, 4), np.log(0.98 / 0.95)))


def test_token_ids_of_one_vocabulary_are_refused() -> None:
    with pytest.raises(SpecError, match="two models have no token ids in common"):
        ImplicitReward(LLAMA, GEMMA).score(PROMPTS, LLAMA.vocabulary())


def _with_mass(name: str, share: float, *, only_on: str | None = None) -> Model:
    usual = [0.99, 0.01]
    low = [share, 1 - share]
    return Model(
        name,
        [("Love", 1.0), (f"<{name}>", 0.0)],
        on={prompt.id: low if only_on in (None, prompt.id) else usual for prompt in PROMPTS},
    )


def test_little_shared_mass_is_warned_of_by_model_and_prompt() -> None:
    worst = PROMPTS[1].id
    low = _with_mass("evil\x1b[31m", 0.93 * 0.9, only_on=worst)
    reward = ImplicitReward(_with_mass("other", 0.91), low)
    with pytest.warns(SharedMassWarning, match=r"only \.837 of evil\\x1b") as caught:
        reward.score_vocabulary(PROMPTS)
    said = str(caught[0].message)
    assert f"on {worst}, and less than .9 on 1 of 3 prompts" in said
    assert len(caught) == 1


def test_unequal_shared_mass_is_warned_of() -> None:
    reward = ImplicitReward(_with_mass("one", 0.9001), _with_mass("two", 1.0))
    with pytest.warns(SharedMassWarning, match=r"\.900 of one's .* and 1\.000 of two's"):
        reward.score_vocabulary(PROMPTS)


def test_enough_shared_mass_is_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ImplicitReward(_with_mass("one", 0.91), _with_mass("two", 0.99)).score_vocabulary(PROMPTS)


@pytest.mark.parametrize("which", [0, 1])
def test_too_little_shared_mass_is_an_error(which: int) -> None:
    pair = [_with_mass("one", 0.95), _with_mass("two", 0.95)]
    pair[which] = _with_mass("poor", 0.49, only_on=PROMPTS[2].id)
    with pytest.raises(ScoresError, match=rf"\.490 of poor's probability on {PROMPTS[2].id}"):
        ImplicitReward(pair[0], pair[1]).score_vocabulary(PROMPTS)
    assert ImplicitReward(pair[0], pair[1]).shared_mass(PROMPTS)[which, 2] == pytest.approx(0.49)


def test_scores_that_add_up_to_more_than_one_are_no_probabilities() -> None:
    reward_model = Model("rewards", [("Love", 0.9), ("Freedom", 0.8)])
    with pytest.raises(ScoresError, match=r"rewards's probabilities .* add up to more than 1"):
        ImplicitReward(GEMMA, reward_model).score_vocabulary(PROMPTS)


@pytest.mark.parametrize("wrong", [1.1, np.nan])
def test_a_reward_in_place_of_a_log_probability_is_refused(wrong: float) -> None:
    words = Candidates.words(["freedom"])
    model = Model("odd", [], words={"freedom": wrong})
    with pytest.raises(ScoresError, match="the first is for 'freedom'"):
        ImplicitReward(LLAMA, model).score(PROMPTS, words)


def test_a_probability_of_one_may_be_rounded_up() -> None:
    words = Candidates.words(["freedom"])
    sure = Model("sure", [], words={"freedom": 1 + 1e-6})
    scores = ImplicitReward(LLAMA, sure, "LLR").score(PROMPTS, words)
    assert scores.values[0, 0] == pytest.approx(-np.log(0.4))


def test_a_response_one_model_cannot_give_is_infinite_where_the_measure_is() -> None:
    words = Candidates.words(["freedom"])
    mute = Model("mute", [], words={"freedom": 0.0})
    assert ImplicitReward(LLAMA, mute).score(PROMPTS, words).values[0, 0] == -INF
    assert np.isfinite(ImplicitReward(LLAMA, mute, "JSR").score(PROMPTS, words).values).all()
    with pytest.raises(ScoresError, match="cannot be renormalised"):
        ImplicitReward(LLAMA, mute, renormalize=True).score(PROMPTS, words)


def test_vocabularies_without_a_common_text_cannot_be_compared() -> None:
    with pytest.raises(ModelError, match="no text in common"):
        ImplicitReward(LLAMA, Model("x", [("愛", 1.0)])).vocabulary()
