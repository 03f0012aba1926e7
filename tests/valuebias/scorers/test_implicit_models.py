"""Pairs of language models as model specs: DPO models, implicit rewards, matrices, the command."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from support.models import build_tokenizer, save_language_model
from support.scores import write_scores
from valuebias.candidates import VOCABULARY, Candidates
from valuebias.cli.main import main
from valuebias.errors import ModelError, SpecError
from valuebias.lexicons.files import starter
from valuebias.measurement.pair_matrix import matrix, prepare_matrices
from valuebias.measurement.tokens import table, top_tokens
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec, implicit
from valuebias.prompts import GREATEST, PAPER_PROMPTS
from valuebias.scorers.bench import Bench
from valuebias.scorers.implicit import SharedMassWarning
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store

# Random models give much of their probability to control tokens.
SMALL_MASS = pytest.mark.filterwarnings("ignore::valuebias.scorers.implicit.SharedMassWarning")
JSR = ("--measure=JSR", "--matrix=love~freedom")
WORDS = ["love", "freedom", "a happy life", "power"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two tiny language models of different weights, and of different tokenizers."""
    folder = tmp_path_factory.mktemp("models")
    first = save_language_model(folder / "first", "llama")
    tokenizer = build_tokenizer()
    tokenizer.add_tokens(["liberty"])
    second = save_language_model(folder / "second", "llama", tokenizer=tokenizer, seed=1)
    return first, second


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Store(tmp_path / "scores.sqlite"), Settings(device="cpu"))


def specs(models: tuple[Path, Path]) -> tuple[ModelSpec, ModelSpec]:
    first, second = (parse_spec(str(path), load_as="llm") for path in models)
    return first, second


def test_a_dpo_model_scores_whole_turns(bench: Bench, models: tuple[Path, Path]) -> None:
    reference, policy = specs(models)
    spec = parse_spec(f"dpo:{models[1]},{models[0]}")
    assert spec.label == "dpo:second,first"
    words, prompts = Candidates.words(WORDS), PAPER_PROMPTS[:2]
    found = bench.scorer(spec).score(prompts, words)
    turns = Candidates.words(WORDS, "turn")
    p, q = (bench.scorer(s).score(prompts, turns) for s in (reference, policy))
    np.testing.assert_allclose(found.values, q.values - p.values, atol=1e-5)
    assert found.provenance["injection"] == "turn"
    assert found.provenance["model"] == "dpo:second,first"
    begun = bench.scorer(policy).score(prompts, words)
    assert (begun.values > q.values).all()  # ending the turn costs probability


@SMALL_MASS
def test_the_reverse_of_a_pair_is_its_negation(bench: Bench, models: tuple[Path, Path]) -> None:
    first, second = specs(models)
    there, back = implicit(first, second), implicit(second, first)
    assert (there.label, back.label) == ("first-to-second", "second-to-first")
    for candidates in (Candidates.words(WORDS, "spellings"), VOCABULARY):
        a, b = (bench.scorer(pair).score((GREATEST,), candidates) for pair in (there, back))
        assert a.candidates.responses == b.candidates.responses
        np.testing.assert_array_equal(a.values, -b.values)
    assert bench.scorer(there).fingerprint != bench.scorer(back).fingerprint
    assert (
        bench.scorer(implicit(first, second, "LLR")).fingerprint != bench.scorer(there).fingerprint
    )


@SMALL_MASS
def test_tokens_of_both_vocabularies(bench: Bench, models: tuple[Path, Path]) -> None:
    pair = implicit(*specs(models))
    with pytest.warns(SharedMassWarning, match="the tokens of both models have only .6"):
        top = top_tokens(bench.scorer(pair), GREATEST, 5)
    assert top.kind == "tokens of both vocabularies"
    assert "liberty" not in bench.scorer(pair).vocabulary().responses
    assert top.n == len(bench.scorer(pair).vocabulary())
    assert re.fullmatch(r"0\.6\d+ and 0\.6\d+", top.mass)
    values = [value for _, value in top.best]
    assert all(a >= b for a, b in pairwise(values))


def test_each_model_is_loaded_once(bench: Bench, models: tuple[Path, Path]) -> None:
    first, second = specs(models)
    lexicons = [starter("big_two")]
    prepare_matrices(bench, [first, second], ["freedom~love"], lexicons)
    found = matrix(bench, [first, second], "freedom~love", lexicons)
    loads = [bench.store.loads(bench.scorer(s).fingerprint) for s in (first, second)]
    assert list(map(len, loads)) == [1, 1]
    assert found.values[0, 1] == -found.values[1, 0] != 0
    assert found.values[0, 0] == 0
    with pytest.raises(SpecError, match="needs at least two models"):
        matrix(bench, [first], "freedom~love", lexicons)


def test_token_counts_are_stored(bench: Bench, models: tuple[Path, Path]) -> None:
    first, _ = specs(models)
    counts = bench.scorer(first).token_counts(WORDS)
    assert counts is not None
    assert counts[2] > 2
    bench.release()
    assert bench.scorer(first).token_counts(WORDS) == counts
    assert len(bench.store.loads(bench.scorer(first).fingerprint)) == 1


def test_the_command_shows_what_sets_two_models_apart(
    models: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["implicit", *map(str, models), "--top=3", f"--cache-dir={tmp_path}", *JSR])
    out, err = capsys.readouterr()
    assert status == 0
    assert "valuebias: warning: the tokens of both models have only .6" in err
    assert "from first to second, JSR: What, in one word, is the greatest thing ever?" in out
    assert out.count("preferred by") == 2
    best, worst = re.findall(r"preferred by \w+\n((?: {4}.*\n){3})", out)
    assert all(line.split()[0].startswith("+") for line in best.splitlines())
    assert all(line.split()[0].startswith("-") for line in worst.splitlines())
    assert "love~freedom, difference of JSR" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo:agency"], "needs at least two language models"),
        (["demo:agency", "demo:agency"], "two models have the label"),
        (["demo:agency", "demo:neutral", "--measure", "LR"], "unknown measure"),
        (["demo:agency", "demo:neutral", "--top", "0"], "--top must be an integer >= 1"),
        (["demo:agency", "dpo:demo:agency,demo:neutral"], "not a language model"),
    ],
)
def test_a_wrong_command(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["implicit", *arguments, "--cache-dir", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


@SMALL_MASS
def test_a_broken_model_leaves_the_other_pairs(
    models: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = save_language_model(tmp_path / "broken", "llama")
    for weights in broken.glob("*.safetensors"):
        weights.write_bytes(b"no weights")
    args = ["implicit", str(broken), *map(str, models), "--top=3", f"--cache-dir={tmp_path}"]
    assert main(args) == 1
    out, _ = capsys.readouterr()
    assert out.count("left out: ") == 2
    assert len(re.findall(r"preferred by \w+\n((?: {4}.*\n){3})", out)) == 2
    rows = dict(re.findall(r"^([123]) (?:broken|first|second) +(.*)$", out, re.MULTILINE))
    assert rows["1"].split() == ["none", "none"]
    assert re.fullmatch(r"none +[+-]\.\d+", rows["2"])
    assert out.count("\nnone: ") == 1


def test_the_table_beside_words_says_why_tokens_cannot_be_compared(
    bench: Bench, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_be_told(*_: object) -> NoReturn:
        raise ModelError(
            "the text of a token cannot be determined", remedy="Give another tokenizer."
        )

    monkeypatch.setattr("valuebias.models.language.exact_texts", cannot_be_told)
    beside = table(bench.scorer(implicit(*specs(models))))
    assert beside.left_out is not None
    assert "cannot be determined" in beside.left_out


def test_recorded_log_probabilities_have_no_vocabulary(bench: Bench, tmp_path: Path) -> None:
    a = parse_spec(f"a=scores:{write_scores(tmp_path / 'a.csv', level=-20)}")
    b = parse_spec(f"b=scores:{write_scores(tmp_path / 'b.csv', level=-20, seed=1)}")
    top = top_tokens(bench.scorer(implicit(a, b)), GREATEST, 5)
    assert top.left_out is not None
    assert "not of a whole vocabulary" in top.left_out


def test_the_embedded_models_differ_in_what_was_planted(bench: Bench) -> None:
    communion, agency, neutral = (
        parse_spec(f"demo:{name}") for name in ("communion", "agency", "neutral")
    )
    planted = {name: set(words) for name, words in starter("big_two").categories.items()}
    top = top_tokens(bench.scorer(implicit(communion, agency)), GREATEST, 10)
    sides = (("agency", top.best), ("communion", top.worst))
    for name, rows in sides:
        found = [text.strip().lower() for text, _ in rows]
        assert sum(word in planted[name] for word in found) >= 9, (name, found)
    # Half the way from one to the other lies the model in which nothing was planted.
    there = top_tokens(bench.scorer(implicit(communion, neutral)), GREATEST, 10)
    onward = top_tokens(bench.scorer(implicit(neutral, agency)), GREATEST, 10)
    assert sum(text.strip().lower() in planted["communion"] for text, _ in there.worst) >= 7
    assert sum(text.strip().lower() in planted["agency"] for text, _ in onward.best) >= 7
    assert (
        max(
            value
            for _, value in top_tokens(bench.scorer(implicit(neutral, neutral)), GREATEST, 1).best
        )
        == 0
    )


def test_little_shared_mass_is_told_with_the_table(
    bench: Bench, models: tuple[Path, Path], recwarn: pytest.WarningsRecorder
) -> None:
    top = table(bench.scorer(implicit(*specs(models))))
    assert "the tokens of both models have only .6" in top.warning
    assert len(top.best) == 10
    assert not recwarn
