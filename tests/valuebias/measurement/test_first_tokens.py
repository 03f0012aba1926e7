"""A policy's tokens and a model's rewards meet on exact text, whatever the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from valuebias.candidates import Candidates, Vocabulary
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.first_tokens import TokenForecast, measure_tokens, token_job
from valuebias.prompts import PAPER, Prompt
from valuebias.records.first_tokens import first_tokens_made
from valuebias.report.first_tokens import about, moved, rows
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.recorded import RecordedScores
from valuebias.scores import Job, Scores

HOSTILE = "\x1b[31m<b>\u202etfel"
TEXTS = (
    "power", "Power", " power", "power", "kind", "kindness", "kin", "unkind", "the", " ", "",
    "\udce2", "\n", HOSTILE, "love",
)  # fmt: skip
"""Tokens of a policy: two have one text, three are blank, one is a fragment of a character."""
LEXICON = Lexicon("two", {"agency": ("power",), "communion": ("kind*", "love", "aunt")})
PROMPTS = PAPER.quick


@dataclass
class Policy:
    """A language model whose first tokens are these."""

    name: str = "P"
    has_vocabulary: bool = True
    asked: list[Job] = field(default_factory=list)

    def vocabulary(self) -> Candidates:
        return Candidates(TEXTS, tuple(range(len(TEXTS))), "token")

    def prepare(self, jobs: Sequence[Job]) -> None:
        self.asked += jobs

    def score(self, prompts: Sequence[Prompt], candidates: Vocabulary) -> Scores:
        rng = np.random.default_rng(len(prompts))
        logits = rng.normal(size=(len(prompts), len(TEXTS)))
        values = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return Scores(values.astype(np.float32), tuple(prompts), self.vocabulary())


@dataclass
class Rewards:
    """A reward model that likes what is in capitals or long."""

    name: str = "R"
    has_vocabulary: bool = True
    slow: bool = False

    def left_out(self, prompts: Any, candidates: Any, *, time_limit: float | None) -> str | None:
        return "it would take 2 h" if self.slow and time_limit is not None else None

    def score(self, prompts: Any, candidates: Candidates, *, time_limit: float | None) -> Scores:
        assert candidates.injection == "text"
        row = [len(t) + 5.0 * (t != t.lower()) for t in candidates.responses]
        values = np.array([row] * len(prompts), np.float32)
        return Scores(values, tuple(prompts), candidates)


def measured(rewards: object, policy: Policy | None = None, **more: Any) -> TokenForecast:
    asked = cast(Scorer, policy or Policy())
    return measure_tokens(
        cast(Scorer, rewards), asked, LEXICON, "positive", prompts=PROMPTS, **more
    )


def test_tokens_of_one_text_are_one_and_what_is_no_text_is_accounted_for() -> None:
    policy = Policy()
    found = measured(Rewards(), policy)
    assert (found.n_tokens, found.n_scored) == (len(TEXTS), len(TEXTS) - 5)
    assert found.categories == ("agency", "communion")
    assert found.n_words == (3, 3)  # power, Power, " power"; kind, kindness, love
    assert found.found is not None
    said = policy.score(PROMPTS.of("positive"), Vocabulary()).values
    whole = [i for i, text in enumerate(TEXTS) if text.strip() and text != "\udce2"]
    scored = np.exp(said[:, whole].astype(float)).sum(axis=1)
    assert found.found.scored == pytest.approx((scored.min(), scored.mean()), rel=1e-5)
    power = np.exp(said[:, :4].astype(float)).sum(axis=1) / scored
    assert found.found.steps[0].groups[0].mass == pytest.approx(power.mean(), rel=1e-5)
    # The reward is of the text: "Power" gains, and the policy was read once for both valences.
    assert HOSTILE in {token.text for token in found.gain}
    assert all(token.after > token.before for token in found.gain)
    assert all(token.after < token.before for token in found.lose)
    assert [job.prompts for job in policy.asked] == [PROMPTS.both]


def test_what_cannot_be_had_is_left_out_with_its_reason() -> None:
    recorded = Policy(has_vocabulary=False)
    assert "does not tell its other tokens" in measured(Rewards(), recorded).left_out
    assert "would be asked for each token" in measured(Rewards(has_vocabulary=False)).left_out
    slow = Rewards(slow=True)
    assert measured(slow).left_out == "it would take 2 h"
    assert measured(slow, time_limit=None).found is not None
    entry = first_tokens_made(measured(slow))
    assert entry["left_out"] == "it would take 2 h"
    assert about(entry) == "left out: it would take 2 h"
    assert rows(entry) == []


def test_recorded_rewards_are_of_the_texts_that_were_recorded_once() -> None:
    texts = ("power", "Power", "the", "the", "elsewhere")
    table = Candidates(texts, tuple(range(len(texts))), "token")
    values = np.array([[1.0, 3.0, 2.0, 2.0, 9.0]] * len(PROMPTS.both), np.float32)
    rewards = RecordedScores("r.csv", "ab" * 32, Scores(values, PROMPTS.both, table), "rm")
    asked = token_job(rewards, cast(Scorer, Policy()), PROMPTS)
    assert cast(Candidates, asked.candidates).responses == ("power", "Power")
    found = measured(rewards)
    assert found.n_scored == 2
    assert [token.text for token in found.gain] == ["Power"]
    assert [token.text for token in found.lose] == ["power"]
    nothing = RecordedScores(
        "r.csv", "ab" * 32,
        Scores(values[:, :1], PROMPTS.both, Candidates(("elsewhere",))), "rm",
    )  # fmt: skip
    assert "none of the policy's tokens has a reward" in measured(nothing).left_out


def test_every_token_is_made_visible() -> None:
    entry = first_tokens_made(measured(Rewards()))
    tokens = {shift["token"] for shift in (*entry["gain"], *entry["lose"])}
    assert r"\x1b[31m<b>\u202etfel" in tokens
    assert all(token.isprintable() for token in tokens)
    head, agency, communion, worth = rows(entry)
    assert head == ["tokens of", "n", "0", ".25", ".5", "1", "2", "of 4", "of 16", "of 64"]
    assert agency[:2] == ["agency", "3"]
    assert communion[:2] == ["communion", "3"]
    assert worth[:2] == ["worth", ""]
    assert "10 of 15 tokens have a reward" in about(entry)
    assert r"\x1b[31m<b>" in moved(entry["gain"])
