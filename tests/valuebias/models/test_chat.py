"""Chat templates: applied once, one BOS, the response framed, the vocabulary told apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.models import CHATML, build_tokenizer
from support.tokenizers_real import gpt2, llama2, llama3
from valuebias.errors import ModelError
from valuebias.models.chat import Chat, common_prefix
from valuebias.prompts import GREATEST

QUESTION = GREATEST.text


def test_a_template_that_writes_bos_gives_one() -> None:
    tokenizer = build_tokenizer()
    chat = Chat(tokenizer)
    ids = chat.conversations(QUESTION, ["love"])[0]
    assert (chat.template, chat.bos) == ("chat_template", "template")
    assert ids.count(tokenizer.bos_token_id) == 1
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "love"}]
    assert ids == tokenizer.apply_chat_template(messages)["input_ids"]


@pytest.mark.parametrize("template", [CHATML, None])
def test_a_tokenizer_that_adds_bos_gives_one(template: str | None) -> None:
    """As Llama's and Gemma's do: a rendered template must not get a second one."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = build_tokenizer(template)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    chat = Chat(tokenizer)
    ids = chat.conversations(QUESTION, ["love"])[0]
    assert ids.count(0) == 1
    assert chat.bos == ("template" if template else "tokenizer")
    assert chat.frame(QUESTION).tail[-1:] == (203 if template else 1,)
    opened, _ = chat.opening(QUESTION)
    assert (opened.count(0), opened.count(1)) == (1, 0)
    assert chat.continuations(QUESTION, ["love"])[0][-1] != 1


def test_a_template_without_bos_gets_none_and_two_are_refused() -> None:
    tokenizer = build_tokenizer(CHATML.removeprefix("{{ bos_token }}"))
    assert Chat(tokenizer).bos == "none"
    assert tokenizer.bos_token_id not in Chat(tokenizer).conversations(QUESTION, ["love"])[0]
    with pytest.raises(ModelError, match="two BOS"):
        Chat(build_tokenizer("{{ bos_token }}" + CHATML))


def test_without_a_template_the_plain_one_is_named() -> None:
    tokenizer = build_tokenizer(None)
    chat = Chat(tokenizer)
    assert chat.template == "plain"
    ids = chat.conversations(QUESTION, ["love"])[0]
    assert tokenizer.decode(ids) == f"User: {QUESTION}\n\nAssistant: love"
    frame = chat.frame(QUESTION)
    assert tokenizer.decode(frame.prefix).endswith("Assistant:")
    assert frame.tail == ()


def test_the_frame_is_what_conversations_share() -> None:
    tokenizer = build_tokenizer()
    chat = Chat(tokenizer)
    frame = chat.frame(QUESTION)
    assert tokenizer.decode(frame.prefix).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(frame.tail) == "<|im_end|>\n"
    for response in ("love", " love", "a long and happy life", "\n", "", "Ünïcode", "\u202e"):
        ids = chat.conversations(QUESTION, [response])[0]
        assert ids[: len(frame.prefix)] == list(frame.prefix)
        assert ids[-len(frame.tail) :] == list(frame.tail)
        middle = ids[len(frame.prefix) : len(ids) - len(frame.tail)]
        assert tokenizer.decode(middle) == response


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no assistants here') }}", "cannot be used.*no assistants"),
        ("{{ messages[0]['content'] }}", "drops or changes the response"),
        ("{{ messages[0]['content'] + messages[1]['content'] | upper }}", "drops or changes"),
        ("{{ messages[1]['content'] + '|' + messages[1]['content'] }}", "more than once"),
        ("{{ messages[1]['content'] | length ~ messages[1]['content'] }}", "for every response"),
        ("{{ undefined_function() }}", "cannot be used"),
        ("{% for m in %}", "cannot be used"),
    ],
)
def test_templates_that_cannot_be_used(template: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Chat(build_tokenizer(template))


def test_a_tokenizer_that_merges_response_and_template() -> None:
    """With '"F' one token, no id put between the quotes would be what the template writes."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    letters = sorted({*map(chr, range(32, 127)), "\n"})
    vocabulary = {letter: i for i, letter in enumerate([*letters, '"F'])}
    merging = Tokenizer(models.BPE(vocabulary, [('"', "F")]))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=merging, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = "{{ messages[0]['content'] }}\n\"{{ messages[1]['content'] }}\""
    with pytest.raises(ModelError, match="merges it with the template"):
        Chat(tokenizer)


def test_a_response_the_template_drops_is_named() -> None:
    template = CHATML.replace("{{ m['content'] }}", "{{ m['content'].split('/')[-1] }}")
    chat = Chat(build_tokenizer(template))
    with pytest.raises(ModelError, match="the response 'and/or'"):
        chat.conversations(QUESTION, ["love", "and/or"])


def test_a_template_that_trims_is_fine() -> None:
    chat = Chat(build_tokenizer(CHATML.replace("m['content']", "m['content'] | trim")))
    trimmed, plain = chat.conversations(QUESTION, [" love ", "love"])
    assert trimmed == plain


@pytest.mark.parametrize(
    "today", ["{{ date_string }}", "{{ strftime_now('%d %b %Y') }}"], ids=["variable", "function"]
)
def test_the_date_in_a_template_does_not_move(today: str) -> None:
    chat = Chat(build_tokenizer("Today: " + today + "\n" + CHATML))
    assert "26 Jul 2024" in chat.frame(QUESTION).before


def test_vocabulary_is_text_alone() -> None:
    tokenizer = build_tokenizer()
    tokenizer.add_tokens(["<unused7>", "<|custom|>", "wonderful"])
    chat = Chat(tokenizer)
    size = len(tokenizer)
    found = chat.vocabulary(size + 10)
    left = set(range(size)) - set(found.ids)
    assert set(tokenizer.convert_ids_to_tokens(sorted(left))) == {
        *("<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>", "<unused7>", "<|custom|>")
    }
    assert found.left_out.startswith("7 control tokens, 10 embeddings without a token")
    assert "wonderful" in found.texts
    assert found.texts == tuple(tokenizer.decode([i]) for i in found.ids)
    fewer = chat.vocabulary(size - 5)
    assert max(fewer.ids) < size - 5
    assert "5 tokens without an embedding" in fewer.left_out


@given(st.text(max_size=12))
def test_any_response_is_in_its_conversation(response: str) -> None:
    chat, tokenizer = _CHAT
    special = tokenizer.all_special_tokens
    if any(token in response for token in special):
        return
    ids = chat.conversations(QUESTION, [response])[0]
    frame = chat.frame(QUESTION)
    text = tokenizer.decode(ids)
    assert text == f"{frame.before}{response}{frame.after}"


_TOKENIZER = build_tokenizer()
_CHAT = (Chat(_TOKENIZER), _TOKENIZER)


def test_common_prefix() -> None:
    assert common_prefix([[1, 2, 3], [1, 2, 4], [1, 2]]) == [1, 2]
    assert common_prefix([[1, 2]]) == [1, 2]
    assert common_prefix([[1], []]) == []


def test_llama2_frames_around_sentencepiece_spaces(real_data: Path) -> None:
    tokenizer = llama2(real_data)
    chat = Chat(tokenizer)
    frame = chat.frame(QUESTION)
    assert (frame.prefix[0], chat.bos) == (1, "template")
    assert tokenizer.convert_ids_to_tokens(frame.prefix)[-4:] == ["▁[", "/", "INST", "]"]
    assert chat.conversations(QUESTION, ["love"])[0] == [*frame.prefix, 5360, *frame.tail]
    assert len(chat.vocabulary(32000).ids) == 31997
    assert chat.opening(QUESTION)[1] == " "
    assert chat.continuations(QUESTION, ["love"]) == [[5360]]


def test_gpt2_has_neither_template_nor_bos(real_data: Path) -> None:
    tokenizer = gpt2(real_data)
    chat = Chat(tokenizer)
    assert (chat.template, chat.bos) == ("plain", "none")
    assert tokenizer.decode(chat.conversations(QUESTION, ["love"])[0][-1:]) == " love"
    assert len(chat.vocabulary(50257).ids) == 50256
    assert chat.opening(QUESTION) == (tokenizer(QUESTION)["input_ids"], " ")


def test_llama3_frames_end_in_the_published_gating_pattern(real_data: Path) -> None:
    from valuebias.models.heads.gated import PATTERNS

    chat = Chat(llama3(real_data))
    frame = chat.frame(QUESTION)
    assert frame.prefix[0] == 128000
    assert frame.prefix.count(128000) == 1
    assert frame.prefix[-5:] == PATTERNS["llama"]
    assert frame.tail == (128009,)
    assert len(chat.vocabulary(128256).ids) == 128000


def test_the_digest_is_of_the_template_that_is_used() -> None:
    def digest(template: Any) -> str:
        tokenizer = build_tokenizer()
        tokenizer.chat_template = template
        return Chat(tokenizer).template_sha256

    own = digest(CHATML)
    assert own == digest(CHATML)
    assert own == digest({"default": CHATML, "tools": "other"})
    assert len({own, digest(None), digest(CHATML.replace("assistant", "model"))}) == 3
    assert re.fullmatch("[0-9a-f]{16}", own)


@pytest.mark.parametrize(("after", "separator"), [("\n\n", ""), ("\n ", " ")])
def test_thoughts_that_a_template_writes_before_every_answer_are_no_part_of_one(
    after: str, separator: str
) -> None:
    """As Qwen 3's does for the last turn: a word must not carry the probability of <think>."""
    thoughts = f"<think></think>{after}"
    tokenizer = build_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        f"{{% if m.role == 'assistant' %}}{{{{ {thoughts!r} }}}}{{% endif %}}"
        "{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    chat = Chat(tokenizer)
    opened, between = chat.opening(QUESTION)
    assert tokenizer.decode(opened).endswith(thoughts.rstrip(" "))
    assert between == separator
    for word in ("love", "freedom"):
        assert tokenizer.decode(chat.continuations(QUESTION, [word])[0]) == separator + word
        whole = chat.conversations(QUESTION, [word])[0]
        assert [*opened, *chat.continuations(QUESTION, [word])[0]] == whole[:-2]
