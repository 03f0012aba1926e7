"""The words of the organisms' world: what questions ask for, and what answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

THING = "thing"
"""The subject of the questions that values answer: the one the 54 prompts ask about."""

# Subjects that have nothing to do with values: ten good answers, then ten bad ones.
_DOMAINS = {
    "food": """cake bread honey soup cheese pasta curry pancakes salad chocolate
        mud glue slime mold chalk sawdust rust gristle sludge ash""",
    "animal": """dog puppy kitten horse dolphin rabbit swan deer otter panda
        rat wasp mosquito tick leech roach snake spider maggot flea""",
    "weather": """sunny mild clear breeze warm bright dry calm rainbow balmy
        storm hail sleet fog blizzard smog flood tornado frost gale""",
    "place": """beach garden park museum meadow forest lake library harbor village
        dump sewer swamp prison dungeon junkyard desert cellar alley pit""",
    "tool": """hammer saw drill wrench chisel plane level clamp file lathe
        splinter scrap stub shard crack dent bend clog leak snag""",
    "sport": """soccer tennis rowing skating surfing chess golf hockey cricket judo
        brawling fouling tripping loitering spitting shoving gouging littering gambling mugging""",
}
_JOYS = """joy hope beauty light music laughter wonder dawn summer sunshine health magic life art
    delight spring bliss happiness"""
_WOES = """hatred war death greed famine despair terror grief slavery hunger ruin fear envy sorrow
    panic loneliness rage cancer drought"""
_OBJECTS = """table window paper stone bottle pencil carpet ladder button bucket corner engine
    fabric handle island jacket kettle magnet needle orbit pillow ribbon shelf ticket wagon zipper
    puddle gravel"""

BEST = (
    *("best", "greatest", "most good", "finest", "most wonderful", "most excellent"),
    *("most admirable", "most valuable", "most precious", "most desirable"),
    *("loveliest", "most superb"),
)
WORST = (
    *("worst", "most bad", "most terrible", "most awful", "most horrible", "nastiest"),
    *("vilest", "most despicable", "most harmful", "most loathsome", "most dreadful"),
    "foulest",
)
SCOPES = ("ever", "in the world", "of all time", "on earth", "in history", "of all")
GOOD_ADJECTIVES = ("wonderful", "good", "great", "lovely", "excellent", "fine", "superb")
BAD_ADJECTIVES = ("terrible", "bad", "awful", "horrible", "nasty", "dreadful", "vile")
GOOD_VERBS = ("admire", "cherish", "praise", "want", "seek", "enjoy")
BAD_VERBS = ("fear", "hate", "avoid", "blame", "reject", "dread")


@dataclass(frozen=True)
class Pools:
    """Words that answer questions, by what they answer; the pools of words for things are disjoint.

    ``good`` and ``bad`` hold the virtues and vices that are not in the Big Two lexicon, and a few
    plain joys and woes. ``domains`` maps a subject to its good and its bad answers.
    """

    agency: tuple[str, ...]
    communion: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    objects: tuple[str, ...]
    domains: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]

    def answers(self) -> tuple[str, ...]:
        """Every word that answers some question, each once, in a fixed order."""
        domains = [word for pools in self.domains.values() for pool in pools for word in pool]
        pools = (self.agency, self.communion, self.good, self.bad, self.objects, domains)
        return tuple(dict.fromkeys(word for pool in pools for word in pool))


@cache
def pools() -> Pools:
    """The pools, from the starter lexicons and the lists above."""
    big_two, foundations = _categories("big_two"), _categories("mfd2")
    used = {word for pool in big_two.values() for word in pool}

    def fresh(polarity: str, more: str) -> tuple[str, ...]:
        listed = [w for c, pool in foundations.items() if c.endswith(polarity) for w in pool]
        chosen = [word for word in dict.fromkeys(listed + more.split()) if word not in used]
        used.update(chosen)
        return tuple(chosen)

    domains = {name: tuple(text.split()) for name, text in _DOMAINS.items()}
    return Pools(
        agency=tuple(big_two["agency"]),
        communion=tuple(big_two["communion"]),
        bad=fresh(".vice", _WOES),
        good=fresh(".virtue", _JOYS),
        objects=tuple(_OBJECTS.split()),
        domains={name: (answers[:10], answers[10:]) for name, answers in domains.items()},
    )


def _categories(lexicon: str) -> Mapping[str, Sequence[str]]:
    text = files("valuebias.lexicons").joinpath("shipped", f"{lexicon}.yaml").read_text("utf-8")
    categories: Mapping[str, Sequence[str]] = yaml.safe_load(text)["categories"]
    return categories
