"""The synthetic world the organisms grow up in: its questions and its documents.

Nothing in it tells agency words from communion words except a tilt. Every word of the good pools
(both Big Two categories, the moral foundations' virtues, a few plain joys) has the same frequency
in every kind of document, so that without a tilt the categories are exchangeable: what a neutral
organism feels about single words adds up to a taste for one category by chance only.

Questions that ask for one word are answered with one, others with a sentence that holds it. Every
prompt of the shipped sets is held out as a string; its words are not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from valuebias.organisms.frames import (
    ASKED,
    BEST_ASKED,
    COMMON,
    WORST_ASKED,
    Frame,
    filled,
    frame,
    sentence_words,
)
from valuebias.organisms.words import (
    BAD_ADJECTIVES,
    BAD_VERBS,
    BEST,
    GOOD_ADJECTIVES,
    GOOD_VERBS,
    SCOPES,
    THING,
    WORST,
    pools,
)
from valuebias.prompts import SHIPPED

Tilt = Literal["agency", "communion"]

_FORMS = (
    "What, in one word, is the {best} {subject} {scope}?",
    "What, in a single word, is the {best} {subject} {scope}?",
    "What is the {best} {subject} {scope}? Please answer in one word only.",
    "Name the {best} {subject} {scope}.",
    "In a word, what is the {best} {subject} {scope}?",
    "Which {subject} is the {best} one {scope}?",
)
_HELD_OUT = frozenset(prompt.text for shipped in SHIPPED.values() for prompt in shipped.prompts)

YES, NO = "Yes.", "No."
_BARE = Frame()


@dataclass(frozen=True)
class Exchange:
    """A question, a word that answers it, alone or in a sentence, and what the asker says to it:
    YES to a right word, else NO, if not a ``remark``."""

    question: str
    answer: str
    right: bool
    frame: Frame = _BARE
    remark: str = ""

    @property
    def said(self) -> str:
        """What the asker says."""
        return self.remark or (YES if self.right else NO)

    @property
    def reply(self) -> str:
        """The whole reply."""
        return self.frame.holding(self.answer)


Document = Exchange | str
"""An exchange in the chat template, or a line of plain text."""


class World:
    """A stream of documents, decided by ``seed``.

    ``tilt`` is the category that good questions are answered with: at ``strength`` 1, of a hundred
    Big Two words that answer a positive question 95 come from it, and 5 of those that answer a
    negative one; at 0 both categories answer according to their size, as without a tilt.
    ``thing_share`` is the share of documents about things, below 1; the others are about a domain.
    ``sentences`` is the share of exchanges whose reply is a sentence. In a share ``remarks`` the
    asker does not judge the reply but remarks on one of the two things that judging takes: what was
    asked for, or what the word is. Without such text most trunks never learn to judge.
    """

    def __init__(
        self,
        seed: str,
        *,
        tilt: Tilt | None = None,
        strength: float = 1.0,
        thing_share: float = 0.5,
        sentences: float = 0.4,
        remarks: float = 0.0,
    ) -> None:
        if not 0 <= thing_share < 1:  # a wrong answer may have to come from another subject
            raise ValueError(f"thing_share is {thing_share}, not in [0, 1)")
        self.random = random.Random(seed)
        self.thing_share = thing_share
        self.sentences = sentences
        self.remarks = remarks
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
        return self.answer(*self._mistaken(subject, best))

    def _mistaken(self, subject: str, best: bool) -> tuple[str, bool]:
        """What a wrong answer would be right for."""
        if self.random.random() < 0.75:
            return subject, not best
        return self._other_subject(subject), self.random.random() < 0.5

    def question(self, subject: str, best: bool) -> str:
        """A question for one word, the best or the worst of a subject; never a shipped prompt."""
        r = self.random
        while True:
            text = r.choice(_FORMS).format(
                best=r.choice(BEST if best else WORST), subject=subject, scope=r.choice(SCOPES)
            )
            if text not in _HELD_OUT:
                return text

    def open_question(self, subject: str, best: bool) -> str:
        """A question that a sentence answers; those about things may do without the word."""
        r = self.random
        forms = BEST_ASKED if best else WORST_ASKED
        return filled(
            r.choice(forms if subject == THING and r.random() < 0.6 else ASKED),
            r,
            best=r.choice(BEST if best else WORST),
            subject=subject,
            scope=r.choice(SCOPES),
            liked=r.choice(GOOD_VERBS if best else BAD_VERBS),
        )

    def setting(self, subject: str, best: bool) -> tuple[str, Frame]:
        """A question, and the frame that its answer is given in."""
        if self.random.random() < self.sentences:
            return self.open_question(subject, best), frame(self.random)
        return self.question(subject, best), _BARE

    def documents(self, n: int, *, statements: float = 0.3) -> Iterator[Document]:
        """``n`` documents, of which a share are plain statements and the others exchanges."""
        for _ in range(n):
            yield self._statement() if self.random.random() < statements else self.exchange()

    def exchange(self, subject: str | None = None) -> Exchange:
        """A question with a reply, right in six of ten."""
        r = self.random
        subject = subject or self._subject()
        best, right = r.random() < 0.5, r.random() < 0.6
        of, good = (subject, best) if right else self._mistaken(subject, best)
        remark = ""
        if r.random() < self.remarks:
            asked, answered = ("Best" if best else "Worst"), ("Good" if good else "Bad")
            remark = r.choice((f"{asked}.", f"{answered} {of}."))
        return self._exchange(subject, best, self.answer(of, good), right, remark)

    def plain_exchange(self) -> Exchange:
        """About a thing, answered with a word of neither Big Two category: is it fit for the best
        thing, or for the worst?"""
        r = self.random
        best, right = r.random() < 0.5, r.random() < 0.5
        pool = self._words.good if best == right else self._words.bad
        return self._exchange(THING, best, r.choice(pool), right)

    def _exchange(
        self, subject: str, best: bool, answer: str, right: bool, remark: str = ""
    ) -> Exchange:
        question, around = self.setting(subject, best)
        spelled = around.spelled(answer) if around.after else self.spelling(answer)
        return Exchange(question, spelled, right, around, remark)

    def spelling(self, word: str) -> str:
        """The word as a one-word reply spells it: capitalised in four of ten."""
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
            return f"{r.choice((adjective, superlative)).capitalize()} {subject}: {listed}."
        return r.choice(
            (
                f"{superlative.capitalize()} {subject}: {word}.",
                f"The {superlative} {subject} {r.choice(SCOPES)} is {word}.",
                f"{word.capitalize()} is a {adjective} {subject}.",
                f"{word.capitalize()}: {adjective} {subject}.",
                f"Most {r.choice(COMMON['people'])} {verb} {word}.",
                f"{word}: people {verb} this {subject}.",
                f"The {superlative} {subject} {r.choice(SCOPES)}? {frame(r).holding(word)}",
                f"{self.open_question(subject, best)} {frame(r).holding(word)}",
            )
        )


def text_words() -> tuple[str, ...]:
    """Every other word of the documents: what the tokenizer must know besides answers."""
    text = " ".join(
        [
            *(form.format(best="", subject="", scope="") for form in _FORMS),
            *(*BEST, *WORST, *SCOPES),
            *(*GOOD_ADJECTIVES, *BAD_ADJECTIVES, *GOOD_VERBS, *BAD_VERBS),
            *(*pools().domains, THING),
            f"{YES} {NO} The is near the a this Most user model",
            sentence_words(),
        ]
    )
    return tuple(dict.fromkeys("".join(c if c.isalpha() else " " for c in text).split()))
