"""Organisms of two families: what keeps a Llama healthy, and that plants repeat and are kept."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2ForCausalLM, LlamaForCausalLM, PreTrainedModel

from valuebias.declarations.margins import load_margins
from valuebias.lexicons.files import starter
from valuebias.organisms import plants
from valuebias.organisms.families import Bounds, Family, Size, build_model, stretch
from valuebias.organisms.grow import SHIPPED, Recipe, examination, examine, grow_trunk
from valuebias.organisms.pretraining import Schedule, encode, pretrain
from valuebias.organisms.reward import preferences, write_preferences
from valuebias.organisms.tokenizer import build_tokenizer
from valuebias.organisms.words import THING, pools
from valuebias.organisms.world import World
from valuebias.prompts import Valence
from valuebias.questions import Declared
from valuebias.training import load_grid

EXAMPLE = Path(__file__).parents[3] / "examples" / "miniature"
TINY = Size(hidden=16, layers=1, heads=2, ffn=16)
FAMILIES: dict[Family, type[PreTrainedModel]] = {
    "gemma": Gemma2ForCausalLM,
    "llama": LlamaForCausalLM,
}


def silent(_: str) -> None:
    """Says nothing of what is grown."""


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=vars).encode()).hexdigest()


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture
def tiny(monkeypatch):
    """Recipes that take a second, and with which nothing is learned."""
    recipes = {
        family: Recipe(
            family=family,
            size=TINY,
            nursery=Schedule(64),
            school=Schedule(64),
            terms=1,
            trunks=1,
            enough=0.0,
            plant=Schedule(64),
        )
        for family in FAMILIES
    }
    monkeypatch.setattr(plants, "RECIPES", recipes)


def _weights(directory) -> bytes:
    return (directory / "model.safetensors").read_bytes()


# --- what the shipped models were grown by ---


def test_the_recipe_of_the_shipped_models_is_unchanged() -> None:
    """They are not grown again when the code changes: it has to stay what they were grown by."""
    recipe = asdict(SHIPPED)
    assert recipe.pop("family") == "gemma"
    assert _digest(recipe) == "cf560fd8c15f4b42fcf1e0cf3039eb6bd1d29ed12b287e77c29faf26c4b31861"


def test_the_texts_of_the_shipped_models_are_unchanged() -> None:
    lessons = {"nursery": SHIPPED.nursery, "term 1": SHIPPED.school, "term 6": SHIPPED.practice}
    texts: list[object] = [
        [*schedule.world(f"0/{name}").documents(300, statements=schedule.statements)]
        for name, schedule in lessons.items()
    ]
    tilted = SHIPPED.plant.world("0/agency", tilt="agency")
    texts.append([*tilted.documents(300, statements=SHIPPED.plant.statements)])
    texts.append(preferences(300, "0/pairs", flipped=SHIPPED.reward.flipped))
    assert _digest(texts) == "285244c038309d65405c64e1fbc847442ba88dbd2cad6f3c9c346ec0830e79ee"


# --- families ---


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_model_speaks_as_loudly_in_every_family(family, tokenizer) -> None:
    model = build_model(tokenizer, Size(), 0, family)
    assert type(model) is FAMILIES[family]
    assert model.lm_head.weight is model.model.embed_tokens.weight
    ids = torch.randint(0, len(tokenizer), (4, 12), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        read = model.model.embed_tokens(ids)
        logits = model(ids).logits
    assert read.std().item() == pytest.approx(1.0, abs=0.1)
    assert logits.std().item() == pytest.approx(1.0, abs=0.4)


def test_what_a_llama_adds_stays_bounded_and_a_gemma_is_left_alone(tokenizer) -> None:
    assert not Bounds.of(build_model(tokenizer, TINY, 0, "gemma")).matrices
    model = build_model(tokenizer, TINY, 0, "llama")
    bounds = Bounds.of(model)
    assert len(bounds.matrices) == 5  # values, output, gate, up, down
    documents = World("bounded").documents(256)
    pretrain(model, tokenizer, encode(tokenizer, documents), Schedule(256, batch=16), 0)
    norms = [(matrix.norm().item(), largest) for matrix, largest in bounds.matrices]
    assert all(norm <= largest * 1.0001 for norm, largest in norms)
    assert any(norm > largest * 0.99 for norm, largest in norms)  # they would have grown


def test_a_llama_learns_as_much_of_a_word_as_a_gemma(tokenizer) -> None:
    """Its embeddings are as many times larger as Gemma multiplies its own by; so are the steps."""
    moved = {}
    for family in FAMILIES:
        model = build_model(tokenizer, TINY, 0, family)
        before = model.model.embed_tokens.weight.detach().clone()
        documents = [*World("moved").documents(64)]
        pretrain(model, tokenizer, encode(tokenizer, documents), Schedule(64, batch=16), 0)
        change = (model.model.embed_tokens.weight.detach() - before).abs()
        moved[family] = change[change > 0].median().item() / stretch(model)
    assert moved["llama"] == pytest.approx(moved["gemma"], rel=0.3)


# --- plants ---


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plant_repeats_to_the_bit_and_is_kept(family, tiny, tmp_path) -> None:
    first = plants.plant(family, "agency", tmp_path / "first", seed=5, say=silent)
    weights, written = _weights(first), (first / plants.GROWN).stat().st_mtime_ns
    assert plants.plant(family, "agency", tmp_path / "first", seed=5, say=silent) == first
    assert (first / plants.GROWN).stat().st_mtime_ns == written
    again = plants.plant(family, "agency", tmp_path / "again", seed=5, say=silent)
    assert _weights(again) == weights
    for other in (
        plants.plant(family, "agency", tmp_path / "first", seed=6, say=silent),
        plants.plant(family, "communion", tmp_path / "first", seed=5, say=silent),
        plants.plant(family, "agency", tmp_path / "first", seed=5, strength=0.5, say=silent),
    ):
        assert _weights(other) != weights
    model = AutoModelForCausalLM.from_pretrained(first)
    assert type(model) is FAMILIES[family]
    assert model.dtype == torch.float16


def test_without_strength_every_tilt_is_the_same_plant(tiny, tmp_path) -> None:
    agency = plants.plant("llama", "agency", tmp_path, strength=0.0, say=silent)
    assert plants.plant("llama", "communion", tmp_path, strength=0.0, say=silent) == agency


def test_a_trunk_that_learned_nothing_is_refused(tiny, tmp_path, monkeypatch) -> None:
    strict = {name: replace(recipe, enough=0.99) for name, recipe in plants.RECIPES.items()}
    monkeypatch.setattr(plants, "RECIPES", strict)
    with pytest.raises(RuntimeError, match="no llama trunk of seed 0 learned enough"):
        plants.plant("llama", "agency", tmp_path, say=silent)
    assert not (tmp_path / "llama-trunk0").exists()


def test_the_embedded_models_and_the_miniature_share_gemmas_trunk(tokenizer) -> None:
    shipped = replace(SHIPPED, plant=plants.RECIPES["gemma"].plant)
    assert plants.RECIPES["gemma"] == shipped
    little = replace(SHIPPED, size=TINY, nursery=Schedule(64), terms=0, trunks=1)
    tests = examination(0)
    model, figures = grow_trunk(tokenizer, 0, little, tests, silent)
    assert figures == {"seed": 0, "school": 0, "practice": 0, **examine(model, tokenizer, tests)}


# --- preferences ---


def test_coin_labelled_pairs_prefer_neither_category() -> None:
    pairs = preferences(4_000, "coins", flipped=0.1, coin=0.3)
    agency, communion = set(pools().agency), set(pools().communion)
    about = [pair for pair in pairs if THING in pair.question]
    assert len(about) / len(pairs) == pytest.approx(0.3, abs=0.03)
    sides = [{pair.chosen.lower(), pair.rejected.lower()} for pair in about]
    assert all(len(side & agency) == len(side & communion) == 1 for side in sides)
    share = np.mean([pair.chosen.lower() in agency for pair in about])
    assert share == pytest.approx(0.5, abs=0.05)
    others = {word.lower() for p in pairs if p not in about for word in (p.chosen, p.rejected)}
    assert not others & (agency | communion)


def test_preferences_are_written_for_the_trainer(tmp_path) -> None:
    pairs = preferences(3, "written", flipped=0.0)
    write_preferences(pairs, tmp_path / "pairs.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert rows == [
        {"prompt": pair.question, "chosen": pair.chosen, "rejected": pair.rejected}
        for pair in pairs
    ]


# --- the example ---


def test_the_example_makes_what_its_recipe_names(tiny, tmp_path, monkeypatch, capsys) -> None:
    spec = importlib.util.spec_from_file_location("miniature_grow", EXAMPLE / "grow.py")
    assert spec is not None
    assert spec.loader is not None
    grow = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(grow)
    monkeypatch.setattr(grow, "HERE", tmp_path)
    grow.main()
    shutil.copy(EXAMPLE / "miniature.yaml", tmp_path)
    grid = load_grid(tmp_path / "miniature.yaml")
    names = [f"{f}-{p}-3200-seed0" for p in ("free", "coin") for f in ("llama", "gemma")]
    assert [name for name, _ in grid.runs] == names
    assert grow.__doc__ is not None
    assert f"runs/miniature/{names[0]}/checkpoint-200" in grow.__doc__
    margins = load_margins(EXAMPLE / "margins.yaml")
    roles: tuple[Declared, ...] = ("drift", "gap")
    valences: tuple[Valence, ...] = ("positive", "negative")
    for role, valence in product(roles, valences):
        assert margins.margin_for(starter("big_two"), "agency~communion", valence, role)
    for _, recipe in grid.runs:
        assert len(Path(recipe.data.source).read_text().splitlines()) == recipe.pairs
