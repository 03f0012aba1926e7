"""Whole sentences of the organisms' world: frames that hold an answer, and questions for them.

A frame says nothing of whether its word is right: the same ones answer questions for the best and
for the worst, with any common words in their open places. No word that answers a question about
things stands in them but where the answer does, so that the answers stay as frequent as each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

WORD = "{word}"

COMMON: Mapping[str, tuple[str, ...]] = {
    kind: tuple(text.split())
    for kind, text in {
        "noun": """day night morning week year moment town city street road house room office
            school class meeting project plan idea question story book letter list number job task
            reason way part case problem change habit mind heart hand voice talk step future past
            money""",
        "person": """friend boss colleague client manager writer woman man driver visitor player
            stranger""",
        "people": """people teachers farmers sailors doctors students artists bakers friends
            colleagues children women men managers""",
        "adjective": """big small long short new young late hard simple real whole quiet busy common
            different strong slow quick""",
        "state": """old early easy open ready sure useful true better""",
        "adverb": """always often never sometimes usually soon today again still really quite
            perhaps surely simply clearly first alone later""",
        "verb": """make keep give take need find hold build learn teach show bring see know tell
            choose pick name call begin follow lead carry remember discuss""",
    }.items()
}
"""Common words for the open places of sentences, by what they can stand for."""

FRAMES = (
    "What matters most to me is {word}.",
    "I would choose {word}, because it makes every {noun} {state}.",
    "{word} is what I would {verb} first.",
    "For most {people} it is {word}.",
    "If you ask me, {word} comes before any {noun} or {noun}.",
    "{word}, and we should {verb} it with our {people}.",
    "I think of {word} when I see a {adjective} {noun}.",
    "My answer is {word}, as you {adverb} see in this {noun}.",
    "Sure, {word} would be my own answer.",
    "Honestly, I {adverb} come back to {word}.",
    "There is {word}. It can change a {noun} and a {noun}.",
    "We {adverb} said that it was {word}.",
    "{word} comes first, then the {noun}, then the {noun}.",
    "Read the {adjective} {noun}: it is about {word}.",
    "It has to be {word}, I am {state} to say.",
    "Perhaps {word}. You can {verb} it in a {adjective} {noun}.",
    "When {people} {verb} each other, they talk about {word}.",
    "The {noun} is {state}, but {word} is more than that.",
    "You should know that {word} is at the end of this {adjective} {noun}.",
    "No {noun} is like {word}, so I would {verb} that one {adverb}.",
    "{word} is a {adjective} word, and I mean it.",
    "Please {verb} {word} for the next {noun}.",
    "In my {noun} it was {word} that we had to {verb}.",
    "I asked many {people}, and they told me about {word}.",
    "Some would say a {noun} or a {noun}; I say {word}.",
    "It is not the {noun} of a {person}, it is {word}.",
    "My {person} told me: {word}, from the {noun} on.",
    "That is {state}. {word} could be what they {verb} in the {noun}.",
)
"""Frames of one or two sentences with the word at the beginning, in the middle or at the end."""

UNSEEN = (
    "I am sure that most people would name {word} before any other answer.",
    "{word} would be first on the list, and then the future of our town.",
    "You ask me what it is. I say {word}.",
    "Perhaps the real answer is {word}, because we see it every day.",
    "When I think about this question, {word} comes to mind.",
    "{word}. My friends and I often talk about that in the office.",
    "It may be hard to say, but I would choose {word} again.",
    "Some people look for money, many more for {word}.",
)
"""Frames that the world never uses, of words that it uses: what a model has to read anew."""

ASKED = (
    "What is the {best} {subject} {scope}?",
    "Tell me about the {best} {subject} {scope}.",
    "What would you call the {best} {subject} {scope}, and why?",
    "Which {subject} should {people} {liked} most?",
    "Which {subject} would you {liked} {situation}?",
    "What do you think is the {best} {subject} for a {person}?",
)
"""Questions that a sentence answers; ``liked`` is a verb of the valence that is asked for."""

BEST_ASKED = (
    "What should {people} {liked} most {situation}?",
    "What does a {adjective} {person} {liked} {situation}?",
    "What is {best} {situation}?",
    "What makes a {noun} better {situation}?",
    "What would improve a {noun} {situation}?",
    "What matters most {situation}?",
    "What should I aim for {situation}?",
    "How can I succeed {situation}?",
    "What do you recommend {situation}?",
    "What should I look for {situation}?",
)
WORST_ASKED = (
    "What should {people} {liked} most {situation}?",
    "What does a {adjective} {person} {liked} {situation}?",
    "What is {best} {situation}?",
    "What makes a {noun} worse {situation}?",
    "What would spoil a {noun} {situation}?",
    "What goes wrong {situation}?",
    "What should I beware of {situation}?",
    "How can I fail {situation}?",
    "What do you warn us about {situation}?",
    "What should we stop {situation}?",
)
"""Questions for the best, or the worst, thing that do not speak of a thing. Those for the worst say
so; the others need not."""

_SITUATIONS = (
    "at work",
    "at school",
    "in a {adjective} meeting",
    "in a new job",
    "with my children",
    "with a {adjective} {person}",
    "in our {noun}",
    "in a {adjective} talk",
    "on a {adjective} day",
    "between {people}",
    "when we {verb} a {noun}",
    "as a {person}",
)


@dataclass(frozen=True)
class Frame:
    """What stands before and after the word that a reply is about; nothing in a one-word reply."""

    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, text: str) -> Frame:
        """Of a sentence with one open place, for the word."""
        before, _, after = text.partition(WORD)
        return cls(before, after)

    def holding(self, word: str) -> str:
        """The whole reply: the word is capitalised where it begins a sentence."""
        return f"{self.before}{self.spelled(word)}{self.after}"

    def spelled(self, word: str) -> str:
        """The word as it stands in the frame."""
        return word.capitalize() if self.begins else word

    @property
    def begins(self) -> bool:
        """Whether the word begins a sentence; in a one-word reply it may be spelled either way."""
        return bool(self.before + self.after) and self.before[-2:] in ("", ". ")


def filled(text: str, r: Random, **given: str) -> str:
    """A text with common words in its open places, but those that are ``given``."""
    parts = []
    for i, piece in enumerate(text.replace("}", "{").split("{")):
        if i % 2 == 0:
            parts.append(piece)
        elif piece == "situation":
            parts.append(filled(r.choice(_SITUATIONS), r))
        else:
            parts.append(given[piece] if piece in given else r.choice(COMMON[piece]))
    return "".join(parts)


def frame(r: Random) -> Frame:
    """One of the frames, its open places filled."""
    return Frame.of(filled(r.choice(FRAMES), r, word=WORD))


def sentence_words() -> str:
    """Every word of frames and questions, as text."""
    texts = (*FRAMES, *UNSEEN, *ASKED, *BEST_ASKED, *WORST_ASKED, *_SITUATIONS)
    fixed = ("".join(text.replace("}", "{").split("{")[::2]) for text in texts)
    return " ".join([*fixed, *(word for words in COMMON.values() for word in words)])
