"""What every scorer promises, whatever it is made of (`scorers.protocol.Scorer`).

A new kind adds its opening to ``KINDS``. The tests of a kind share one scorer.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import valuebias as vb
from support import taste
from support.judges import planted_judge
from support.models import build_tokenizer
from support.scores import write_table
from support.served import TEMPLATE, Wishes, serving
from valuebias.candidates import VOCABULARY, Candidates, Injection, Vocabulary
from valuebias.errors import ValueBiasError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import PAPER_PROMPTS
from valuebias.scorers.protocol import Kind, Scorer
from valuebias.scores import Job

PROMPTS = PAPER_PROMPTS[:2]
WORDS = ("love", "freedom", "power", "kindness", "a long life")
LEXICON = Lexicon("mine", {"a": WORDS[:2], "b": WORDS[2:]})

Open = Callable[[Path], Scorer]


def _table(folder: Path) -> Scorer:
    values = np.array([[taste.reward(p.text, w) for p in PROMPTS] for w in WORDS])
    path = write_table(folder / "table.csv", WORDS, values, PROMPTS)
    return vb.load(f"scores:{path}", cache_dir=folder).scorer


def _function(folder: Path) -> Scorer:
    return vb.load(taste.rewards(), name="mine", cache_dir=folder).scorer


_URLS: dict[str, str] = {}
_TOKENIZER = build_tokenizer(TEMPLATE)


@pytest.fixture(scope="module")
def servers() -> Iterator[None]:
    """A vLLM server and one of text-embeddings-inference."""
    both = (Wishes(tokenizer=_TOKENIZER), Wishes(software="tei"))
    with serving(both[0]) as vllm, serving(both[1]) as tei:
        _URLS.update(vllm=vllm.url, tei=tei.url)
        yield


def _served(software: str, options: str = "") -> Open:
    return lambda folder: vb.load(f"served:{_URLS[software]}{options}", cache_dir=folder).scorer


def _served_by_tokens(folder: Path) -> Scorer:
    _TOKENIZER.save_pretrained(folder / "tokenizer")
    return _served("vllm", f",tokenizer={folder / 'tokenizer'}")(folder)


def _judge(folder: Path) -> Scorer:
    return vb.load(planted_judge(folder), cache_dir=folder).scorer


KINDS: dict[str, Open] = {
    "local": lambda folder: vb.load("demo:agency", cache_dir=folder).scorer,
    "language": lambda folder: vb.load("demo:agency", load_as="llm", cache_dir=folder).scorer,
    "dpo": lambda folder: vb.load("dpo:demo:agency,demo:communion", cache_dir=folder).scorer,
    "judge": _judge,
    "scores": _table,
    "in memory": lambda folder: vb.load(*taste.demo()).scorer,
    "py": lambda folder: vb.load("py:support.taste:make", cache_dir=folder).scorer,
    "py, a pair": lambda folder: vb.load("py:support.taste:demo", cache_dir=folder).scorer,
    "function": _function,
    "served, by messages": _served("vllm"),
    "served, by tokens": _served_by_tokens,
    "served, by pairs": _served("tei", ",input=pairs"),
    "function without a name": lambda folder: vb.load(taste.rewards()).scorer,
}


@pytest.fixture(scope="module", params=KINDS)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: None
) -> tuple[Scorer, Scorer]:
    """One scorer, opened twice: the second finds what the first stored."""
    folder = tmp_path_factory.mktemp("contract")
    return KINDS[request.param](folder), KINDS[request.param](folder)


def words(scorer: Scorer, *asked: str) -> Candidates:
    """Words, put in as a lexicon's are."""
    return Candidates.words(asked, scorer.injection)


def test_it_says_what_it_is(opened: tuple[Scorer, Scorer]) -> None:
    scorer, again = opened
    assert scorer.name
    assert scorer.name.isprintable()
    assert len(scorer.fingerprint) == 64
    assert set(scorer.fingerprint) <= set(string.hexdigits.lower())
    assert again.fingerprint == scorer.fingerprint
    assert scorer.kind in get_args(Kind)
    assert scorer.injection in get_args(Injection)
    assert all(part.fingerprint != scorer.fingerprint for part in scorer.parts)


def test_scores_are_of_what_was_asked_in_that_order(opened: tuple[Scorer, Scorer]) -> None:
    scorer, again = opened
    asked = words(scorer, *WORDS)
    scores = scorer.score(PROMPTS, asked)
    assert scores.values.dtype == np.float32
    assert scores.values.shape == (2, len(WORDS))
    assert np.isfinite(scores.values).all()
    assert (scores.prompts, scores.candidates.responses) == (PROMPTS, asked.responses)
    assert len(np.unique(scores.values)) == scores.values.size
    assert again.score(PROMPTS, asked).values.tobytes() == scores.values.tobytes()
    turned = scorer.score(PROMPTS[::-1], words(scorer, *WORDS[::-1])).values
    np.testing.assert_allclose(turned, scores.values[::-1, ::-1], rtol=1e-4, atol=1e-5)
    few = scorer.score(PROMPTS[:1], words(scorer, *WORDS[1:3])).values
    np.testing.assert_allclose(few, scores.values[:1, 1:3], rtol=1e-4, atol=1e-5)


def test_provenance_is_text_and_names_the_model(opened: tuple[Scorer, Scorer]) -> None:
    scorer, _ = opened
    about = scorer.score(PROMPTS, words(scorer, *WORDS)).provenance
    assert about["model"] == scorer.name
    assert about["fingerprint"] == scorer.fingerprint
    assert all(isinstance(fact, str) for fact in about.values())
    json.dumps(dict(about))


def test_what_was_prepared_is_there(opened: tuple[Scorer, Scorer]) -> None:
    scorer, _ = opened
    asked = scorer.candidates(LEXICON)
    scorer.prepare([Job(PROMPTS, asked), Job(PROMPTS[:1], VOCABULARY, time_limit=300)])
    assert scorer.left_out(PROMPTS, asked) is None
    scores = scorer.score(PROMPTS, asked)
    assert set(WORDS) <= set(scores.candidates.responses)
    if isinstance(asked, Candidates):
        assert asked.injection == scorer.injection


def test_a_vocabulary_is_there_or_the_reason(opened: tuple[Scorer, Scorer]) -> None:
    scorer, _ = opened
    reason = scorer.left_out(PROMPTS[:1], VOCABULARY)
    if reason is None:
        scores = scorer.score(PROMPTS[:1], VOCABULARY)
        assert scores.candidates == scorer.vocabulary()
        assert scorer.has_vocabulary or isinstance(scorer.candidates(LEXICON), Vocabulary)
        return
    assert not scorer.has_vocabulary
    assert scorer.name in reason
    for ask in (scorer.vocabulary, lambda: scorer.score(PROMPTS[:1], VOCABULARY)):
        with pytest.raises(ValueBiasError, match="vocabulary"):
            ask()


def test_tokens_are_counted_or_unknown(opened: tuple[Scorer, Scorer]) -> None:
    scorer, _ = opened
    counts = scorer.token_counts(WORDS)
    assert counts is None or (len(counts) == len(WORDS) and min(counts) >= 1)
