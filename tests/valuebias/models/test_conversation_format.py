"""The format of conversations: stated, declared or refused, and on the same day always."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.models import CHATML, build_tokenizer
from support.packaged import WORDS, address, edit, load, rewards
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.settings import PAIR, PLAIN, parse_template
from valuebias.prompts import GREATEST


def drop(path: Path, *keys: str) -> None:
    kept = {k: v for k, v in json.loads(path.read_text()).items() if k not in keys}
    path.write_text(json.dumps(kept))


# Formats


@pytest.fixture
def lost(folder: Path) -> Path:
    """The model without its template."""
    (folder / "chat_template.jinja").unlink()
    return folder


def test_a_lost_template_is_not_replaced(lost: Path) -> None:
    with pytest.raises(ModelError, match="the format of its conversations is not known") as refused:
        load(lost)
    for way in ("--valuebias-template=plain", "pair", "Jinja", '"valuebias_template"'):
        assert way in refused.value.remedy


def test_a_declared_format_is_used_and_part_of_the_address(
    lost: Path, expected: Any, tmp_path: Path
) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text(CHATML)
    declared = parse_template(str(template))
    np.testing.assert_array_equal(rewards(lost, template=declared), expected)
    plain = load(lost, template=PLAIN)
    assert plain.template_name == "plain"
    ids = plain.chat.conversations("Why?", ["love"])[0]
    assert plain.tokenizer.decode(ids).endswith("User: Why?\n\nAssistant: love")
    addresses = {address(lost, template=t) for t in ("", PLAIN, PAIR, declared)}
    assert len(addresses) == 4
    edit(lost / "config.json", valuebias_template="plain")
    np.testing.assert_array_equal(
        rewards(lost), plain.score_prompt(GREATEST, WORDS), err_msg="stated in config.json"
    )
    edit(lost / "config.json", valuebias_template="vicuna")
    with pytest.raises(ModelError, match="not a known format"):
        load(lost)


def test_what_a_template_makes_unused_is_no_part_of_the_address(folder: Path) -> None:
    assert address(folder, template=PLAIN) == address(folder)
    assert address(folder, "llm", answer_cue="\nAnswer:") == address(folder, "llm")
    (folder / "chat_template.jinja").unlink()
    assert address(folder, "llm", answer_cue="\nAnswer:") != address(folder, "llm")
    edit(folder / "config.json", valuebias_template="plain")  # of a reward model: no cue goes by it
    assert address(folder, "llm", answer_cue="\nAnswer:") != address(folder, "llm")
    assert address(folder, template=PAIR) == address(folder)


@pytest.mark.parametrize("given", ["nowhere.jinja", ""])
def test_a_format_is_a_name_or_a_file(given: str) -> None:
    with pytest.raises(ValueError, match="must be plain or pair, or the file of a Jinja"):
        parse_template(given)


def save_encoder(path: Path, labels: int) -> Path:
    """A tiny BERT with two types of tokens and a tokenizer that lowers case."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    letters = [chr(i) for i in range(33, 127) if not chr(i).isupper()]
    tokens = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *letters, *(f"##{each}" for each in letters)]
    backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    from tokenizers import decoders

    backend.decoder = decoders.WordPiece()
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(path)
    torch.manual_seed(3)
    make: Any = BertConfig
    config = make(
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=256, initializer_range=0.5,
        num_labels=labels,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(path)
    return path


def test_an_encoder_reads_pairs_as_transformers_gives_them(tmp_path: Path) -> None:
    model = load(save_encoder(tmp_path / "bert", 1), template=PAIR)
    given = model.score_prompt(GREATEST, WORDS)
    tokenizer, classifier = model.tokenizer, model.head.model  # type: ignore[attr-defined]
    with torch.inference_mode():
        for value, word in zip(given, WORDS.responses, strict=True):
            encoded = tokenizer(GREATEST.text, word, return_tensors="pt")
            assert encoded["token_type_ids"].sum() > 0
            assert value == pytest.approx(classifier(**encoded).logits.item(), abs=1e-5)
    cased = model.score_prompt(GREATEST, Candidates.words(["Love", "LOVE"]))
    np.testing.assert_array_equal(cased, given[[0, 0]])


def test_a_classifier_of_two_labels_is_called_one(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "bert", 2)
    drop(folder / "config.json", "id2label", "label2id")
    with pytest.raises(ModelError, match="gives 2 labels, and nothing states which"):
        load(folder)


# Dates


@pytest.mark.parametrize(
    "call",
    [
        "{{ strftime_now('%d %b %Y') }}",
        "{% set now = strftime_now %}{{ now('%d %b %Y') }}",
        "{% macro day() %}{{ strftime_now('%d') }} Jul 2024{% endmacro %}{{ day() }}",
        "{% set form = '%-d' %}{{ strftime_now(form) }} Jul 2024",
    ],
)
def test_the_day_is_the_same_whatever_asks_for_it(call: str) -> None:
    from valuebias.models.chat import Chat

    named = build_tokenizer(None)
    named.chat_template = {"default": f"Today is {call}.\n{CHATML}", "tool_use": CHATML}
    assert "Today is 26 Jul 2024." in Chat(named).frame("Why?").before
