"""Vectors of words: a packaged sentence-embedding model, and a language model's embeddings."""

from __future__ import annotations

import hashlib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

from support.models import save_language_model
from valuebias.errors import ModelError
from valuebias.models import embeddings
from valuebias.models.loading import load_language_model
from valuebias.models.settings import Settings
from valuebias.scorers.schemes import parse_spec

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "kind", "##ness", "loyal", "##ty", "civil", "rights"]
WORDS = ("kind", "Kindness", "loyalty", "civil rights")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BertModel:
    """A package like the published one, with a tiny random model; its code must not be run."""
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32,
    )  # fmt: skip
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path / "model")
    tokenizer = Tokenizer(WordPiece({p: i for i, p in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(tmp_path / "model" / "tokenizer.json"))
    folder = tmp_path / "packages" / embeddings.PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('run')\n")
    with zipfile.ZipFile(folder / "model.zip", "w") as archive:
        for path in sorted((tmp_path / "model").iterdir()):
            archive.write(path, path.name)
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    monkeypatch.setattr(embeddings, "WEIGHTS_SHA256", hashlib.sha256(weights).hexdigest())
    monkeypatch.syspath_prepend(str(folder.parent))
    return model


def test_vectors_are_means_over_tokens(package):
    ids = {
        "kind": [2, 4, 3], "Kindness": [2, 4, 5, 3], "loyalty": [2, 6, 7, 3],
        "civil rights": [2, 8, 9, 3],
    }  # fmt: skip
    vectors = embeddings.sentence_vectors(WORDS)
    assert tuple(vectors) == WORDS
    for word, tokens in ids.items():
        with torch.inference_mode():
            states = package(input_ids=torch.tensor([tokens])).last_hidden_state[0]
        assert vectors[word] == pytest.approx(states.double().mean(0).numpy(), abs=1e-5)


def test_other_weights_than_pinned_are_refused(package, monkeypatch):
    monkeypatch.setattr(embeddings, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ModelError, match=r"other weights than pinned\. Seen: SHA-256 [0-9a-f]{64}"):
        embeddings.sentence_vectors(WORDS)


def test_a_damaged_package_is_told(package, tmp_path):
    (tmp_path / "packages" / embeddings.PACKAGE / "model.zip").write_bytes(b"not a zip")
    with pytest.raises(ModelError, match=r"cannot read the packaged model .*model\.zip"):
        embeddings.sentence_vectors(WORDS)


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"not installed\. Seen: all_minilm_l6_v2\. Install it"):
        embeddings.sentence_vectors(WORDS)


@pytest.mark.skipif(find_spec(embeddings.PACKAGE) is None, reason="needs the extra facets")
def test_the_published_model_knows_what_words_mean():
    vectors = embeddings.sentence_vectors(("mother", "father", "genocide", "massacre"))
    mother, father, genocide, massacre = (v / np.linalg.norm(v) for v in vectors.values())
    assert mother @ father > 0.5 > mother @ genocide
    assert genocide @ massacre > 0.5 > father @ massacre


def test_a_language_models_embeddings_are_those_of_its_tokens(tmp_path):
    path = save_language_model(tmp_path / "lm", "llama")
    model = load_language_model(parse_spec(str(path), load_as="llm"), Settings(device="cpu"))
    vectors = embeddings.input_vectors(model, ["love", "a happy life"])
    table = model.model.get_input_embeddings().weight.detach().double().numpy()
    for word, vector in vectors.items():
        ids = model.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        assert vector == pytest.approx(np.mean([table[i] for i in ids], axis=0))
