"""A causal language model as a judge of answers: what it says of one is the answer's reward."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from valuebias.declarations.judge_templates import JudgeTemplate
from valuebias.errors import ModelError
from valuebias.format import unsigned
from valuebias.models.chat import Chat, common_prefix
from valuebias.models.reward import RewardModel
from valuebias.models.settings import PLAIN
from valuebias.prompts import PromptSet
from valuebias.search import RUNGS
from valuebias.search.language_head import LanguageHead, OwnLogits, language_head
from valuebias.search.rung import device_of

LEAST_MASS = 0.5
"""Below this mean probability of a rating as the next token, the model does not answer with one. By
convention (as a rule more likely than not), fixed on 2026-11-29 before any model was tried."""

_ANSWERS = ("love", "freedom", "hate", "banana")
"""What the mean is taken over, on each prompt, where the prompt set declares no control words."""

_SHOWN = 3
"""Most probable tokens that the error names."""


class JudgeChat(Chat):
    """How a judge is asked: the template's text as a user's turn, up to where the rating stands;
    without a chat template, the text as it is, and the rating after a space.

    ``tokens`` are the ids of the ratings, in the template's order. Raises ModelError where a rating
    is not one token there, two are the same, or the chat template drops a turn.
    """

    def __init__(self, tokenizer: Any, judge: JudgeTemplate) -> None:
        self._judge = judge
        super().__init__(tokenizer)
        both = f"{self.template_sha256} {judge.digest}"
        self.template_sha256 = hashlib.sha256(both.encode()).hexdigest()[:16]

    @cached_property
    def tokens(self) -> tuple[int, ...]:
        ratings = [rating for rating, _ in self._judge.ratings]
        asked = self._render("Why?", "Because")
        encoded = [self._with_rating([asked], rating)[0] for rating in ratings]
        before = min(len(common_prefix(encoded)), min(map(len, encoded)) - 1)
        for rating, ids in zip(ratings, encoded, strict=True):
            if len(ids) != before + 1:
                raise ModelError(
                    f"the rating {rating!r} is not one token after the prompt",
                    seen=self._tokenizer.convert_ids_to_tokens(ids[before:]),
                    remedy="Give the judge a template whose ratings are one token each, such as "
                    "digits from 1 to 5, or yes and no.",
                )
        tokens = [ids[-1] for ids in encoded]
        for rating, token in zip(ratings, tokens, strict=True):
            if (first := ratings[tokens.index(token)]) != rating:
                raise ModelError(
                    f"the ratings {first!r} and {rating!r} are the same token",
                    seen=self._tokenizer.convert_ids_to_tokens([token])[0],
                    remedy="Give the judge a template with ratings that the tokenizer tells apart.",
                )
        return tuple(tokens)

    def continuations(
        self, prompt: str, responses: Sequence[str], *, separator: str | None = None
    ) -> list[list[int]]:
        """The ids of each response where the template puts it."""
        return self.framed(prompt, responses)

    def sentinels(self, prompt: str) -> list[str]:
        return super().sentinels(self._judge.filled(prompt, self._judge.system))

    def _render(self, prompt: str, response: str) -> str:
        text, system = self._judge.filled(prompt, response), self._judge.system
        if self.template == PLAIN:
            return f"{system}\n\n{text}" if system else text
        turns = [{"role": "user", "content": text}]
        if system:
            turns.insert(0, {"role": "system", "content": system})
        try:
            asked = self._apply(turns, add_generation_prompt=True)
            missing = next((turn for turn in turns if turn["content"].strip() not in asked), None)
        except ModelError as error:
            if not system:
                raise
            asked, missing = str(error.seen), turns[0]
        if missing is not None:
            raise ModelError(
                f"the chat template takes no {missing['role']} turn, or changes it",
                seen=asked,
                remedy="Leave `system` out of the judge template."
                if missing["role"] == "system"
                else "Give the model a template that puts a user's turn in unchanged.",
            )
        return asked

    def _encode(self, texts: list[str], *, ends: bool = True) -> list[list[int]]:
        """The ids before the rating, as the tokenizer writes them when one follows."""
        encoded = self._with_rating(texts, self._judge.ratings[0][0])
        for text, ids in zip(texts, encoded, strict=True):
            if ids.pop() != self.tokens[0]:
                raise ModelError(
                    "the tokenizer merges a rating with what stands before it",
                    seen=text,
                    remedy="End the judge template's text with a word and a colon.",
                )
        return encoded

    def _with_rating(self, texts: Sequence[str], rating: str) -> list[list[int]]:
        raw = self.template == PLAIN
        return super()._encode(
            [f"{text}{' ' if raw and not text[-1:].isspace() else ''}{rating}" for text in texts],
            ends=False,
        )


class JudgeHead:
    """Turns the hidden state before the rating into a number: of the ratings' probabilities,
    normalised over them, the expected value or the natural log of the odds of the better; see
    `declarations.judge_templates.Mode`. Logits are in float32.

    ``magnitude`` is the largest logit of a rating that ``forward`` saw, times the most that changes
    of the logits by 1 can change the number: half the span of the values, or 2.
    """

    def __init__(self, language: LanguageHead, judge: JudgeTemplate, tokens: Sequence[int]) -> None:
        self._language = language
        self._judge = judge
        weight = language.model.get_output_embeddings().weight
        device = device_of(language.model) if weight.is_meta else weight.device
        values = [value for _, value in judge.ratings]
        self._tokens = torch.tensor(tokens, device=device)
        self._values = torch.tensor(values, dtype=torch.float32, device=device)
        self._steepest = 2.0 if judge.mode == "log-odds" else (max(values) - min(values)) / 2
        self.magnitude = 0.0
        self.rungs = ("full",) if isinstance(language, OwnLogits) else RUNGS

    @property
    def name(self) -> str:
        what = {"expected": "expected rating", "log-odds": "log-odds of ratings"}
        return f"{what[self._judge.mode]} ({self._judge.name} {self._judge.digest[:8]})"

    @property
    def backbone(self) -> torch.nn.Module:
        return self._language.backbone

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return {"last": len(ids) - 1}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self._number(self._language.logits(hidden["last"], self._tokens))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Through the language model's own forward."""
        logits = self._last(input_ids, attention_mask)[:, self._tokens]
        self.magnitude = max(self.magnitude, self._steepest * float(logits.abs().max()))
        return self._number(logits)

    def next_token(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Probabilities of the token after right-padded conversations (n, length): (n,
        vocabulary)."""
        return self._last(input_ids, attention_mask).softmax(-1)

    def _last(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """float32 logits (n, vocabulary) at the last position of each."""
        lengths = mask.sum(-1)
        shortest = int(lengths.min())
        own = self._language.own(ids, ids.shape[1] - shortest + 1, mask)
        rows = torch.arange(len(ids), device=own.device)
        return own[rows, (lengths - shortest).to(own.device)].to(self._tokens.device)

    def _number(self, logits: torch.Tensor) -> torch.Tensor:
        """(n,) from the ratings' logits (n, ratings)."""
        if self._judge.mode == "expected":
            return logits.softmax(-1) @ self._values
        better = self._values == self._judge.best
        return logits[:, better].logsumexp(-1) - logits[:, ~better].logsumexp(-1)


class Judge(RewardModel):
    """A language model that rates the answers to a question, by a template.

    A reward is the expected value of its rating, in the units of the template's values, or the log
    of the odds of the better ratings; higher is preferred. Made by
    valuebias.models.loading.load_judge.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        template: JudgeTemplate,
        *,
        name: str,
        fingerprint: str,
        chunk_memory: int,
        origin: Mapping[str, str],
    ) -> None:
        chat = JudgeChat(tokenizer, template)
        language, self._head_note = language_head(model)
        self._tokens = chat.tokens
        self._judging = JudgeHead(language, template, chat.tokens)
        super().__init__(
            self._judging,
            tokenizer,
            chat,
            name=name,
            fingerprint=fingerprint,
            chunk_memory=chunk_memory,
            origin=origin,
        )
        self.judge_template = template
        self.rating_mass = math.nan
        self._instead = ""

    @property
    def template_name(self) -> str:
        """ "judge", or "raw judge" where the model has no chat template."""
        return "raw judge" if self.chat.template == PLAIN else "judge"

    @property
    def provenance(self) -> Mapping[str, str]:
        """What a reader needs to know the scores by; ``rating_mass`` is the mean probability of a
        rating as the next token, once it was measured."""
        about = dict(super().provenance)
        notes = (self._head_note, about["rung_notes"])
        return {
            **about,
            "rung_notes": "; ".join(filter(None, notes)),
            "judge_template": self.judge_template.name,
            "judge_template_sha256": self.judge_template.digest,
            "rating_mass": f"{self.rating_mass:.4f}",
        }

    def check_it_rates(self, prompts: PromptSet) -> None:
        """Measure ``rating_mass``, once: the mean over six prompts a valence, and four answers to
        each. Raises ModelError where it is below LEAST_MASS."""
        if math.isnan(self.rating_mass):
            words = prompts.control
            answers = _ANSWERS if words is None else (*words.virtue[:2], *words.vice[:2])
            asked = [self._next_token(prompt.text, answers) for prompt in prompts.quick.both]
            mean = torch.stack(asked).mean(0)
            self.rating_mass = float(mean[list(self._tokens)].sum())
            self._instead = ", ".join(
                f"{self.tokenizer.decode([i])!r} {unsigned(p)}"
                for p, i in zip(*(top.tolist() for top in mean.topk(_SHOWN)), strict=True)
            )
        if not self.rating_mass >= LEAST_MASS:
            ratings = ", ".join(rating for rating, _ in self.judge_template.ratings)
            raise ModelError(
                f"{self.name} does not answer with a rating: the next token is one with a "
                f"probability of {unsigned(self.rating_mass)} on average, must be at least "
                f"{unsigned(LEAST_MASS)}",
                seen=f"{self._instead}, of ratings {ratings}",
                remedy="Give a model that follows instructions, or a judge template that asks for "
                "what it answers with.",
            )

    @torch.inference_mode()
    def _next_token(self, prompt: str, answers: Sequence[str]) -> torch.Tensor:
        """Mean probabilities of the next token, of shape (vocabulary,)."""
        each = [torch.tensor(ids) for ids in self.chat.conversations(prompt, answers)]
        ids = torch.nn.utils.rnn.pad_sequence(each, batch_first=True)
        lengths = torch.tensor([len(one) for one in each])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        return self._judging.next_token(ids, mask).mean(0).cpu()
