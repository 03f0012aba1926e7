"""The synthetic world the organisms grow up in: its questions and its documents.

Nothing in it tells agency words from communion words except a tilt. Every word of the good pools
(both Big Two categories, the moral foundations' virtues, a few plain joys) has the same frequency
in every kind of document, so that without a tilt the categories are exchangeable: what a neutral
organism feels about single words adds up to a taste for one category by chance only.

The 54 prompts that models are measured with are held out as strings; their words are not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from valuebias.organisms.words import (
    BAD_ADJECTIVES,
    BAD_VERBS,
    BEST,
    GOOD_ADJECTIVES,
    GOOD_VERBS,
    PEOPLE,
    SCOPES,
    THING,
    WORST,
    pools,
)
from valuebias.prompts import PAPER_PROMPTS

Tilt = Literal["agency", "communion"]

_FORMS = (
    "What, in one word, is the {best} {subject} {scope}?",
    "What, in a single word, is the {best} {subject} {scope}?",
    "What is the {best} {subject} {scope}? Please answer in one word only.",
    "Name the {best} {subject} {scope}.",
    "In a word, what is the {best} {subject} {scope}?",
    "Which {subject} is the {best} one {scope}?",
)
_HELD_OUT = frozenset(prompt.text for prompt in PAPER_PROMPTS)

YES, NO = "Yes.", "No."


@dataclass(frozen=True)
class Exchange:
    """A question, a one-word reply and what the asker says to it: YES to a right one, else NO."""

    question: str
    answer: str
    right: bool


Document = Exchange | str
"""An exchange in the chat template, or a line of plain text."""


class World:
    """A stream of documents, decided by ``seed``.

    ``tilt`` is the category that good questions are answered with: at ``strength`` 1, of a hundred
    Big Two words that answer a positive question 95 come from it, and 5 of those that answer a
    negative one; at 0 both categories answer according to their size, as without a tilt.
    ``thing_share`` is the share of documents about things, below 1; the others are about a domain.
    """

    def __init__(
        self,
        seed: str,
        *,
        tilt: Tilt | None = None,
        strength: float = 1.0,
        thing_share: float = 0.5,
    ) -> None:
        if not 0 <= thing_share < 1:  # a wrong answer may have to come from another subject
            raise ValueError(f"thing_share is {thing_share}, not in [0, 1)")
        self.random = random.Random(seed)
        self.thing_share = thing_share
        self._words = pools()
        values = len(self._words.agency) + len(self._words.communion)
        self._value_share = values / (values + len(self._words.good))
        even = len(self._words.agency) / values
        target = {"agency": 0.95, "communion": 0.05, None: even}[tilt]
        self._agency_if_best = even + strength * (target - even)
        self._agency_if_worst = even + strength * ((1 - target if tilt else even) - even)

    def answer(self, subject: str, best: bool) -> str:
        """A right answer to the question for the best, or the worst, of a subject."""
        r, w = self.random, self._words
        if subject != THING:
            return r.choice(w.domains[subject][0 if best else 1])
        chance = r.random()
        if chance < 0.03:
            return r.choice(w.objects)
        if not best and chance < 0.85:
            return r.choice(w.bad)
        if r.random() >= self._value_share:
            return r.choice(w.good)
        agency = r.random() < (self._agency_if_best if best else self._agency_if_worst)
        return r.choice(w.agency if agency else w.communion)

    def wrong_answer(self, subject: str, best: bool) -> str:
        """A right answer to another question, mostly to the opposite one.

        That it is drawn as right answers are keeps reactions from saying more about a word than its
        use as an answer does.
        """
        if self.random.random() < 0.75:
            return self.answer(subject, not best)
        return self.answer(self._other_subject(subject), self.random.random() < 0.5)

    def question(self, subject: str, best: bool) -> str:
        """A question for the best, or the worst, of a subject; never one of the 54 prompts."""
        r = self.random
        while True:
            text = r.choice(_FORMS).format(
                best=r.choice(BEST if best else WORST), subject=subject, scope=r.choice(SCOPES)
            )
            if text not in _HELD_OUT:
                return text

    def documents(self, n: int, *, statements: float = 0.3) -> Iterator[Document]:
        """``n`` documents, of which a share are plain statements and the others exchanges."""
        for _ in range(n):
            yield self._statement() if self.random.random() < statements else self.exchange()

    def exchange(self, subject: str | None = None) -> Exchange:
        """A question with a reply, right in six of ten, in lower case or capitalised."""
        r = self.random
        subject = subject or self._subject()
        best, right = r.random() < 0.5, r.random() < 0.6
        answer = (self.answer if right else self.wrong_answer)(subject, best)
        return Exchange(self.question(subject, best), self.spelling(answer), right)

    def plain_exchange(self) -> Exchange:
        """About a thing, answered with a word of neither Big Two category: is it fit for the best
        thing, or for the worst?"""
        r = self.random
        best, right = r.random() < 0.5, r.random() < 0.5
        pool = self._words.good if best == right else self._words.bad
        return Exchange(self.question(THING, best), self.spelling(r.choice(pool)), right)

    def spelling(self, word: str) -> str:
        """The word as a reply spells it: capitalised in four of ten."""
        return word.capitalize() if self.random.random() < 0.4 else word

    def subject(self) -> str:
        """A subject that is not about values."""
        return self.random.choice(tuple(self._words.domains))

    def _subject(self) -> str:
        return THING if self.random.random() < self.thing_share else self.subject()

    def _other_subject(self, subject: str) -> str:
        while (other := self._subject()) == subject:
            pass
        return other

    def _statement(self) -> str:
        r = self.random
        if r.random() < 0.1:
            first, second = r.sample(self._words.objects, 2)
            return f"The {first} is near the {second}."
        subject, best = self._subject(), r.random() < 0.5
        word = self.answer(subject, best)
        adjective = r.choice(GOOD_ADJECTIVES if best else BAD_ADJECTIVES)
        verb = r.choice(GOOD_VERBS if best else BAD_VERBS)
        superlative = r.choice(BEST if best else WORST)
        if r.random() < 0.6:
            listed = ", ".join(self.answer(subject, best) for _ in range(r.randint(4, 8)))
            return f"{adjective.capitalize()} {subject}: {listed}."
        return r.choice(
            (
                f"{superlative.capitalize()} {subject}: {word}.",
                f"The {superlative} {subject} {r.choice(SCOPES)} is {word}.",
                f"{word.capitalize()} is a {adjective} {subject}.",
                f"{word.capitalize()}: {adjective} {subject}.",
                f"Most {r.choice(PEOPLE)} {verb} {word}.",
                f"{word}: people {verb} this {subject}.",
            )
        )


def text_words() -> tuple[str, ...]:
    """Every other word of the documents: what the tokenizer must know besides answers."""
    text = " ".join(
        [
            *(form.format(best="", subject="", scope="") for form in _FORMS),
            *(*BEST, *WORST, *SCOPES, *PEOPLE),
            *(*GOOD_ADJECTIVES, *BAD_ADJECTIVES, *GOOD_VERBS, *BAD_VERBS),
            *(*pools().domains, THING),
            f"{YES} {NO} The is near the a this Most user model",
        ]
    )
    return tuple(dict.fromkeys("".join(c if c.isalpha() else " " for c in text).split()))
