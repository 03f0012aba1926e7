"""A loaded reward model: a scorer of responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from valuebias.candidates import Candidates
from valuebias.models import limits
from valuebias.models.chat import Chat, common_prefix
from valuebias.models.heads.whole import WholeHead
from valuebias.models.scorer import ModelScorer
from valuebias.models.text_pair import TextPair
from valuebias.models.whole_answers import check_whole, whole_answers
from valuebias.prompts import GREATEST, Prompt
from valuebias.scores import FloatArray
from valuebias.search import RUNGS, Searcher
from valuebias.search.float32 import in_float32
from valuebias.search.head import Head
from valuebias.search.token_sequences import BoolArray, IntArray, OnChunk


class RewardModel(ModelScorer):
    """Gives responses rewards (higher is preferred, in the model's own units).

    Made by valuebias.models.loading.load_reward_model. ``origin`` is what is known about it from
    loading: model, fingerprint, dtype, device and the like.
    """

    def __init__(
        self,
        head: Head,
        tokenizer: Any,
        chat: Chat,
        *,
        name: str,
        fingerprint: str,
        chunk_memory: int,
        origin: Mapping[str, str],
    ) -> None:
        super().__init__(
            tokenizer,
            chat,
            embeddings=limits.embeddings(head.backbone),
            name=name,
            fingerprint=fingerprint,
            origin=origin,
        )
        self.head = head
        self._chunk_memory = chunk_memory
        if isinstance(chat, TextPair) and isinstance(head, WholeHead):
            head.second_after = chat.second_after
        rungs = getattr(head, "rungs", RUNGS)
        self.searcher = Searcher(head, chunk_memory=chunk_memory, rungs=rungs)

    @property
    def template_name(self) -> str:
        """ "chat_template", or the "plain" or "pair" that was stated or declared."""
        return self.chat.template

    @property
    def provenance(self) -> Mapping[str, str]:
        """What a reader needs to know the scores by."""
        return {
            **super().provenance,
            "head": self.head.name,
            "rung": self.searcher.rung,
            "rung_notes": "; ".join(self.searcher.notes),
            "self_check": f"{self.searcher.self_check:.2g}",
        }

    def score_prompt(
        self,
        prompt: Prompt,
        candidates: Candidates,
        *,
        done: BoolArray | None = None,
        on_chunk: OnChunk | None = None,
        time_limit: float | None = None,
    ) -> FloatArray:
        """Rewards of all candidates on one prompt, float32 of shape (n,).

        Rows marked in ``done`` (n,) are left NaN unless they are computed again along the way.
        ``on_chunk`` gets the indices and values of each finished chunk. Raises ModelError where the
        chat template cannot be used, SearchError (TooSlow with ``time_limit`` seconds) where the
        search cannot be carried out.
        """
        prefix, tails, owner = self.layout(prompt, candidates)
        if done is not None:
            unfinished = np.zeros(len(tails), dtype=bool)
            unfinished[owner[~done]] = True
            done = ~unfinished
        values = self.searcher.run(
            prefix,
            tails,
            done=done,
            on_chunk=None if on_chunk is None else _expanded(on_chunk, owner, len(tails)),
            time_limit=time_limit,
        )
        return np.asarray(values, dtype=np.float32)[owner]

    def score_in_float32(self, prompt: Prompt, candidates: Candidates) -> FloatArray:
        """Rewards of a few candidates, float32 of shape (n,), as the model's own forward computes
        them in float32 with the weights as they were loaded. Raises what it raises then, and
        SearchError as ``score_prompt`` does."""
        prefix, tails, owner = self.layout(prompt, candidates)
        with in_float32(getattr(self.head, "model", self.head.backbone)):
            whole = Searcher(self.head, chunk_memory=self._chunk_memory, rungs=("full",))
            return np.asarray(whole.run(prefix, tails), dtype=np.float32)[owner]

    def layout(
        self, prompt: Prompt, candidates: Candidates
    ) -> tuple[list[int], list[list[int]], IntArray]:
        """The conversations to score: a common prefix, distinct tails, and each candidate's tail.

        Two responses that give the same ids (a template may trim) are one conversation. Of a
        prompt with a frame, what stands before the word is part of the prefix.
        """
        frame = self.chat.frame(prompt.text)
        prefix: Sequence[int] = frame.prefix
        if candidates.injection == "token":
            check_whole(prompt, candidates)
            assert candidates.token_ids is not None
            tails = [[token, *frame.tail] for token in candidates.token_ids]
            longest = [*frame.prefix, max(candidates.token_ids), *frame.tail]
            limits.check(self.head.backbone, longest, prompt.id)
            return list(frame.prefix), tails, np.arange(len(tails))
        distinct: dict[tuple[int, ...], int] = {}
        owner = np.array(
            [
                distinct.setdefault(tuple(ids), len(distinct))
                for ids in self.chat.conversations(prompt.text, whole_answers(prompt, candidates))
            ],
            dtype=np.intp,
        )
        if prompt.answer:
            held = [prompt.framed(word) for word in self.chat.sentinels(prompt.text)]
            prefix = common_prefix(self.chat.conversations(prompt.text, held))
        for ids in (max(distinct, key=len), max(distinct, key=max)):
            limits.check(self.head.backbone, ids, prompt.id)
        # No longer than the frame's, so that it does not depend on which candidates there are.
        shared = len(common_prefix([prefix, *distinct]))
        shared = min(shared, min(map(len, distinct)) - 1)
        whole = list(distinct)
        return list(whole[0][:shared]), [list(ids[shared:]) for ids in whole], owner

    def round_trip(self, candidates: Candidates) -> float:
        """Share of token candidates whose text, put through the template, gives their id again.

        The others are not scored as the token by ``text`` injection.
        """
        assert candidates.token_ids is not None
        frame = self.chat.frame(GREATEST.text)
        kept = 0
        for start in range(0, len(candidates), 4096):
            chunk = slice(start, start + 4096)
            whole = self.chat.rendered(GREATEST.text, candidates.responses[chunk])
            kept += sum(
                ids == [*frame.prefix, token, *frame.tail]
                for ids, token in zip(whole, candidates.token_ids[chunk], strict=True)
            )
        return kept / len(candidates)


def _expanded(on_chunk: OnChunk, owner: IntArray, n: int) -> OnChunk:
    """``on_chunk`` for candidates, fed with chunks of the distinct conversations they own."""

    def chunk(indices: IntArray, values: FloatArray) -> None:
        position = np.full(n, -1, dtype=np.intp)
        position[indices] = np.arange(len(indices))
        rows = np.flatnonzero(position[owner] >= 0)
        on_chunk(rows, values[position[owner[rows]]])

    return chunk
