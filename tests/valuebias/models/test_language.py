"""Language models: natural-log probabilities of tokens and words, against transformers' own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.llama2c import convert, convert_tokenizer
from support.models import CHATML, build_tokenizer, save_language_model
from valuebias.candidates import Candidates, Injection
from valuebias.errors import ModelError
from valuebias.models.language import LanguageModel, is_text
from valuebias.models.loading import load_language_model
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST, PAPER_PROMPTS, Prompt
from valuebias.scorers.schemes import parse_spec
from valuebias.search import TooSlow
from valuebias.search.token_sequences import Parts, prefix_free

WORDS = Candidates.words(["love", "freedom", "a happy life", "power", "winner", "lo"])


def load(path: Path, **settings: Any) -> LanguageModel:
    return load_language_model(parse_spec(str(path)), Settings(device="cpu", **settings))


def own_log_probability(path: Path, opened: list[int], tail: list[int]) -> float:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64).eval()
    total = 0.0
    for i, token in enumerate(tail):
        with torch.inference_mode():
            logits = model(torch.tensor([[*opened, *tail[:i]]])).logits[0, -1]
        total += float(logits.log_softmax(-1)[token])
    return total


@pytest.mark.parametrize("family", ["llama", "gemma2"])
@pytest.mark.parametrize("template", [True, False], ids=["template", "raw"])
def test_words_by_the_chain_rule(family: str, template: bool, tmp_path: Path) -> None:
    tokenizer = build_tokenizer() if template else build_tokenizer(None)
    path = save_language_model(tmp_path / "lm", family, tokenizer=tokenizer)
    model = load(path)
    values = model.score([GREATEST], WORDS).values[0]
    if template:
        messages = [{"role": "user", "content": GREATEST.text}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        separator = ""
    else:
        text, separator = GREATEST.text, " "
    opened = tokenizer(text, add_special_tokens=False)["input_ids"]
    for value, word in zip(values, WORDS.responses, strict=True):
        tail = tokenizer(separator + word, add_special_tokens=False)["input_ids"]
        assert value == pytest.approx(own_log_probability(path, opened, tail), abs=2e-3)
    assert model.template_name == ("chat_template" if template else "raw")


def test_the_vocabulary_is_one_distribution(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    everything = Candidates(
        tuple(f"t{i}" for i in range(len(model.tokenizer))),
        tuple(range(len(model.tokenizer))),
        injection="token",
    )
    values = model.score(PAPER_PROMPTS[:2], everything).values
    np.testing.assert_allclose(np.exp(values.astype(float)).sum(1), 1.0, atol=1e-5)
    text = model.vocabulary()
    assert text.token_ids is not None
    np.testing.assert_array_equal(
        model.score([GREATEST], text).values[0],
        model.score([GREATEST], everything).values[0][list(text.token_ids)],
    )
    assert "control tokens" in model.provenance["left_out"]
    assert 0 < model.round_trip(text) < 1


def test_a_word_of_one_token_has_its_tokens_probability(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    token = model.chat.continuations(GREATEST.text, [" thing"])[0]
    assert len(token) == 1
    word = model.score([GREATEST], Candidates.words([" thing"])).values[0, 0]
    single = Candidates((" thing",), tuple(token), injection="token")
    assert word == model.score([GREATEST], single).values[0, 0]


def test_chunks_and_resuming(tmp_path: Path) -> None:
    path = save_language_model(tmp_path / "lm")
    whole = load(path).score_prompt(GREATEST, WORDS)
    model = load(path, chunk_memory=40_000)
    chunks: list[int] = []
    rows = model.score_prompt(GREATEST, WORDS, on_chunk=lambda i, v: chunks.extend(i.tolist()))
    assert sorted(chunks) == list(range(len(WORDS)))
    np.testing.assert_allclose(rows, whole, atol=1e-4)
    done = np.array([True, False, True, False, True, True])
    rest = model.score_prompt(GREATEST, WORDS, done=done)
    np.testing.assert_array_equal(rest[~done], rows[~done])
    assert np.isnan(model.score_prompt(GREATEST, WORDS, done=np.ones(6, dtype=bool))).all()
    with pytest.raises(TooSlow):
        model.score_prompt(GREATEST, WORDS, time_limit=0.0)


def test_a_response_without_a_token(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    with pytest.raises(ModelError, match="no token of its own"):
        model.score_prompt(GREATEST, Candidates.words(["love", ""]))


def test_a_prompt_too_long_for_the_model(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    with pytest.raises(ModelError, match="longer than the model can read"):
        model.score_prompt(Prompt("long", "why " * 300), WORDS)
    long = Candidates.words(["love", "why " * 300])
    with pytest.raises(ModelError, match="longer than the model can read"):
        model.score_prompt(GREATEST, long)


def test_log_probabilities_that_are_not_finite(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    model.model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        model.score_prompt(GREATEST, WORDS)


def test_bfloat16_weights_give_float32_log_probabilities(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"), dtype="bfloat16")
    values = model.score([GREATEST], model.vocabulary()).values
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


# -- what each injection is the probability of -----------------------------------------------------


def chain(model: LanguageModel, opened: list[int], tail: Sequence[int]) -> float:
    """Natural log of the probability that ``opened`` goes on with ``tail``, one forward a token."""
    total = 0.0
    for i, token in enumerate(tail):
        with torch.inference_mode():
            logits = model.model(torch.tensor([[*opened, *tail[:i]]]), use_cache=False).logits
        total += float(logits[0, -1].double().log_softmax(-1)[token])
    return total


def scored(model: LanguageModel, words: Sequence[str], injection: Injection) -> Any:
    return model.score_prompt(GREATEST, Candidates.words(words, injection))


@pytest.mark.parametrize("family", ["llama", "gemma2", "qwen3", "gpt2"])
def test_text_and_the_end_of_the_turn(family: str, tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm", family))
    tokenizer = model.tokenizer
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    messages = [{"role": "user", "content": GREATEST.text}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    opened = tokenizer(text, add_special_tokens=False)["input_ids"]
    cases: tuple[tuple[Injection, list[int]], ...] = (("text", []), ("turn", [end]))
    for injection, after in cases:
        values = scored(model, WORDS.responses, injection)
        for word, value in zip(WORDS.responses, values, strict=True):
            tail = tokenizer(word, add_special_tokens=False)["input_ids"]
            assert value == pytest.approx(chain(model, opened, [*tail, *after]), abs=1e-4)


def test_without_a_template_a_turn_ends_with_the_text(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm", tokenizer=build_tokenizer(None)))
    opened = model.tokenizer(GREATEST.text, add_special_tokens=False)["input_ids"]
    eos = model.tokenizer.eos_token_id
    for word, value in zip(
        ("love", "power"), scored(model, ["love", "power"], "turn"), strict=True
    ):
        tail = model.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        assert value == pytest.approx(chain(model, opened, [*tail, eos]), abs=1e-4)
    endless = build_tokenizer(None, eos_token=None)
    model = load(save_language_model(tmp_path / "endless", tokenizer=endless))
    np.testing.assert_array_equal(
        scored(model, WORDS.responses, "turn"), scored(model, WORDS.responses, "text")
    )


def test_what_a_template_writes_before_the_end_of_a_turn_belongs_to_it(tmp_path: Path) -> None:
    spaced = CHATML.replace("<|im_end|>", " <|im_end|>")
    model = load(save_language_model(tmp_path / "lm", tokenizer=build_tokenizer(spaced)))
    tokenizer = model.tokenizer
    messages = [{"role": "user", "content": GREATEST.text}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    opened = tokenizer(text, add_special_tokens=False)["input_ids"]
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    space = tokenizer(" ", add_special_tokens=False)["input_ids"]
    love = tokenizer("love", add_special_tokens=False)["input_ids"]
    expected = chain(model, opened, [*love, *space, end])
    assert scored(model, ["love"], "turn")[0] == pytest.approx(expected, abs=1e-4)


def test_a_template_that_ends_no_turn(tmp_path: Path) -> None:
    endless = "{% for m in messages %}<|im_start|>{{ m['content'] }}{% endfor %}"
    endless += "{% if add_generation_prompt %}<|im_start|>{% endif %}"
    model = load(save_language_model(tmp_path / "lm", tokenizer=build_tokenizer(endless)))
    assert np.isfinite(scored(model, ["love"], "text")).all()
    with pytest.raises(ModelError, match="writes nothing after a response"):
        scored(model, ["love"], "turn")


@pytest.mark.parametrize("template", [True, False], ids=["template", "raw"])
def test_spellings_sum_over_distinct_token_sequences(template: bool, tmp_path: Path) -> None:
    tokenizer = build_tokenizer() if template else build_tokenizer(None)
    model = load(save_language_model(tmp_path / "lm", tokenizer=tokenizer))
    words = ["love", "McDonald", "a happy life", "7", "LOVE", "freedom"]
    values = scored(model, words, "spellings")
    text = GREATEST.text
    if template:
        messages = [{"role": "user", "content": text}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    opened = tokenizer(text, add_special_tokens=False)["input_ids"]
    for word, value in zip(words, values, strict=True):
        spelled = {word, word.lower(), word.capitalize(), word.upper()}
        tails = {
            tuple(tokenizer(lead + each, add_special_tokens=False)["input_ids"])
            for lead in ("", " ")
            for each in spelled
        }
        # No other sequence of these is contained in one of them: the sum is of all.
        assert not any(a != b and b[: len(a)] == a for a in tails for b in tails)
        expected = np.logaddexp.reduce([chain(model, opened, tail) for tail in tails])
        assert value == pytest.approx(expected, abs=1e-4)
    assert values[0] == values[4]  # the same spellings
    assert (values > scored(model, words, "text")).all()


def test_a_spelling_that_begins_with_another_counts_once() -> None:
    assert prefix_free([(1, 2), (1,), (3,), (1, 2), (3, 1), (2, 1)]) == [(1,), (3,), (2, 1)]
    parts = Parts([[(1,), (2, 1)], [(3,)]])
    values = np.log(np.array([0.25, 0.5, 0.125], dtype=np.float32))
    np.testing.assert_allclose(np.exp(parts.summed(values)), [0.75, 0.125])


def test_spellings_are_handed_out_once_whole_and_resume(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"), chunk_memory=40_000)
    words = Candidates.words(["love", "freedom", "power", "LOVE", "winner", "lo"], "spellings")
    whole = model.score_prompt(GREATEST, words)
    handed: list[tuple[int, float]] = []
    model.score_prompt(
        GREATEST, words, on_chunk=lambda i, v: handed.extend(zip(i.tolist(), v, strict=True))
    )
    assert sorted(i for i, _ in handed) == list(range(len(words)))
    np.testing.assert_array_equal([v for _, v in sorted(handed)], whole)
    done = np.array([True, False, True, False, True, True])
    rest: list[int] = []
    again = model.score_prompt(
        GREATEST, words, done=done, on_chunk=lambda i, _: rest.extend(i.tolist())
    )
    assert sorted(rest) == [1, 3]
    np.testing.assert_array_equal(again[~done], whole[~done])


# -- models without a template, and odd vocabularies -----------------------------------------------


def test_the_files_of_a_base_model_and_its_answer_cue(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(None)
    path = save_language_model(tmp_path / "lm", tokenizer=tokenizer)
    assert not (path / "chat_template.jinja").exists()
    bare, cued = load(path), load(path, answer_cue="\nAnswer:")
    cue = {"template": "raw", "answer_cue": "\nAnswer:"}
    assert cue.items() <= cued.provenance.items()
    assert bare.provenance["answer_cue"] == ""
    assert bare.fingerprint != cued.fingerprint
    opened = tokenizer(GREATEST.text + "\nAnswer:", add_special_tokens=False)["input_ids"]
    for word, value in zip(WORDS.responses, scored(cued, WORDS.responses, "text"), strict=True):
        tail = tokenizer(" " + word, add_special_tokens=False)["input_ids"]
        assert value == pytest.approx(chain(cued, opened, tail), abs=1e-4)
    assert not np.allclose(
        scored(bare, WORDS.responses, "text"), scored(cued, WORDS.responses, "text")
    )


def test_an_answer_cue_for_a_model_with_a_template(tmp_path: Path) -> None:
    """The template says itself where the answer begins, so the cue is for the others alone."""
    path = save_language_model(tmp_path / "lm")
    cued, bare = load(path, answer_cue="\nAnswer:"), load(path)
    np.testing.assert_array_equal(
        scored(cued, WORDS.responses, "text"), scored(bare, WORDS.responses, "text")
    )
    assert "answer_cue" not in cued.provenance


@pytest.mark.parametrize("template", [True, False], ids=["template", "raw"])
def test_a_tokenizer_without_bos(template: bool, tmp_path: Path) -> None:
    chatml = CHATML.replace("{{ bos_token }}", "") if template else None
    tokenizer = build_tokenizer(chatml, bos_token=None)
    model = load(save_language_model(tmp_path / "lm", tokenizer=tokenizer))
    assert model.provenance["bos"] == "none"
    opened, separator = model.chat.opening(GREATEST.text)
    assert opened[0] != 0  # <s>
    for word, value in zip(WORDS.responses, scored(model, WORDS.responses, "text"), strict=True):
        tail = tokenizer(separator + word, add_special_tokens=False)["input_ids"]
        assert value == pytest.approx(chain(model, opened, tail), abs=1e-4)


def test_a_vocabulary_padded_beyond_the_tokenizer(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    rows = len(tokenizer) + 24
    model = load(save_language_model(tmp_path / "lm", tokenizer=tokenizer, vocab_size=rows))
    candidates = model.vocabulary()
    assert candidates.token_ids is not None
    assert max(candidates.token_ids) < len(tokenizer)
    assert "24 embeddings without a token" in model.provenance["left_out"]
    values = model.score_prompt(GREATEST, candidates)
    opened, _ = model.chat.opening(GREATEST.text)
    with torch.inference_mode():
        logits = model.model(torch.tensor([opened])).logits[0, -1]
    assert len(logits) == rows
    expected = logits.log_softmax(-1)[list(candidates.token_ids)]  # over all rows, as emitted
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert np.exp(values.astype(float)).sum() < 1 - 1e-3


def test_the_vocabularys_texts_are_exact(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    candidates = model.vocabulary()
    assert candidates.token_ids is not None
    fragments = [text for text in candidates.responses if not is_text(text)]
    assert len(fragments) == 128  # the bytes that are no character by themselves
    assert "\ufffd" not in "".join(candidates.responses)
    assert 0 < model.round_trip(candidates) < 1
    with pytest.raises(ModelError, match="part of a character"):
        scored(model, ["love", fragments[0]], "text")


def test_a_really_trained_model_and_tokenizer(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "models" / "stories260K"
    convert(folder / "stories260K.bin").save_pretrained(tmp_path)
    convert_tokenizer(folder / "tok512.bin").save_pretrained(tmp_path)
    model = load(tmp_path)
    prompt = Prompt("story", "Once upon a")
    values = model.score_prompt(prompt, Candidates.words(["time", "tim", "table", "xylophone"]))
    opened = model.tokenizer(prompt.text)["input_ids"]
    assert opened[0] == 1
    for word, value in zip(("time", "tim", "table", "xylophone"), values, strict=True):
        whole = model.tokenizer(f"{prompt.text} {word}")["input_ids"]
        assert whole[: len(opened)] == opened
        assert value == pytest.approx(
            chain(model, opened, whole[len(opened) :]), abs=1e-5, rel=1e-6
        )
    assert values.argmax() == 0
    assert values[0] > np.log(0.9)


# -- refused before any score ----------------------------------------------------------------------


def test_preflight_refuses_what_is_no_distribution(tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    path = save_language_model(tmp_path / "lm")
    model = LlamaForCausalLM.from_pretrained(path)
    weight = model.lm_head.weight.data.clone()
    for fill, message in ((float("nan"), "not finite"), (0.0, "every token the same")):
        model.lm_head.weight.data.fill_(fill)
        model.save_pretrained(path)
        with pytest.raises(ModelError, match=message):
            load(path)
    model.lm_head.weight.data.copy_(weight)
    model.save_pretrained(path)
    load(path)


def test_preflight_refuses_a_model_that_looks_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaModel

    own = LlamaModel.forward

    def looking_ahead(self: Any, **inputs: Any) -> Any:
        out = own(self, **inputs)
        out.last_hidden_state = out.last_hidden_state + out.last_hidden_state[:, -1:]
        return out

    path = save_language_model(tmp_path / "lm")
    monkeypatch.setattr(LlamaModel, "forward", looking_ahead)
    with pytest.raises(ModelError, match="not causal"):
        load(path)


def test_preflight_refuses_a_model_that_hangs_on_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    own = LlamaForCausalLM.forward

    def leaking(self: Any, **inputs: Any) -> Any:
        out = own(self, **inputs)
        out.logits = out.logits * len(out.logits)
        return out

    path = save_language_model(tmp_path / "lm")
    monkeypatch.setattr(LlamaForCausalLM, "forward", leaking)
    with pytest.raises(ModelError, match="depend on the batch"):
        load(path)


def test_provenance_says_how_words_were_scored(tmp_path: Path) -> None:
    provenance = load(save_language_model(tmp_path / "lm")).provenance
    assert provenance["head"] == "log-probability"
    assert (provenance["rung"], provenance["rung_notes"]) == ("shared-prefix", "")
    assert float(provenance["self_check"]) < 1e-4
