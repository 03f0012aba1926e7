"""Question and answer as the tokenizer's pair of texts, as encoders are often trained to read them.

BERT's form is [CLS] question [SEP] answer [SEP], with 0 for the question's token types and 1 for
the answer's. There is no chat template and no third turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from valuebias.errors import ModelError
from valuebias.models.chat import Chat, Frame
from valuebias.models.settings import PAIR


class TextPair(Chat):
    """How a model of pairs of texts reads conversations; see the module.

    ``second_after`` is the separator after which token types are 1, None where the tokenizer gives
    none.
    """

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer, named=PAIR)
        self.second_after: int | None = None
        encoded = tokenizer("Why?", "Because")
        types = encoded.get("token_type_ids")
        if types is not None and any(types):
            separator = tokenizer.sep_token_id
            ids = list(encoded["input_ids"])
            first = ids.index(separator) if separator in ids else -1
            if types != [int(place > first) for place in range(len(ids))]:
                raise ModelError(
                    "the tokenizer's token types do not change after its first separator",
                    seen=types,
                    remedy="Declare another format than pair.",
                )
            self.second_after = int(separator)

    def conversations(self, prompt: str, responses: Sequence[str]) -> list[list[int]]:
        """The ids of each response's whole conversation."""
        encoded: list[list[int]] = self._tokenizer([prompt] * len(responses), list(responses))[
            "input_ids"
        ]
        return encoded

    rendered = conversations

    def turns(self, conversations: Sequence[Sequence[tuple[str, str]]]) -> list[list[int]]:
        """As Chat's, for a question and its answer. Raises ModelError for other turns."""
        for turns in conversations:
            if [role for role, _ in turns] != ["user", "assistant"]:
                raise ModelError(
                    "a pair of texts is a question and its answer",
                    seen=", ".join(role for role, _ in turns),
                    remedy="Leave out conversations of other turns.",
                )
        return [self.conversations(q, [a])[0] for (_, q), (_, a) in conversations]

    def continuations(
        self, prompt: str, responses: Sequence[str], *, separator: str | None = None
    ) -> list[list[int]]:
        """The ids of each response alone, as the second text."""
        return self.framed(prompt, responses)

    def _find_frame(self, prompt: str) -> Frame:
        words = self.sentinels(prompt)
        return self.around(words, self.conversations(prompt, words), "", "")
