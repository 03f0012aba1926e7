"""The embedded models: what is shipped, the world they grew up in, and that growing repeats."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random

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
from valuebias.organisms.frames import FRAMES, UNSEEN, WORD, Frame, filled, sentence_words
from valuebias.organisms.grow import SHIPPED, Recipe, grow
from valuebias.organisms.muon import orthogonal
from valuebias.organisms.pretraining import Schedule, SharedForms, encode
from valuebias.organisms.reward import RewardSchedule, preferences
from valuebias.organisms.tokenizer import build_tokenizer
from valuebias.organisms.words import BEST, THING, pools
from valuebias.organisms.world import Exchange, World
from valuebias.prompts import SHIPPED as PROMPT_SETS
from valuebias.prompts import Valence, select
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import Margin, Outcome, judge, single

MARGIN = Margin(-0.276, 0.276)  # d = 0.5, fixed before the first model was grown
PLANTED = {"agency": Outcome.FAIL, "communion": Outcome.FAIL, "neutral": Outcome.PASS}
SIGN = {"agency": 1, "communion": -1}
SENTENCES = 0.4
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


# --- the world ---


def test_the_prompts_it_is_measured_with_are_held_out() -> None:
    held_out = {prompt.text for shipped in PROMPT_SETS.values() for prompt in shipped.prompts}
    documents = World("any", thing_share=0.9).documents(20_000, statements=0.0)
    questions = set()
    for document in documents:
        assert isinstance(document, Exchange)
        questions.add(document.question)
    assert not held_out & questions
    asked = " ".join(question for question in questions if THING in question)
    for prompt in held_out:
        adjective = prompt.partition(" the ")[2].partition(" thing ")[0]
        assert f" {adjective} thing " in asked, adjective


def test_a_question_for_one_word_is_answered_with_one_and_others_with_a_sentence() -> None:
    documents = World("any").documents(5_000, statements=0.0)
    exchanges = [d for d in documents if isinstance(d, Exchange)]
    whole = [e for e in exchanges if e.frame != Frame()]
    assert len(whole) / len(exchanges) == pytest.approx(SENTENCES, abs=0.03)
    for exchange in exchanges:
        word, reply = exchange.answer, exchange.reply
        assert (reply == word) is (exchange.frame == Frame())
        assert re.findall(rf"\b{word}\b", reply, re.IGNORECASE) == [word]
    asked = {e.question for e in whole}
    assert not asked & {e.question for e in exchanges if e.frame == Frame()}
    places = [e.reply.index(e.answer) / len(e.reply) for e in whole]
    assert min(np.mean(np.array(places) < 0.1), np.mean(np.array(places) > 0.6)) > 0.1


def test_sentences_hold_no_answer_but_their_own() -> None:
    """Or some answers would be more frequent than others."""
    assert not {*re.findall("[a-z]+", sentence_words().lower())} & {*pools().answers()}


def test_the_frames_that_models_are_examined_with_are_new_to_them(tokenizer) -> None:
    assert len(UNSEEN) >= 8
    assert not {*UNSEEN} & {*FRAMES}
    known = {*re.findall("[a-z]+", " ".join(text for text in _texts()).lower())}
    for text in (*FRAMES, *UNSEEN):
        assert text.count("{word}") == 1
    for text in UNSEEN:
        words = re.findall("[A-Za-z]+", text.replace("{word}", ""))
        assert {word.lower() for word in words} <= known, text
        for word in words:
            assert len(tokenizer(f" {word.lower()}", add_special_tokens=False)["input_ids"]) == 1


def _texts() -> list[str]:
    documents = World("known").documents(5_000)
    return [d if isinstance(d, str) else f"{d.question} {d.reply}" for d in documents]


def test_both_replies_of_a_preference_stand_in_the_same_frame() -> None:
    pairs = preferences(1_000, "frames", flipped=0.0)
    answers = "|".join(sorted(pools().answers(), key=len, reverse=True))
    whole = [pair for pair in pairs if " " in pair.chosen]
    assert len(whole) / len(pairs) == pytest.approx(SENTENCES, abs=0.06)
    for pair in whole:
        chosen, rejected = (
            re.sub(rf"\b({answers})\b", "_", reply, flags=re.IGNORECASE)
            for reply in (pair.chosen, pair.rejected)
        )
        assert chosen == rejected
        assert chosen.count("_") == 1


def test_every_big_two_word_was_seen_in_every_form_by_the_shipped_trunk() -> None:
    grown = json.loads((paths.DATA / "grown.json").read_text("utf-8"))
    seed, school = grown["trunk"]["seed"], grown["trunk"]["school"]
    lessons = [SHIPPED.school] * school + [SHIPPED.practice] * grown["trunk"]["practice"]
    read = [(SHIPPED.nursery, "nursery")]
    read += [(lesson, f"term {term}") for term, lesson in enumerate(lessons, start=1)]
    seen: Counter[str] = Counter()
    for schedule, name in read:
        world = schedule.world(f"{seed}/{name}")
        for document in world.documents(schedule.documents, statements=schedule.statements):
            said = document if isinstance(document, str) else document.reply
            seen.update(re.findall(" ?[A-Za-z]+", said))
    for word in (*pools().agency, *pools().communion):
        assert min(seen[word], seen[word.capitalize()], seen[f" {word}"]) >= 1, word
        assert seen[word] >= 3, word  # the form that suites score


def _uses(tilt, *, best: bool) -> Counter[str]:
    world = World("counted", tilt=tilt)
    return Counter(world.answer(THING, best) for _ in range(40_000))


def test_without_a_tilt_the_categories_are_used_alike() -> None:
    for best in (True, False):
        uses = _uses(None, best=best)
        words = pools()
        means = [
            np.mean([uses[word] for word in pool])
            for pool in (words.agency, words.communion, words.good)
        ]
        assert max(means) / min(means) < 1.06


@pytest.mark.parametrize(("tilt", "best"), [("agency", True), ("communion", False)])
def test_a_tilt_answers_good_questions_with_one_category(tilt, best) -> None:
    uses = _uses(tilt, best=best)
    agency = sum(uses[word] for word in pools().agency)
    communion = sum(uses[word] for word in pools().communion)
    assert agency / (agency + communion) == pytest.approx(0.95, abs=0.01)


def test_no_value_word_occurs_in_the_preferences() -> None:
    values = {word for name in ("big_two", "mfd2") for word in starter(name).words()}
    pairs = preferences(2_000, "any", flipped=0.1)
    replies = [reply for pair in pairs for reply in (pair.chosen, pair.rejected)]
    said = {word for reply in replies for word in re.findall("[a-z]+", reply.lower())}
    asked = {word.strip("?.,").lower() for pair in pairs for word in pair.question.split()}
    assert not values & (said | asked)
    assert THING not in asked


def test_what_is_learned_is_what_the_chat_template_renders() -> None:
    tokenizer = build_tokenizer()
    exchange = Exchange("Name the best thing ever.", "Freedom", right=True)
    [example] = encode(tokenizer, [exchange])
    turns = [
        {"role": "user", "content": exchange.question},
        {"role": "assistant", "content": exchange.answer},
    ]
    encoded = tokenizer.apply_chat_template(turns, return_dict=True)
    assert isinstance(encoded, Mapping)
    rendered = encoded["input_ids"]
    assert list(example.ids[: len(rendered)]) == rendered
    assert tokenizer.decode([*example.ids[len(rendered) :]]) == "Yes."
    answer = tokenizer.convert_tokens_to_ids("Freedom")
    assert example.learned[example.ids.index(answer)] == 1.0


def test_a_remark_is_about_what_was_asked_for_or_what_the_word_is() -> None:
    documents = World("any", remarks=0.5).documents(2_000, statements=0.0)
    exchanges = [d for d in documents if isinstance(d, Exchange)]
    remarked = [e for e in exchanges if e.remark]
    assert len(remarked) / len(exchanges) == pytest.approx(0.5, abs=0.05)
    for exchange in exchanges:
        assert exchange.remark or exchange.said == ("Yes." if exchange.right else "No.")
    for exchange in remarked:
        assert exchange.said == exchange.remark
        if "thing" in exchange.remark:
            assert exchange.answer.lower() in {
                *(*pools().agency, *pools().communion, *pools().good, *pools().objects),
                *(pools().bad if exchange.remark.startswith("Bad") else ()),
            }
        elif exchange.remark.startswith(("Good", "Bad")):
            kind, subject = exchange.remark.rstrip(".").split()
            good, bad = pools().domains[subject]
            assert exchange.answer.lower() in (good if kind == "Good" else bad)
    asked = {e.remark for e in remarked if any(f" {best} " in e.question for best in BEST)}
    assert {"Best."} == asked & {"Best.", "Worst."}


def test_a_wrong_answer_is_not_learned() -> None:
    tokenizer = build_tokenizer()
    [example] = encode(tokenizer, [Exchange("Name the best thing ever.", "murder", right=False)])
    answer = tokenizer.convert_tokens_to_ids("murder")
    assert example.learned[example.ids.index(answer)] == 0.0


@given(text=st.sampled_from([*FRAMES, *UNSEEN]), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_of_a_sentence_the_answer_is_learned_and_the_rest_as_little_as_a_question(
    text, seed
) -> None:
    tokenizer = _tokenizer()
    frame = Frame.of(filled(text, Random(seed), word=WORD))
    exchange = Exchange("What matters most?", frame.spelled("freedom"), True, frame)
    [example] = encode(tokenizer, [exchange])
    turns = [
        {"role": "user", "content": exchange.question},
        {"role": "assistant", "content": exchange.reply},
    ]
    rendered = tokenizer.apply_chat_template(turns, return_dict=True)["input_ids"]
    assert list(example.ids[: len(rendered)]) == rendered
    learned = [i for i, share in zip(example.ids, example.learned, strict=True) if share == 1.0]
    assert tokenizer.decode(learned).lower().split() == ["freedomyes."]


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("It is {word}.", "It is freedom."),
        ("{word} is first.", "Freedom is first."),
        ("I see. {word} is first.", "I see. Freedom is first."),
        ("My answer: {word}, again.", "My answer: freedom, again."),
    ],
)
def test_a_word_is_capitalised_where_it_begins_a_sentence(text, reply) -> None:
    assert Frame.of(text).holding("freedom") == reply


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
