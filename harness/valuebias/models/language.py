"""A causal language model as a scorer: natural-log probabilities of responses."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models import limits
from valuebias.models.chat import PLAIN, Chat
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.heads.backbone import check_complete, from_pretrained
from valuebias.models.heads.score import merged
from valuebias.models.reward import BoolArray, OnChunk
from valuebias.prompts import Prompt
from valuebias.scores import FloatArray, Scores
from valuebias.search import TooSlow


class LanguageModel:
    """Gives responses the natural logarithm of their probability as the answer to a prompt.

    The prompt is put through the instruction template with its generation prompt, or given as it is
    where there is none. A token's number is its probability as the next token; a word's is the
    product over its tokens (chain rule), without an end of turn: how likely the answer begins so.
    Made by valuebias.models.loading.load_language_model.
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
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.model = model
        self.tokenizer = tokenizer
        self.chat = Chat(tokenizer)
        self._chunk_memory = chunk_memory
        self._origin = dict(origin)

    @property
    def template_name(self) -> str:
        """ "chat_template", or "raw" where the model has none and gets the bare prompt."""
        return "raw" if self.chat.template == PLAIN else self.chat.template

    @property
    def provenance(self) -> Mapping[str, str]:
        """What a reader needs to know the scores by."""
        return self._origin | {
            "model": self.name,
            "fingerprint": self.fingerprint,
            "head": "log-probability",
            "template": self.template_name,
            "template_sha256": self.chat.template_sha256,
            "bos": self.chat.bos,
        }

    def vocabulary(self) -> Candidates:
        """Every id of the tokenizer that stands for text, for ``token`` injection; ``provenance``
        says under "left_out" how many ids were left out, and why."""
        found = self.chat.vocabulary(int(self.model.get_output_embeddings().weight.shape[0]))
        self._origin["left_out"] = found.left_out
        return Candidates(found.texts, found.ids, injection="token")

    def score(self, prompts: Sequence[Prompt], candidates: Candidates) -> Scores:
        """Scores of shape (prompts, candidates), natural logarithms."""
        values = np.stack([self.score_prompt(prompt, candidates) for prompt in prompts])
        provenance = {**self.provenance, "injection": candidates.injection}
        return Scores(values, tuple(prompts), candidates, provenance)

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
        template cannot be used or a response has no token, TooSlow where it would take more than
        ``time_limit`` seconds.
        """
        values = np.full(len(candidates), np.nan, dtype=np.float32)
        if done is not None and done.all():
            return values
        opened, _ = self.chat.opening(prompt.text)
        limits.check(self.model, opened, prompt.id)
        with torch.inference_mode():
            after_prompt = self._log_probabilities(torch.tensor([opened]), 1)[0, 0].cpu().numpy()
            if candidates.injection == "token":
                values[:] = after_prompt[np.array(candidates.token_ids)]
                if on_chunk is not None:
                    on_chunk(np.arange(len(values)), values.copy())
                return values
            tails = self._tails(prompt, candidates, opened)
            start, left = time.monotonic(), len(tails)
            for rows in self._chunks(len(opened), tails):
                if done is None or not done[rows].all():
                    values[rows] = self._words(opened, [tails[i] for i in rows], after_prompt)
                    if on_chunk is not None:
                        on_chunk(rows, values[rows])
                left -= len(rows)
                elapsed = time.monotonic() - start
                estimate = elapsed * len(tails) / (len(tails) - left)
                if time_limit is not None and left and estimate > time_limit:
                    raise TooSlow(estimate, time_limit)
        return values

    def round_trip(self, candidates: Candidates) -> float:
        """Share of token candidates whose text, put after a prompt, gives their id again."""
        assert candidates.token_ids is not None
        encoded = self.chat.continuations("Why?", candidates.responses)
        kept = sum(ids == [token] for ids, token in zip(encoded, candidates.token_ids, strict=True))
        return kept / len(candidates)

    def _tails(self, prompt: Prompt, candidates: Candidates, opened: list[int]) -> list[list[int]]:
        tails = self.chat.continuations(prompt.text, candidates.responses)
        for response, ids in zip(candidates.responses, tails, strict=True):
            if not ids:
                raise ModelError(
                    "a response has no token of its own after the prompt",
                    seen=repr(response),
                    remedy="Leave that response out.",
                )
            limits.check(self.model, [*opened, *ids], prompt.id)
        return tails

    def _chunks(self, prefix: int, tails: list[list[int]]) -> list[np.ndarray[Any, Any]]:
        """Indices of responses of one length, as many at a time as fit into the memory budget."""
        vocabulary = int(self.model.get_output_embeddings().weight.shape[0])
        config = self.model.config.get_text_config()
        chunks = []
        for length in sorted({len(ids) for ids in tails}):
            rows = np.flatnonzero([len(ids) == length for ids in tails])
            states = 16 * config.hidden_size * (prefix + length)
            per_row = 4 * (3 * vocabulary * length + states)
            size = max(1, self._chunk_memory // per_row)
            chunks += [rows[start : start + size] for start in range(0, len(rows), size)]
        return chunks

    def _words(
        self, opened: list[int], tails: list[list[int]], after_prompt: FloatArray
    ) -> FloatArray:
        """Chain rule over responses of one length."""
        ids = torch.tensor(tails)
        total = torch.from_numpy(after_prompt[ids[:, 0].numpy()])
        if ids.shape[1] > 1:
            prompt = torch.tensor(opened).expand(len(tails), -1)
            steps = ids.shape[1] - 1
            log_p = self._log_probabilities(torch.cat([prompt, ids[:, :-1]], dim=1), steps)
            following = ids[:, 1:, None].to(log_p.device)
            total = total + log_p.gather(-1, following).sum((1, 2)).cpu()
        return total.numpy().astype(np.float32)

    def _log_probabilities(self, ids: torch.Tensor, last: int) -> torch.Tensor:
        """float32 log-probabilities (n, last, vocabulary) after each of the last positions."""
        ids = ids.to(self.model.device)
        logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=last).logits
        log_p: torch.Tensor = logits[:, -last:].float().log_softmax(-1)
        if not bool(log_p.isfinite().any(-1).all()):
            raise ModelError(
                "the language model's log-probabilities are not finite",
                seen=self.name,
                remedy="Load it in float32 (dtype=float32).",
            )
        return log_p


def load_causal(checkpoint: Checkpoint, placement: Placement) -> Any:
    """The causal LM of a checkpoint. Raises ModelError on a reward model: with tied embeddings it
    would load, and its language head would be one nobody trained."""
    model, info = from_pretrained(AutoModelForCausalLM, checkpoint.files.model, placement)
    given = {*info["unexpected_keys"], *checkpoint.adapter_shapes}
    heads = sorted(key for key in given if key.startswith(("score.", "classifier.", "v_head.")))
    if heads or "lm_head.weight" in info["missing_keys"]:
        raise ModelError(
            f"{checkpoint.name} is no language model: it has a reward head"
            if heads
            else f"{checkpoint.name} is no language model: it lacks a language head",
            seen=heads[0] if heads else "lm_head.weight is missing",
            remedy="Give the base language model; a reward model goes to --rm.",
        )
    check_complete(checkpoint, info, frozenset())
    return (
        model
        if checkpoint.files.adapter is None
        else merged(model, checkpoint.files.adapter, placement)
    )
