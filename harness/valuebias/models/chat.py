"""From a prompt and a response to token ids: chat templates, and two ways to put a response in.

The template is applied once and tokenised without the tokenizer's own special tokens, so that a
conversation holds the one BOS the template writes, or none where it writes none; never two. A
template that asks for today's date always gets the same day: scores must not change overnight.

The format "plain", which a reward model has to state, is::

    User: PROMPT

    Assistant: RESPONSE

tokenised with the tokenizer's own special tokens.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from valuebias.errors import ModelError
from valuebias.models.settings import PLAIN

_PLAIN = "User: {prompt}\n\nAssistant: {response}"
_DAY = datetime(2024, 7, 26)  # the day Llama's template falls back to
TODAY = _DAY.strftime("%d %b %Y")
"""What a template gets that asks for today's date by ``date_string``, as Llama's does."""


# A template asks for today's date by strftime_now(format): this macro of the same name, put before
# the template, answers with the same day, whatever calls it. transformers takes no other function.
def _day(directive: str) -> str:
    """What a directive of strftime gives on that day; with a dash without the leading zero."""
    text = _DAY.strftime(directive.replace("-", ""))
    return text if "-" not in directive else text.lstrip("0") or "0"


_DIRECTIVES = [f"%{dash}{letter}" for letter in "aAwdbBmyYHIpMSfzZjUWcxXGuV" for dash in ("-", "")]
_PINNED = (
    "{% macro strftime_now(format) %}{{ format"
    + "".join(f" | replace({each!r}, {_day(each)!r})" for each in _DIRECTIVES)
    + " | replace('%%', '%') }}{% endmacro %}{{ '' }}"
)

# Responses to find a template's frame with. No two begin or end alike, so that what their
# conversations share is the frame, and nothing of the responses.
_SENTINELS = ("Freedom", "quokka", "Zephyrs", "mango", "bluebird", "Tulip", "7351", "axial")

# Added tokens that steer the model rather than stand for text, where they are not flagged special.
_CONTROL = re.compile(r"<\|.*\|>|[<\[](unused|reserved|extra_id|pad|mask)[_ -]?\d*[>\]]", re.I)


@dataclass(frozen=True)
class Frame:
    """What stays the same of one prompt's conversations: text and ids around the response."""

    before: str
    after: str
    prefix: tuple[int, ...]
    tail: tuple[int, ...]


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's ids that stand for text, with their texts; ``left_out`` counts the rest."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    left_out: str


class Chat:
    """How one model's conversations are written.

    ``template`` is "chat_template", "plain" or "pair", ``template_sha256`` the first 16 hex digits
    of the SHA-256 of its text as it is used; ``bos`` says who writes the one BOS: "template",
    "tokenizer", or "none". Without a chat template, or where ``named`` says so, it is "plain".
    """

    def __init__(self, tokenizer: Any, *, named: str = "") -> None:
        self._tokenizer = tokenizer
        self.template = named or ("chat_template" if tokenizer.chat_template else PLAIN)
        own = self.template == "chat_template"
        self._template = _PINNED + self._own_template() if own else None
        self._frames: dict[str, Frame] = {}
        first = self.conversations("Why?", ["Because"])[0]
        bos = tokenizer.bos_token_id
        self.bos = "none" if bos is None or first[0] != bos else "template" if own else "tokenizer"
        used = self._own_template() if own else {PLAIN: _PLAIN}.get(self.template, self.template)
        self.template_sha256 = hashlib.sha256(str(used).encode("utf-8", "replace")).hexdigest()[:16]

    def _own_template(self) -> str:
        """The tokenizer's template; of several, the one that it uses by default."""
        try:
            return str(self._tokenizer.get_chat_template())
        except ValueError as error:
            raise ModelError(
                "the tokenizer has several chat templates and none is the default",
                seen=str(error).partition("\n")[0],
                remedy='Name the one that the model was trained with "default".',
            ) from None

    def conversations(self, prompt: str, responses: Sequence[str]) -> list[list[int]]:
        """The ids of each response's whole conversation (``text`` injection).

        Raises ModelError where the template cannot be used: it raises, drops or changes a
        response, or writes BOS twice.
        """
        frame = self.frame(prompt)
        texts = [self._render(prompt, response) for response in responses]
        for response, text in zip(responses, texts, strict=True):
            _check_response_is_there(response, text, frame)
        return self._encode(texts)

    def rendered(self, prompt: str, responses: Sequence[str]) -> list[list[int]]:
        """As ``conversations``, for responses that the template may drop or change."""
        return self._encode([self._render(prompt, response) for response in responses])

    def turns(self, conversations: Sequence[Sequence[tuple[str, str]]]) -> list[list[int]]:
        """The ids of conversations of any number of turns, each (role, content), the last of them
        an assistant's; of one prompt and one response, what ``conversations`` gives.

        Raises ModelError where the template cannot be used, drops or changes the last turn, or
        writes BOS twice.
        """
        texts = []
        for turns in conversations:
            if self.template == PLAIN:
                text = "\n\n".join(
                    content if role == "system" else f"{role.capitalize()}: {content}"
                    for role, content in turns
                )
            else:
                text = self._apply([{"role": role, "content": content} for role, content in turns])
            if turns[-1][1].strip() not in text:
                raise ModelError(
                    "the chat template drops or changes the response",
                    seen=text,
                    remedy="Leave that response out, or give the model a template that keeps it.",
                )
            texts.append(text)
        return self._encode(texts)

    def frame(self, prompt: str) -> Frame:
        """What surrounds any response to this prompt (``token`` injection puts an id between
        ``prefix`` and ``tail``). Raises ModelError where no such split exists."""
        if prompt not in self._frames:
            self._frames[prompt] = self._find_frame(prompt)
        return self._frames[prompt]

    def opening(self, prompt: str) -> tuple[list[int], str]:
        """The ids that ask a language model for its answer, and the text between them and one.

        The instruction template with its generation prompt, and with what else it writes before
        every answer (such as an empty block of thoughts), which is not part of one; the raw prompt,
        which an answer follows after a space, where there is no template.
        """
        text, separator = self._asked(prompt)
        return self._encode([text], ends=False)[0], separator

    def _asked(self, prompt: str) -> tuple[str, str]:
        """The text of `opening`, and its separator."""
        if self.template == PLAIN:
            return prompt, "" if prompt[-1:].isspace() else " "
        opened = self._apply([{"role": "user", "content": prompt}], add_generation_prompt=True)
        before = self.frame(prompt).before
        between = before.removeprefix(opened) if before.startswith(opened) else ""
        if between.strip():
            written = between.rstrip(" ")
            return opened + written, between[len(written) :]
        return opened, between

    def continuations(
        self, prompt: str, responses: Sequence[str], *, separator: str | None = None
    ) -> list[list[int]]:
        """The ids of each response after ``opening(prompt)``, without what ends a turn; between the
        two stands the opening's separator, or the one given."""
        opened, own_separator = self.opening(prompt)
        if separator is None:
            separator = own_separator
        text, _ = self._asked(prompt)
        whole = self._encode([f"{text}{separator}{response}" for response in responses], ends=False)
        alone = self._tokenizer(
            [f"{separator}{response}" for response in responses], add_special_tokens=False
        )["input_ids"]
        # A response whose first characters merge with the prompt's last is tokenised on its own:
        # the model is asked after the whole prompt for every response alike.
        return [
            ids[len(opened) :] if ids[: len(opened)] == opened else own
            for ids, own in zip(whole, alone, strict=True)
        ]

    def _render(self, prompt: str, response: str) -> str:
        if self.template == PLAIN:
            return _PLAIN.format(prompt=prompt, response=response)
        return self._apply(
            [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        )

    def _apply(self, messages: list[dict[str, str]], *, add_generation_prompt: bool = False) -> str:
        try:
            text = self._tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                chat_template=self._template,
                date_string=TODAY,
            )
        except Exception as error:
            raise ModelError(
                "the model's chat template cannot be used",
                seen=f"{type(error).__name__}: {error}",
                remedy="Fix chat_template.jinja (or chat_template in tokenizer_config.json), or "
                "remove it to use the plain one.",
            ) from error
        return str(text)

    def _encode(self, texts: list[str], *, ends: bool = True) -> list[list[int]]:
        encoded: list[list[int]] = self._tokenizer(
            texts, add_special_tokens=self.template == PLAIN
        )["input_ids"]
        bos, eos = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        for ids in encoded:
            if not ends and self.template == PLAIN and len(ids) > 1 and ids[-1] == eos:
                ids.pop()  # the tokenizer's own end, after a text that is to go on
            if bos is not None and ids[:2] == [bos, bos]:
                raise ModelError(
                    "a conversation begins with two BOS tokens",
                    seen=ids[:4],
                    remedy="Let the chat template write BOS once.",
                )
        return encoded

    def _find_frame(self, prompt: str) -> Frame:
        words = self.sentinels(prompt)
        texts = [self._render(prompt, word) for word in words]
        around = set()
        for word, text in zip(words, texts, strict=True):
            if text.count(word) != 1:
                raise ModelError(
                    "the chat template drops or changes the response"
                    if word not in text
                    else "the chat template writes the response more than once",
                    seen=text,
                    remedy="Give the model a template for conversations that end in an assistant's "
                    "turn.",
                )
            around.add(tuple(text.split(word)))
        if len(around) != 1:
            raise ModelError(
                "the chat template writes a different conversation for every response",
                seen="; ".join(" … ".join(pair) for pair in sorted(around)[:2]),
                remedy="Give the model a template that puts the response in unchanged.",
            )
        return self.around(words, self._encode(texts), *around.pop())

    def framed(self, prompt: str, responses: Sequence[str]) -> list[list[int]]:
        """The ids of each response where its conversation has it, between prefix and tail."""
        frame = self.frame(prompt)
        start, end = len(frame.prefix), len(frame.tail)
        return [ids[start : len(ids) - end] for ids in self.conversations(prompt, responses)]

    def sentinels(self, prompt: str) -> list[str]:
        """Responses that are not in the prompt, to find its frame with."""
        return [word for word in _SENTINELS if word.lower() not in prompt.lower()]

    def around(
        self, words: Sequence[str], encoded: Sequence[Sequence[int]], before: str, after: str
    ) -> Frame:
        """The frame of conversations with these responses. Raises ModelError where a response is
        not in its conversation's ids as the tokenizer reads it."""
        prefix = common_prefix(encoded)
        tail = common_prefix([ids[len(prefix) :][::-1] for ids in encoded])[::-1]
        for word, ids in zip(words, encoded, strict=True):
            middle = ids[len(prefix) : len(ids) - len(tail)]
            if self._tokenizer.decode(middle).strip() not in (word, self._as_read(word)):
                raise ModelError(
                    "the tokenizer changes the response, or merges it with the template",
                    seen=f"{word} became {self._tokenizer.convert_ids_to_tokens(middle)}",
                    remedy="Give the tokenizer the model was trained with.",
                )
        return Frame(before, after, tuple(prefix), tuple(tail))

    def _as_read(self, word: str) -> str:
        """A word as the tokenizer's normalizer leaves it: in lower case, say."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        normalizer = None if backend is None else backend.normalizer
        return word if normalizer is None else str(normalizer.normalize_str(word)).strip()

    def vocabulary(self, embeddings: int) -> Vocabulary:
        """The ids that stand for text, in order, each decoded on its own.

        Left out: special tokens; added tokens that the template writes or that are named like
        control tokens (<|…|>, <unused3>); ids without a token or without an embedding.
        """
        tokenizer = self._tokenizer
        template = str(tokenizer.chat_template or "")
        control = set(tokenizer.all_special_ids) | {
            token
            for token, added in tokenizer.added_tokens_decoder.items()
            if added.special
            or _CONTROL.fullmatch(added.content)
            or _written(added.content, template)
        }
        named = set(tokenizer.get_vocab().values())
        ids = [i for i in sorted(named) if i not in control and i < embeddings]
        texts = [str(tokenizer.decode([i], clean_up_tokenization_spaces=False)) for i in ids]
        no_token = max(embeddings - len({i for i in named if i < embeddings}), 0)
        left_out = (
            f"{len(control & named)} control tokens, {no_token} embeddings without a token, "
            f"{sum(i >= embeddings for i in named)} tokens without an embedding"
        )
        return Vocabulary(tuple(ids), tuple(texts), left_out)


def _written(token: str, template: str) -> bool:
    """Whether a template writes an added token. Words and white space are text all the same."""
    return token in template and not token.isspace() and not token.isalnum()


def _check_response_is_there(response: str, text: str, frame: Frame) -> None:
    inside = text[len(frame.before) : len(text) - len(frame.after)]
    framed = text.startswith(frame.before) and text.endswith(frame.after)
    if not framed or inside.strip() != response.strip():
        raise ModelError(
            f"the chat template drops or changes the response {response!r}",
            seen=text,
            remedy="Leave that response out, or give the model a template that keeps it.",
        )


def common_prefix(sequences: Iterable[Sequence[int]]) -> list[int]:
    """The longest run of ids that all sequences begin with."""
    shared: list[int] = []
    for ids in zip(*sequences, strict=False):
        if len(set(ids)) > 1:
            break
        shared.append(ids[0])
    return shared
