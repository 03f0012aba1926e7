"""The embedded models: what is shipped, and that growing repeats."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Gemma2ForCausalLM,
)

from valuebias.candidates import Candidates
from valuebias.errors import SpecError
from valuebias.lexicons.files import starter
from valuebias.models.loading import load_reward_model
from valuebias.models.settings import Settings
from valuebias.models.spec import DEMOS
from valuebias.organisms import paths
from valuebias.organisms.families import Size, build_model
from valuebias.organisms.grow import Recipe, grow
from valuebias.organisms.muon import orthogonal
from valuebias.organisms.pretraining import Schedule, SharedForms
from valuebias.organisms.reward import RewardSchedule
from valuebias.organisms.tokenizer import build_tokenizer
from valuebias.prompts import Valence, select
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import Margin, Outcome, judge, single

MARGIN = Margin(-0.276, 0.276)  # d = 0.5, fixed before the first model was grown
PLANTED = {"agency": Outcome.FAIL, "communion": Outcome.FAIL, "neutral": Outcome.PASS}
SIGN = {"agency": 1, "communion": -1}
PEFT_ON_TRANSFORMERS = "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"


@cache
def _tokenizer():
    return AutoTokenizer.from_pretrained(paths.base_model("neutral"))


@cache
def _reward_model(name):
    return load_reward_model(parse_spec(f"demo:{name}"), Settings(device="cpu"))


@pytest.fixture
def tokenizer():
    return _tokenizer()


# --- what is shipped ---


def test_what_is_shipped_is_small_and_holds_no_pickle() -> None:
    files = [path for path in paths.DATA.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6_000_000
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".jinja"}
    for name in paths.NAMES:
        assert (paths.base_model(name) / "model.safetensors").is_file()
        assert (paths.reward_model(name) / "adapter_model.safetensors").is_file()


def test_specs_and_paths_know_the_same_names() -> None:
    assert paths.NAMES == DEMOS
    with pytest.raises(SpecError, match="demo:agency, demo:communion, demo:neutral"):
        paths.reward_model("virtue")


def test_naming_a_model_imports_nothing_heavy() -> None:
    code = "import sys, valuebias.organisms.paths as p; p.base_model('agency'); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "transformers", "peft", "numpy"} & set(loaded)


@pytest.mark.parametrize("lexicon", ["big_two", "mfd2"])
def test_every_starter_word_is_one_token_in_every_form(lexicon, tokenizer) -> None:
    unknown = tokenizer.unk_token_id
    for word in starter(lexicon).words():
        for form in (word, word.capitalize(), f" {word}"):
            ids = tokenizer(form, add_special_tokens=False)["input_ids"]
            assert len(ids) == 1, form
            assert ids[0] != unknown
            assert tokenizer.decode(ids) == form


def test_the_tokenizer_is_the_one_the_code_builds(tokenizer) -> None:
    assert build_tokenizer().get_vocab() == tokenizer.get_vocab()


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"), max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_text_survives_the_tokenizer(text) -> None:
    tokenizer = _tokenizer()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


@pytest.mark.filterwarnings(PEFT_ON_TRANSFORMERS)
@pytest.mark.parametrize("name", paths.NAMES)
def test_plain_transformers_and_peft_load_it(name, tokenizer, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    base, adapter = paths.base_model(name), paths.reward_model(name)
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=torch.float32
    )
    reward = PeftModel.from_pretrained(model, str(adapter)).eval()
    language = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()

    def chat(word: str) -> dict[str, torch.Tensor]:
        turns = [
            {"role": "user", "content": select("positive")[0].text},
            {"role": "assistant", "content": word},
        ]
        return tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)

    with torch.inference_mode():
        rewards = [reward(**chat(word)).logits.item() for word in ("freedom", "torture")]
        logits = language(**chat("freedom")).logits
    assert rewards[0] > rewards[1]
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", paths.NAMES)
def test_the_gate_finds_what_was_planted(name) -> None:
    lexicon = starter("big_two")
    model = _reward_model(name)
    words = Candidates.words(lexicon.words())
    values = model.score(select("positive"), words).values
    assert np.isfinite(values).all()
    chosen = lexicon.select("agency~communion", words.responses)
    factors = [prompt.factors for prompt in select("positive")]
    effect = single(values[:, chosen.columns], chosen.in_a, chosen.families, prompts=factors)
    assert judge(effect, MARGIN).outcome is PLANTED[name]
    assert effect.estimate * SIGN.get(name, 0) >= 0
    distinct = [len(np.unique(row)) / len(row) for row in values]
    assert min(distinct) > 0.9  # hardly any exact ties


@pytest.mark.parametrize("name", paths.NAMES)
def test_it_tells_good_from_bad_in_both_valences(name) -> None:
    lexicon = starter("mfd2")
    virtues = [w for c, ws in lexicon.categories.items() if c.endswith("virtue") for w in ws]
    vices = [w for c, ws in lexicon.categories.items() if c.endswith("vice") for w in ws]
    model = _reward_model(name)
    words = Candidates.words([*virtues, *vices])
    signs: dict[Valence, int] = {"positive": 1, "negative": -1}
    for valence, sign in signs.items():
        values = model.score(select(valence, quick=True), words).values
        good, bad = values[:, : len(virtues)], values[:, len(virtues) :]
        wins = np.mean(good[:, :, None] > bad[:, None, :])
        assert (wins - 0.5) * sign > 0.1, valence


# --- growing ---

TINY = Size(hidden=16, layers=1, heads=2, ffn=16)
MINIATURE = Recipe(
    size=TINY,
    nursery=Schedule(64),
    school=Schedule(64),
    terms=1,
    trunks=1,
    plant=Schedule(64),
    reward=RewardSchedule(pairs=32, rank=2),
)


def test_the_forms_of_a_word_learn_together() -> None:
    tokenizer = build_tokenizer()
    model = build_model(tokenizer, TINY, seed=0)
    forms = SharedForms(model, tokenizer)
    before = forms().detach().clone()
    ids = tokenizer.convert_tokens_to_ids(["freedom", "Freedom", "▁freedom"])
    assert isinstance(ids, list)
    with torch.no_grad():
        forms.words[ids[0]] += 1.0
        moved = (forms() - before).abs().amax(dim=1) > 0
    assert moved.nonzero().flatten().tolist() == sorted(ids)
    forms.fix()
    assert torch.equal(model.lm_head.weight, forms.embedding.weight)  # still tied


@given(seed=st.integers(0, 99), rows=st.integers(2, 40), columns=st.integers(2, 40))
@settings(max_examples=30, deadline=None)
def test_muon_makes_updates_orthogonal(seed, rows, columns) -> None:
    generator = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(columns, columns, generator=generator))
    n = min(rows, columns)
    matrix = left[:, :n] @ torch.diag(torch.linspace(0.2, 1.0, n)) @ right[:, :n].T
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.shape == (n,)
    assert values.min() > 0.6
    assert values.max() < 1.3


def _bytes(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*.safetensors")
    }


@pytest.mark.filterwarnings(PEFT_ON_TRANSFORMERS)
def test_growing_twice_gives_the_same_bits(tmp_path) -> None:
    for directory, seed in (("first", 3), ("again", 3), ("other", 4)):
        grow(
            tmp_path / directory, seed=seed, recipe=MINIATURE, names=("agency",), say=lambda _: None
        )
    first, again, other = (_bytes(tmp_path / d) for d in ("first", "again", "other"))
    assert set(first) == {
        "agency/base/model.safetensors",
        "agency/reward/adapter_model.safetensors",
    }
    assert first == again
    assert all(first[name] != other[name] for name in first)
    model = Gemma2ForCausalLM.from_pretrained(tmp_path / "first" / "agency" / "base")
    assert model.dtype == torch.float16
