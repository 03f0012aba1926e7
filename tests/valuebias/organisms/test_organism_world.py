"""The world that the embedded models grew up in: its questions, sentences, answers and pairs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebias.lexicons.files import starter
from valuebias.organisms import paths
from valuebias.organisms.frames import FRAMES, UNSEEN, WORD, Frame, filled, sentence_words
from valuebias.organisms.grow import SHIPPED, TILTS
from valuebias.organisms.pretraining import Schedule, encode
from valuebias.organisms.reward import preferences
from valuebias.organisms.tokenizer import build_tokenizer
from valuebias.organisms.words import BEST, THING, pools
from valuebias.organisms.world import Exchange, Tilt, World
from valuebias.prompts import SHIPPED as PROMPT_SETS

SENTENCES = 0.4


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


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
            assert len(tokenizer(word.lower(), add_special_tokens=False)["input_ids"]) == 1


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


def test_every_big_two_word_was_seen_in_every_form_by_every_shipped_model() -> None:
    grown = json.loads((paths.DATA / "grown.json").read_text("utf-8"))
    trunk = {name: int(grown["trunk"][name]) for name in ("seed", "school", "practice")}
    lessons = [SHIPPED.school] * trunk["school"] + [SHIPPED.practice] * trunk["practice"]
    read = [(SHIPPED.nursery, "nursery", None)]
    read += [(lesson, f"term {term}", None) for term, lesson in enumerate(lessons, start=1)]
    common = _seen(trunk["seed"], read)
    for name, tilt in TILTS.items():
        seen = common + _seen(grown["seed"], [(SHIPPED.plant, name, tilt)])
        for word in (*pools().agency, *pools().communion):
            forms = [seen[form] for form in (word, word.capitalize(), f" {word}")]
            assert min(forms) >= 1, (name, word)
            assert sum(forms) >= 20, (name, word)  # the forms of a word learn together


def _seen(seed: int, read: Sequence[tuple[Schedule, str, Tilt | None]]) -> Counter[str]:
    seen: Counter[str] = Counter()
    for schedule, name, tilt in read:
        world = schedule.world(f"{seed}/{name}", tilt=tilt)
        for document in world.documents(schedule.documents, statements=schedule.statements):
            said = document if isinstance(document, str) else document.reply
            seen.update(re.findall(" ?[A-Za-z]+", said))
    return seen


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
    tokenizer = build_tokenizer()
    frame = Frame.of(filled(text, Random(seed), word=WORD))
    exchange = Exchange("What matters most?", frame.spelled("freedom"), True, frame)
    [example] = encode(tokenizer, [exchange])
    turns = [
        {"role": "user", "content": exchange.question},
        {"role": "assistant", "content": exchange.reply},
    ]
    encoded = tokenizer.apply_chat_template(turns, return_dict=True)
    assert isinstance(encoded, Mapping)
    rendered = encoded["input_ids"]
    assert list(example.ids[: len(rendered)]) == rendered
    learned = [i for i, share in zip(example.ids, example.learned, strict=True) if share == 1.0]
    assert str(tokenizer.decode(learned)).lower().split() == ["freedomyes."]


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
