"""How a tiny language model learns the world: by predicting the next token.

Hidden matrices learn with Muon, embeddings and norms with AdamW. On one thread it is repeatable to
the bit.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedTokenizerBase

from valuebias.organisms.families import Bounds, stretch
from valuebias.organisms.muon import Muon
from valuebias.organisms.tokenizer import END, MODEL, SPACE, USER
from valuebias.organisms.world import NO, YES, Document, Exchange, Tilt, World

_BACKGROUND = 0.02  # share learned of the tokens that are merely text: questions, turn marks


@dataclass(frozen=True)
class Schedule:
    """One pass over ``documents``, a share of them plain ``statements``, in batches of ``batch``.

    ``things``, ``sentences`` and ``remarks`` are shares of `World`. Of right answers a share
    ``answers`` is learned, and of statements half as much: which of many words answers is a matter
    of chance, and learning it drowns what judging teaches.

    Linear warm-up over ``warmup`` steps, full rates, linear decay over the last ``decay`` share.
    """

    documents: int
    statements: float = 0.3
    things: float = 0.5
    sentences: float = 0.4
    remarks: float = 0.0
    answers: float = 1.0
    batch: int = 64
    adamw: float = 3e-3
    muon: float = 0.015
    warmup: int = 20
    decay: float = 0.4

    def world(self, seed: str, *, tilt: Tilt | None = None, strength: float = 1.0) -> World:
        """A world of the documents it is about."""
        return World(
            seed,
            tilt=tilt,
            strength=strength,
            thing_share=self.things,
            sentences=self.sentences,
            remarks=self.remarks,
        )


class SharedForms(torch.nn.Module):
    """The embedding matrix while it learns: the forms of a word move together.

    A row is what the token had at first, plus what its word has learned since, plus what its form
    has (as it is, capitalised, after a space). So what is learned of "Freedom" holds for "freedom",
    and a word needs a third of the text. What is learned counts as many times as the model's
    embeddings are larger than Gemma's. ``fix`` makes the sum the model's own embedding.
    """

    word: torch.Tensor
    form: torch.Tensor

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        self.embedding = model.model.embed_tokens
        self.stretch = stretch(model)
        known = tokenizer.get_vocab()
        word, form = [], []
        for text, i in sorted(known.items(), key=lambda item: item[1]):
            plain = text.removeprefix(SPACE)
            lower = plain.lower()
            shared = len(lower) > 1 and lower in known
            word.append(known[lower] if shared else i)
            form.append(2 if shared and plain != text else 1 if shared and plain != lower else 0)
        self.register_buffer("word", torch.tensor(word))
        self.register_buffer("form", torch.tensor(form))
        self.words = torch.nn.Parameter(torch.zeros_like(self.embedding.weight))
        self.forms = torch.nn.Parameter(torch.zeros(3, self.words.shape[1]))

    def forward(self) -> torch.Tensor:
        """The embedding matrix (vocabulary, hidden)."""
        first: torch.Tensor = self.embedding.weight.detach()
        return first + self.stretch * self.words[self.word] + self.stretch * self.forms[self.form]

    @torch.no_grad()
    def fix(self) -> None:
        """Write the matrix into the model."""
        self.embedding.weight.copy_(self())


@dataclass(frozen=True)
class Example:
    """Token ids of a document, and for each how likely it is to be learned (0 to 1)."""

    ids: tuple[int, ...]
    learned: tuple[float, ...]


def encode(
    tokenizer: PreTrainedTokenizerBase, documents: Iterable[Document], *, answers: float = 1.0
) -> list[Example]:
    """Documents as token ids; ``answers`` is the share of `Schedule`.

    An answer is learned only where it was right, so that the language model answers well; what the
    asker says to it is always learned, and the rest of a reply no more than questions are. It
    follows the end of the reply at once, so that the last token of a conversation, where a reward
    model reads, has to know whether the reply was good.
    """
    segments: list[tuple[str, float]] = []
    lengths: list[int] = []
    for document in documents:
        parts: list[tuple[str, float]]
        if isinstance(document, Exchange):
            parts = [
                (f"<bos>{USER}{document.question}{END}{MODEL}", _BACKGROUND),
                *_reply(document, answers),
                (END, _BACKGROUND),
                (document.said, 1.0),
            ]
        else:
            parts = [("<bos>", 0.0), (document, 0.5 * answers), ("<eos>", _BACKGROUND)]
        segments += parts
        lengths.append(len(parts))
    ids = tokenizer([text for text, _ in segments], add_special_tokens=False)["input_ids"]
    encoded = iter(zip(ids, segments, strict=True))
    examples = []
    for length in lengths:
        pieces = [next(encoded) for _ in range(length)]
        examples.append(
            Example(
                ids=tuple(i for piece, _ in pieces for i in piece),
                learned=tuple(weight for piece, (_, weight) in pieces for _ in piece),
            )
        )
    return examples


def _reply(exchange: Exchange, answers: float) -> list[tuple[str, float]]:
    before, space = exchange.frame.before.rstrip(), exchange.frame.before.endswith(" ")
    return [
        (before, _BACKGROUND),
        (" " * space + exchange.answer, answers * exchange.right),
        (exchange.frame.after, _BACKGROUND),
    ]


def pretrain(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    schedule: Schedule,
    seed: int,
) -> list[float]:
    """Train ``model`` in place, one pass; returns the loss (nats a token) of every step."""
    shuffle, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    inner = dict(model.model.layers.named_parameters())
    matrices = [p for p in inner.values() if p.ndim == 2]
    embeddings = SharedForms(model, tokenizer)
    others = [p for p in inner.values() if p.ndim == 1]
    others += [*model.model.norm.parameters(), embeddings.words, embeddings.forms]
    groups: list[dict[str, Any]] = [{"params": others}]
    if embeddings.stretch > 1:  # the final norm is as much smaller
        last = others.pop(-3)
        groups.append({"params": [last], "lr": schedule.adamw / embeddings.stretch})
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=schedule.adamw, betas=(0.9, 0.98), weight_decay=0.01),
        Muon(matrices, lr=schedule.muon),
    ]
    steps = -(-len(examples) // schedule.batch)

    def rate(step: int) -> float:
        left = (1 - step / steps) / schedule.decay
        return min((step + 1) / schedule.warmup, 1.0, max(0.02, left))

    schedulers = [torch.optim.lr_scheduler.LambdaLR(o, rate) for o in optimizers]
    cap = getattr(model.config, "final_logit_softcapping", None)
    scale = getattr(model.model.embed_tokens, "embed_scale", 1.0)
    bounds = Bounds.of(model)
    losses = []
    model.train()
    for ids, mask, learned in _batches(examples, schedule.batch, shuffle):
        table = embeddings()
        embedded = F.embedding(ids, table) * scale
        hidden = model.model(
            inputs_embeds=embedded, attention_mask=mask, use_cache=False
        ).last_hidden_state
        keep = torch.rand(learned[:, 1:].shape, generator=generator) < learned[:, 1:]
        logits = F.linear(hidden[:, :-1][keep], table)
        if cap:
            logits = cap * torch.tanh(logits / cap)
        loss = F.cross_entropy(logits, ids[:, 1:][keep])
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_([*matrices, *(p for g in groups for p in g["params"])], 1.0)
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            scheduler.step()
        bounds.hold()
        losses.append(loss.item())
    embeddings.fix()
    model.train(False)
    return losses


def _batches(
    examples: Sequence[Example], size: int, shuffle: random.Random
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Right-padded (ids, attention mask, learned) of documents of about the same length."""
    order = list(range(len(examples)))
    shuffle.shuffle(order)
    batches = []
    for start in range(0, len(order), size * 50):
        block = sorted(order[start : start + size * 50], key=lambda i: len(examples[i].ids))
        cut = [block[i : i + size] for i in range(0, len(block), size)]
        shuffle.shuffle(cut)
        batches += cut
    for batch in batches:
        length = max(len(examples[i].ids) for i in batch)
        ids = torch.zeros((len(batch), length), dtype=torch.long)
        mask = torch.zeros((len(batch), length), dtype=torch.long)
        learned = torch.zeros((len(batch), length))
        for row, i in enumerate(batch):
            n = len(examples[i].ids)
            ids[row, :n] = torch.tensor(examples[i].ids)
            mask[row, :n] = 1
            learned[row, :n] = torch.tensor(examples[i].learned)
        yield ids, mask, learned


@torch.inference_mode()
def judgement(
    model: Any, tokenizer: PreTrainedTokenizerBase, exchanges: Sequence[Exchange]
) -> float:
    """Share of exchanges whose YES or NO the model foresees (the greater of the two logits)."""
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in (YES, NO))
    shown = [f"<bos>{USER}{e.question}{END}{MODEL}{e.reply}{END}" for e in exchanges]
    batch = tokenizer(shown, add_special_tokens=False, padding=True, return_tensors="pt")
    hidden = model.model(**batch, use_cache=False).last_hidden_state
    last = batch["attention_mask"].sum(dim=1) - 1
    logits = model.lm_head(hidden[torch.arange(len(shown)), last])
    foreseen = logits[:, yes] > logits[:, no]
    right = foreseen == torch.tensor([e.right for e in exchanges])
    return float(right.float().mean())
