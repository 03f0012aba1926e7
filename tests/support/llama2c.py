"""Models in llama2.c's format, converted to transformers' own: a really pretrained tiny Llama."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch


def convert(weights: Path) -> Any:
    """The LlamaForCausalLM in a llama2.c file (version 0: seven int32, then float32 tensors)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    raw = weights.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, positions = struct.unpack("7i", raw[:28])
    floats = np.frombuffer(raw, dtype=np.float32, offset=28)
    taken = 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal taken
        size = int(np.prod(shape))
        taken += size
        return torch.from_numpy(floats[taken - size : taken].copy()).reshape(shape)

    kv = dim // heads * kv_heads
    embedding = take(abs(vocabulary), dim)
    stacked = {
        "input_layernorm": take(layers, dim),
        "self_attn.q_proj": _for_rotation(take(layers, dim, dim), heads),
        "self_attn.k_proj": _for_rotation(take(layers, kv, dim), kv_heads),
        "self_attn.v_proj": take(layers, kv, dim),
        "self_attn.o_proj": take(layers, dim, dim),
        "post_attention_layernorm": take(layers, dim),
        "mlp.gate_proj": take(layers, hidden, dim),
        "mlp.down_proj": take(layers, dim, hidden),
        "mlp.up_proj": take(layers, hidden, dim),
    }
    state = {
        f"model.layers.{i}.{name}.weight": tensor[i]
        for name, tensor in stacked.items()
        for i in range(layers)
    }
    state["model.embed_tokens.weight"] = state["lm_head.weight"] = embedding
    state["model.norm.weight"] = take(dim)
    config = LlamaConfig(
        vocab_size=abs(vocabulary),
        hidden_size=dim,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=positions,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    return model.eval()


def _for_rotation(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """llama2.c rotates neighbouring pairs, transformers the two halves of a head."""
    layers, rows, columns = weight.shape
    paired = weight.reshape(layers, heads, rows // heads // 2, 2, columns)
    return paired.transpose(2, 3).reshape(layers, rows, columns)


def convert_tokenizer(file: Path) -> Any:
    """The SentencePiece BPE tokenizer in a llama2.c file, as a fast tokenizer that adds BOS."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    raw = file.read_bytes()
    pieces: list[tuple[str, float]] = []
    at = 4  # after the length of the longest piece
    while at < len(raw):
        score, length = struct.unpack("fi", raw[at : at + 8])
        pieces.append((raw[at + 8 : at + 8 + length].decode(), score))
        at += 8 + length
    texts = ["<unk>", "<s>", "</s>", *(text.replace(" ", "▁") for text, _ in pieces[3:])]
    vocabulary = {text: i for i, text in enumerate(texts)}
    merges = [
        (-pieces[i][1], (text[:cut], text[cut:]))
        for text, i in vocabulary.items()
        if i > 258  # beyond the special tokens and the 256 bytes
        for cut in range(1, len(text))
        if text[:cut] in vocabulary and text[cut:] in vocabulary
    ]
    tokenizer = Tokenizer(
        models.BPE(
            vocabulary,
            [pair for _, pair in sorted(merges, key=lambda merge: merge[0])],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<unk>",
        clean_up_tokenization_spaces=False,
    )


def save_reward_model(folder: Path, path: Path) -> Path:
    """Save the model and tokenizer of ``folder`` (stories260K) as a reward model whose linear head
    is fitted, by ridge regression, to like kind words and dislike unkind ones."""
    from transformers import LlamaForSequenceClassification

    model = convert(folder / "stories260K.bin")
    tokenizer = convert_tokenizer(folder / "tok512.bin")
    likes = ("happy", "friend", "love", "kind", "smile", "play", "fun", "hug")
    dislikes = ("sad", "angry", "cry", "hurt", "mean", "scared", "bad", "broken")
    with torch.inference_mode():
        states = torch.stack(
            [
                model.model(**tokenizer(word, return_tensors="pt")).last_hidden_state[0, -1]
                for word in (*likes, *dislikes)
            ]
        )
    wanted = torch.tensor([1.0] * len(likes) + [-1.0] * len(dislikes))
    centred = states - states.mean(0)
    gram = centred.T @ centred + 0.1 * torch.eye(states.shape[1])
    config = model.config
    config.num_labels = 1
    reward = LlamaForSequenceClassification(config)
    reward.model.load_state_dict(model.model.state_dict())
    with torch.no_grad():
        reward.score.weight.copy_(torch.linalg.solve(gram, centred.T @ wanted)[None])
    reward.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
