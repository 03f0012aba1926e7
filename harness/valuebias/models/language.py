"""A causal language model as a scorer: natural-log probabilities of responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from transformers import AutoModelForCausalLM

from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models import limits
from valuebias.models.chat import Chat
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.heads.adapter import merged
from valuebias.models.heads.backbone import check_complete, from_pretrained
from valuebias.models.scorer import ModelScorer
from valuebias.models.settings import PLAIN
from valuebias.models.token_text import exact_texts
from valuebias.models.whole_answers import check_whole
from valuebias.prompts import GREATEST, Prompt
from valuebias.scores import FloatArray
from valuebias.search.language_head import language_head
from valuebias.search.token_sequences import BoolArray, OnChunk, Parts, prefix_free
from valuebias.search.words import WordSearcher


class LanguageModel(ModelScorer):
    """Gives responses the natural logarithm of their probability as the answer to a prompt.

    The prompt is put through the instruction template with its generation prompt; where there is
    none it is given as it is, with the ``answer_cue`` after it. What is scored is an event about
    the text that the model goes on with from there, by the injection of the candidates:

    * ``token``: the next token is this very id.
    * ``text``: the next tokens are those of the response as it is written, put right after the
      generation prompt, or after a space where there is no template. The answer begins so; it may
      go on, even within the word ("free" is also the beginning of "freedom" where they share their
      tokens).
    * ``turn``: the same tokens, and then what the template writes after a response, to its first
      special token: the answer is the response and nothing else. Where there is no template, the
      tokenizer's end of a text, if it has one.
    * ``spellings``: the next tokens are those of any spelling of the response: as written, in lower
      case, Capitalised, in UPPER case, each with and without one more space before it (with and
      without the space, where one stands before an answer anyway, as after a raw prompt). Their
      probabilities are added up, those of equal tokens once; a spelling whose tokens begin with
      another's is contained in that one.

    Probabilities are of all rows of the language head, as the model emits them, normalised in
    float32. Made by valuebias.models.loading.load_language_model.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        fingerprint: str,
        chunk_memory: int,
        origin: Mapping[str, str],
        answer_cue: str = "",
    ) -> None:
        self.head, self._head_note = language_head(model)
        super().__init__(
            tokenizer,
            Chat(tokenizer),
            embeddings=min(limits.embeddings(model), self.head.vocabulary),
            name=name,
            fingerprint=fingerprint,
            origin=origin,
        )
        self.model = model
        # A chat template says itself where the answer begins.
        self.answer_cue = answer_cue if self.chat.template == PLAIN else ""
        self.searcher = WordSearcher(self.head, chunk_memory=chunk_memory)

    @property
    def template_name(self) -> str:
        """ "chat_template", or "raw" where the model has none and gets the bare prompt."""
        return "raw" if self.chat.template == PLAIN else self.chat.template

    @property
    def provenance(self) -> Mapping[str, str]:
        """What a reader needs to know the scores by. ``self_check`` is the largest difference of a
        log-probability from the model's own forward."""
        notes = [self._head_note] if self._head_note else []
        cue = {"answer_cue": self.answer_cue} if self.template_name == "raw" else {}
        return {
            **super().provenance,
            **cue,
            "head": self.head.name,
            "rung": self.searcher.rung,
            "rung_notes": "; ".join([*notes, *self.searcher.notes]),
            "self_check": f"{self.searcher.self_check:.2g}",
        }

    def vocabulary(self) -> Candidates:
        """Every id of the tokenizer that stands for text, for ``token`` injection, with the exact
        text it stands for between others: fragments of characters as lone surrogates."""
        candidates = super().vocabulary()
        assert candidates.token_ids is not None
        texts = exact_texts(self.tokenizer, candidates.token_ids)
        return Candidates(tuple(texts), candidates.token_ids, injection="token")

    def score_prompt(
        self,
        prompt: Prompt,
        candidates: Candidates,
        *,
        done: BoolArray | None = None,
        on_chunk: OnChunk | None = None,
        time_limit: float | None = None,
    ) -> FloatArray:
        """Log-probabilities of all candidates on one prompt, float32 of shape (n,).

        Rows marked in ``done`` (n,) are left NaN unless they are computed again along the way.
        ``on_chunk`` gets the indices and values of each finished chunk. Raises ModelError where the
        template cannot be used, a response has no token or log-probabilities are not finite,
        SearchError (TooSlow with ``time_limit`` seconds) where the search cannot be carried out.
        """
        check_whole(prompt, candidates)
        if done is not None and done.all():
            return np.full(len(candidates), np.nan, dtype=np.float32)
        opened, _ = self.chat.opening(prompt.text + self.answer_cue)
        limits.check(self.model, opened, prompt.id)
        if not opened:
            raise ModelError(
                "the prompt has no tokens", seen=prompt.id, remedy="Give a prompt of some text."
            )
        if candidates.injection == "token":
            everything = self.searcher.next_token(opened)
            values: FloatArray = everything[np.array(candidates.token_ids)]
            if on_chunk is not None:
                on_chunk(np.arange(len(values)), values.copy())
            return values
        parts = Parts(self._sequences(prompt, candidates))
        for ids in (max(parts.sequences, key=len), max(parts.sequences, key=max)):
            limits.check(self.model, [*opened, *ids], prompt.id)
        log_p = self.searcher.run(
            opened,
            parts.sequences,
            done=None if done is None else parts.done(done),
            on_chunk=None if on_chunk is None else parts.handing_out(on_chunk, done),
            time_limit=time_limit,
        )
        return parts.summed(log_p)

    def round_trip(self, candidates: Candidates) -> float:
        """Share of token candidates whose text, put right after a prompt, gives their id again: a
        token's text has its own leading space."""
        assert candidates.token_ids is not None
        texts = [text for text in candidates.responses if is_text(text)]
        ids = [
            token
            for text, token in zip(candidates.responses, candidates.token_ids, strict=True)
            if is_text(text)
        ]
        encoded = self.chat.continuations(GREATEST.text + self.answer_cue, texts, separator="")
        kept = sum(again == [token] for again, token in zip(encoded, ids, strict=True))
        return kept / len(candidates)

    def _sequences(
        self, prompt: Prompt, candidates: Candidates
    ) -> Sequence[Sequence[tuple[int, ...]]]:
        """The token sequences after the opening that each response stands for."""
        text = prompt.text + self.answer_cue
        responses = tuple(map(prompt.framed, candidates.responses))
        for response in responses:
            if not is_text(response):
                raise ModelError(
                    "a response is not text: it contains part of a character",
                    seen=repr(response),
                    remedy="Score it as a token, or leave it out.",
                )
        if candidates.injection == "spellings":
            return self._spellings(text, responses)
        tails = self.chat.continuations(text, responses)
        end: list[int] = []
        if candidates.injection == "turn":
            end = self._end_of_turn(prompt)
        _check_tokens(responses, tails)
        return [[(*ids, *end)] for ids in tails]

    def _end_of_turn(self, prompt: Prompt) -> list[int]:
        """What the template writes after a response, to the first special token (a text may come
        before it); without a template the tokenizer's end of a text, which training puts there."""
        eos = self.tokenizer.eos_token_id
        if self.chat.template == PLAIN:
            return [] if eos is None else [int(eos)]
        tail = list(self.chat.frame(prompt.text).tail)
        if not tail:
            raise ModelError(
                "the chat template writes nothing after a response",
                seen=self.chat.frame(prompt.text).after,
                remedy="Score the response as text: how likely the answer begins so.",
            )
        special = set(self.tokenizer.all_special_ids)
        ends = next((place for place, token in enumerate(tail, 1) if token in special), len(tail))
        return tail[:ends]

    def _spellings(
        self, text: str, responses: Sequence[str]
    ) -> Sequence[Sequence[tuple[int, ...]]]:
        _, separator = self.chat.opening(text)
        spellings = [
            dict.fromkeys((word, word.lower(), word.capitalize(), word.upper()))
            for word in responses
        ]
        flat = [spelling for each in spellings for spelling in each]
        other = "" if separator == " " else separator + " "
        both = [self.chat.continuations(text, flat, separator=lead) for lead in (separator, other)]
        _check_tokens(flat, both[0])
        variants = iter(zip(*both, strict=True))
        return [
            prefix_free(tuple(ids) for _ in each for ids in next(variants) if ids)
            for each in spellings
        ]


def is_text(response: str) -> bool:
    """Whether the string can be encoded; a fragment of a character cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in response)


def _check_tokens(responses: Sequence[str], tails: Sequence[Sequence[int]]) -> None:
    for response, ids in zip(responses, tails, strict=True):
        if not ids:
            raise ModelError(
                "a response has no token of its own after the prompt",
                seen=repr(response),
                remedy="Leave that response out.",
            )


def load_causal(checkpoint: Checkpoint, placement: Placement) -> Any:
    """The causal LM of a checkpoint. Raises ModelError on a reward model: with tied embeddings it
    would load, and its language head would be untrained."""
    files = checkpoint.files
    model, info = from_pretrained(AutoModelForCausalLM, files.model, placement, **files.options)
    given = {*info["unexpected_keys"], *checkpoint.adapter_shapes}
    heads = sorted(key for key in given if key.startswith(("score.", "classifier.", "v_head.")))
    if heads or "lm_head.weight" in info["missing_keys"]:
        raise ModelError(
            f"{checkpoint.name} is not a language model: it has a reward head"
            if heads
            else f"{checkpoint.name} is not a language model: it lacks a language head",
            seen=heads[0] if heads else "lm_head.weight is missing",
            remedy="Give the base language model; a reward model goes to --rm.",
        )
    check_complete(checkpoint, info, frozenset())
    return model if checkpoint.files.adapter is None else merged(model, checkpoint, placement)
