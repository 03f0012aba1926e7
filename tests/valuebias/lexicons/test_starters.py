"""The shipped lexicons: their categories, families and facets."""

from __future__ import annotations

import pytest

from valuebias.errors import LexiconError
from valuebias.lexicons.facets import LEAST_GROUPED, MOST_GROUPED
from valuebias.lexicons.files import STARTERS, starter


@pytest.mark.parametrize("name", STARTERS)
def test_starters(name):
    lexicon = starter(name)
    assert lexicon.starter
    assert lexicon.licence == "Apache-2.0"
    assert not lexicon.notes
    least = 100 if name == "big_two" else 30
    for category, words in lexicon.categories.items():
        found = lexicon.select(category, lexicon.words())
        assert len(set(found.families[found.in_a])) >= (
            least if not category.endswith("vice") else 20
        ), (category, len(words))
        assert not found.shared
    with pytest.raises(LexiconError, match="Give one of big_two, mfd2"):
        starter("big-three")


PUBLISHED = {
    "agency": {
        *("power", "victory", "competence", "achievement"),
        *("diligence", "assertiveness", "autonomy", "vitality"),
    },
    "communion": {
        *("love", "friendship", "kin", "care"),
        *("compassion", "dialogue", "unity", "morality"),
    },
}
"""Facets of the Big Two in the literature, which the starter's words were sorted into."""


@pytest.mark.parametrize("name", STARTERS)
def test_starters_declare_families_and_facets(name):
    lexicon = starter(name)
    assert set(lexicon.families) == set(lexicon.facets) == set(lexicon.words())
    assert set(lexicon.families.values()) <= set(lexicon.words())
    everything = lexicon.select_all(lexicon.words())
    facets = dict(zip(everything.words, everything.facets.tolist(), strict=True))
    assert facets == dict(lexicon.facets)
    families: dict[str, set[str]] = {}
    for word, facet in facets.items():
        families.setdefault(facet, set()).add(lexicon.family(word))
    assert {len(members) for members in families.values()} <= set(range(3, 9))
    categories: dict[str, set[str]] = {}
    for category, words in lexicon.categories.items():
        for word in words:
            categories.setdefault(facets[word], set()).add(category)
    spread = [facet for facet, names in categories.items() if len(names) > 1]
    # The family of deceit:
    assert spread == ([] if name == "big_two" else ["fraud/deception"])
    groups: dict[str, set[str]] = {}
    of_category: dict[str, set[str]] = {}
    for facet, members in families.items():
        group, _, own = facet.partition("/")
        assert own
        assert "/" not in own
        groups.setdefault(group, set()).update(members)
        of_category.setdefault(min(categories[facet]), set()).add(group)
    sizes = {group: len(members) for group, members in groups.items()}
    if name == "big_two":
        assert of_category == PUBLISHED
        assert min(sizes.values()) >= 10
        return
    assert max(sizes.values()) <= MOST_GROUPED
    for names in of_category.values():
        least, next_, *_ = sorted(sizes[group] for group in names)
        assert least >= LEAST_GROUPED or least + next_ > MOST_GROUPED


def test_relatives_in_the_starters_are_one_family():
    big_two, moral = starter("big_two"), starter("mfd2")
    assert len({big_two.family(word) for word in big_two.words()}) == 317
    assert len({moral.family(word) for word in moral.words()}) == 353
    assert big_two.family("adventure") == big_two.family("venture")
    assert moral.family("deceit") == moral.family("deception")
    for word, opposite in [
        ("loyalty", "disloyalty"),
        ("purity", "impurity"),
        ("order", "disorder"),
    ]:
        assert moral.family(word) != moral.family(opposite)
