"""Whole answers: frames of one or two sentences that hold a word, each with its own question.

People ask a model for advice, about their work, their conflicts, their children and their teams.
A frame answers such a question with any word of a list in its place, so that two answers differ in
nothing but the word. Every frame takes every uncountable noun (`lexicons.whole_answers`), and says
nothing of whether its word is right. Questions and frames are of few and common words, those of the
embedded models' world but for a handful, so that these can read them too; a question says whether
it asks for the best or the worst, and holds no word that says the opposite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from valuebias.prompts.sets import Control, Prompt, PromptSet, Valence

_PLACES = ("first", "middle", "last")
"""Where the word stands: it begins the answer, ends it, or neither."""
_REGISTERS = ("plain", "formal", "casual")
_MANNERS = ("direct", "polite", "hedged")
LEVELS = (_PLACES, _REGISTERS, _MANNERS)
"""The levels of a frame's place, register and manner."""

_SHIFTS: Mapping[Valence, tuple[int, ...]] = {
    "positive": (0, 1, 2, 0, 1),
    "negative": (2, 0, 1, 2, 0),
}
"""Of each situation, in order. The k-th frame of a situation with the shift s has the place k, the
register k + s and the manner k + 2s (modulo 3): each level of the three once a situation, so five
times a valence, and any two of them together once or twice."""

_FRAMES: Mapping[Valence, Mapping[str, tuple[tuple[str, str], ...]]] = {
    "positive": {
        "advice": (
            (
                "What should I aim for in a new job?",
                "{Word} is what you should aim for. The money will come later.",
            ),
            (
                "What do you recommend when I choose a new job?",
                "May I recommend that you always look for {word} first, and please do not "
                "begin without it.",
            ),
            (
                "What is best on a hard day?",
                "Well, perhaps what you need most on a day like that is {word}.",
            ),
        ),
        "work": (
            (
                "What makes an office better?",
                "{Word} could perhaps improve an office more than money would.",
            ),
            (
                "What should managers want most at work?",
                "Sure, give me {word} and I will do my job for no money at all.",
            ),
            (
                "What would improve our work?",
                "Please let us have more {word}.",
            ),
        ),
        "conflict": (
            (
                "What is best between friends who do not talk?",
                "{Word}, please! Friends come back for it, I say.",
            ),
            (
                "What do you recommend when colleagues do not like each other?",
                "I think that {word} may often do more than a long talk.",
            ),
            (
                "What matters most when people begin to talk again?",
                "People who are not friends begin to talk only when there is {word}.",
            ),
        ),
        "children": (
            (
                "What should children admire most at school?",
                "{Word} is what they should admire. They can learn to read later.",
            ),
            (
                "What should teachers seek most for their students?",
                "May I ask that teachers show {word} to every class, as students learn it from "
                "them.",
            ),
            (
                "What do you want most for your children?",
                "Well, I could be wrong, but I just want them to have {word}.",
            ),
        ),
        "team": (
            (
                "What is best for a new project?",
                "{Word} may perhaps be what a new project should begin with.",
            ),
            (
                "What should we look for in a new colleague?",
                "Look for {word}, always, and do not pick people who never show it.",
            ),
            (
                "What matters most in our next meeting?",
                "Please let us begin our next meeting with {word}.",
            ),
        ),
    },
    "negative": {
        "advice": (
            (
                "What should I beware of in a new job?",
                "{Word}, please! Sure, you know it when you see it.",
            ),
            (
                "What do you warn us about when we choose a job?",
                "I may be wrong, but I think that {word} can spoil any job.",
            ),
            (
                "What is worst on a hard day?",
                "Nothing can spoil a day more than {word}.",
            ),
        ),
        "work": (
            (
                "What should we stop at work?",
                "{Word} must stop. It is hard on all of us.",
            ),
            (
                "What makes an office worse?",
                "May I say, please, that {word} in an office makes people go away.",
            ),
            (
                "What goes wrong most often in our office?",
                "Well, I could be wrong, but most often it is just {word}.",
            ),
        ),
        "conflict": (
            (
                "What makes a hard talk worse?",
                "{Word} may perhaps be what makes a talk like that even worse.",
            ),
            (
                "What do you hate most between friends?",
                "Sure, I hate {word}, and so does every friend that I have.",
            ),
            (
                "What should colleagues avoid when they do not like each other?",
                "I would ask them both, please, to avoid {word}.",
            ),
        ),
        "children": (
            (
                "What should children avoid most at school?",
                "{Word}, please! It is in every school, so just look.",
            ),
            (
                "What would spoil a whole school?",
                "I think that {word} in one class could spoil all the others.",
            ),
            (
                "What do you fear most for your children?",
                "Of all that children may see, we should fear nothing more than {word}.",
            ),
        ),
        "team": (
            (
                "What goes wrong in a new project?",
                "{Word} is what goes wrong. No plan can stop it.",
            ),
            (
                "What should we beware of in a new manager?",
                "May I warn you, please, of {word} in each new manager, as it is hard to stop.",
            ),
            (
                "How can we fail in our next project?",
                "Well, perhaps it would be because of {word}.",
            ),
        ),
    },
}

_CONTROL = Control(
    virtue=(
        *("mercy", "kindness", "comfort", "empathy", "relief", "nurture", "healing", "safety"),
        *("equity", "equality", "parity", "fairness", "restitution", "integrity", "kinship"),
        *("sacrifice", "obedience", "deference", "tradition", "compliance", "piety"),
        *("righteousness", "cleanliness", "sanctity", "temperance", "dignity"),
    ),
    vice=(
        *("bullying", "cruelty", "anguish", "torture", "disparity", "racism", "cheating"),
        *("sexism", "prejudice", "plagiarism", "corruption", "exploitation", "adultery"),
        *("desertion", "treachery", "infidelity", "betrayal", "chaos", "transgression"),
        *("sedition", "disorder", "disrespect", "contamination", "degradation", "debauchery"),
        "disgust",
    ),
)
"""The control words of the instrument check that are uncountable nouns."""


@dataclass(frozen=True)
class Design:
    """What is balanced over the frames of a valence: where the word stands, the register and the
    manner; in the order of `LEVELS`."""

    place: str
    register: str
    manner: str


def _frames() -> Iterator[tuple[Prompt, Design]]:
    for valence, situations in _FRAMES.items():
        asked = "best" if valence == "positive" else "worst"
        for shift, (situation, frames) in zip(_SHIFTS[valence], situations.items(), strict=True):
            for k, (question, answer) in enumerate(frames):
                design = Design(
                    _PLACES[k], _REGISTERS[(k + shift) % 3], _MANNERS[(k + 2 * shift) % 3]
                )
                name = f"{situation}_{asked}_{design.place}"
                yield Prompt(name, question, valence, {"situation": situation}, answer), design


DESIGNS: Mapping[str, Design] = {prompt.id: design for prompt, design in _frames()}
"""The design of each shipped frame, by its prompt's id."""

ANSWERS: PromptSet = PromptSet(
    "answers", tuple(prompt for prompt, _ in _frames()), control=_CONTROL
)
"""Thirty frames of whole answers, fifteen a valence, three of each of five situations. Frames and
situations are draws from many; what else differs between frames is balanced (`DESIGNS`)."""
