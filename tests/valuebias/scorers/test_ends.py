"""The best and worst tokens of a reward model in half precision: as transformers gives them in
float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from support.models import build_tokenizer, save_reward_model
from valuebias.candidates import VOCABULARY, Candidates
from valuebias.cli.main import main
from valuebias.measurement.tokens import top_tokens
from valuebias.models.loading import load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.progress import Progress
from valuebias.prompts import GREATEST
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store

HALF = Settings(device="cpu", dtype="bfloat16")
NOTE = "scored in bfloat16, the best and worst again in float32"
WORDS = Candidates.words(["love", "freedom", "a happy life", "power"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model whose weights are stored in bfloat16."""
    path = save_reward_model(
        tmp_path_factory.mktemp("half") / "model", "qwen3", num_hidden_layers=6
    )
    _rounded(path, AutoModelForSequenceClassification)
    return path


def _rounded(path: Path, auto: Any) -> None:
    auto.from_pretrained(path, dtype=torch.bfloat16).save_pretrained(path)


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    opened = []

    def open_bench(settings: Settings = HALF) -> Bench:
        store = Store(tmp_path / "scores.sqlite")
        opened.append(Bench(store, settings, progress=Progress(quiet=True)))
        return opened[-1]

    yield open_bench
    for bench in opened:
        bench.close()


def _own(path: Path, loaded: RewardModel, candidates: Candidates, auto: Any) -> np.ndarray:
    """Rewards by transformers' own forward in float32, one conversation at a time."""
    own = auto.from_pretrained(path, dtype=torch.float32).eval()
    prefix, tails, owner = loaded.layout(GREATEST, candidates)
    with torch.inference_mode():
        rows = [own(input_ids=torch.tensor([[*prefix, *tail]])).logits.item() for tail in tails]
    return np.array(rows, np.float32)[owner]


def test_the_listed_tokens_are_those_of_float32_and_their_scores_too(
    model: Path, open_bench: Callable[..., Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    spec = parse_spec(str(model))
    bench = open_bench()
    top = top_tokens(bench.scorer(spec), GREATEST, 10)
    scores = bench.scorer(spec).score((GREATEST,), VOCABULARY)
    loaded = load_reward_model(spec, HALF)
    own = _own(model, loaded, scores.candidates, AutoModelForSequenceClassification)
    order = np.argsort(-own, kind="stable")
    for rows, expected in ((top.best, order[:10]), (top.worst, order[::-1][:10])):
        assert [text for text, _ in rows] == [scores.candidates.responses[i] for i in expected]
        np.testing.assert_allclose([score for _, score in rows], own[expected], atol=1e-5)
    assert top.kind == f"tokens of its vocabulary, {NOTE}"

    half = loaded.score_prompt(GREATEST, scores.candidates)
    np.testing.assert_array_equal(scores.values[0], half)  # effects and ranks are of these
    rounded = np.argsort(-half, kind="stable")
    assert [*rounded[:10], *rounded[-10:]] != [*order[:10], *order[-10:]]
    assert np.abs(half - own).max() > 1e-3
    longer = top_tokens(bench.scorer(spec), GREATEST, 11)  # more than are scored again
    assert [score for _, score in longer.best] == sorted(half.tolist(), reverse=True)[:11]
    assert longer.kind == "tokens of its vocabulary"

    again = open_bench()
    assert top_tokens(again.scorer(spec), GREATEST, 10) == top
    assert len(again.store.loads()) == 1
    folder = str(bench.store.path.parent)
    out = f"{folder}/out.csv"
    arguments = ["search", "--rm", str(model), "--prompt", GREATEST.id, "--out", out]
    arguments += ["--cache-dir", folder, "--device", "cpu", "--dtype", "bfloat16"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert NOTE in told
    assert f"{top.best[0][1]:.5g}" in told


def test_a_search_in_float32_is_listed_as_it_is(
    model: Path, open_bench: Callable[..., Bench]
) -> None:
    bench = open_bench(Settings(device="cpu", dtype="float32"))
    scores = bench.scorer(parse_spec(str(model))).score((GREATEST,), VOCABULARY)
    assert scores.again == ({},)
    assert scores.ends_note(10) == ""


def test_what_cannot_be_scored_again_is_listed_as_it_is_and_says_why(
    model: Path, open_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no memory\nfor that")

    monkeypatch.setattr(RewardModel, "score_in_float32", refuse)
    scorer = open_bench().scorer(parse_spec(str(model)))
    top = top_tokens(scorer, GREATEST, 10)
    assert top.kind.endswith(
        "scored in bfloat16, the best and worst not again in float32: RuntimeError: no memory"
    )
    half = scorer.score((GREATEST,), VOCABULARY).values[0]
    assert [score for _, score in top.best] == sorted(half.tolist(), reverse=True)[:10]
    assert top_tokens(open_bench().scorer(parse_spec(str(model))), GREATEST, 10) == top


def test_an_encoder_has_its_last_layer_in_float32_and_is_scored_again_whole(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_labels": 1,
    }
    config = RobertaConfig(
        vocab_size=len(tokenizer), intermediate_size=64, **sizes,
        pad_token_id=tokenizer.pad_token_id, max_position_embeddings=512,
    )  # fmt: skip
    torch.manual_seed(0)
    RobertaForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    _rounded(tmp_path, RobertaForSequenceClassification)
    loaded = load_reward_model(parse_spec(str(tmp_path)), HALF)
    half = torch.from_numpy(loaded.score_prompt(GREATEST, WORDS))
    assert not torch.equal(half, half.bfloat16().float())
    own = _own(tmp_path, loaded, WORDS, RobertaForSequenceClassification)
    again = loaded.score_in_float32(GREATEST, WORDS)
    np.testing.assert_allclose(again, own, atol=1e-6)
    assert np.abs(half.numpy() - own).max() > 1e-4
    np.testing.assert_array_equal(loaded.score_prompt(GREATEST, WORDS), half.numpy())
