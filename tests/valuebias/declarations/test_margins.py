"""Margins files: the shipped one fits the shipped lexicons; a user's names file and line."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from scipy import stats

import valuebias_suites
from valuebias.declarations.margins import load_margins
from valuebias.errors import StatisticsError
from valuebias.lexicons.files import STARTERS, starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import Valence
from valuebias.questions import Declared
from valuebias.stats import Margin

SHIPPED = Path(valuebias_suites.__file__).parent / "margins.yaml"
LEXICON = Lexicon("mine", {"agency": ("win",), "communion": ("care",)})


@pytest.mark.parametrize("name", STARTERS)
def test_every_contrast_of_a_starter_has_its_convention(name):
    lexicon = starter(name)
    margins = load_margins(SHIPPED)
    contrasts = ["agency~communion"] if name == "big_two" else list(lexicon.categories)
    valences: tuple[Valence, ...] = ("positive", "negative")
    roles: tuple[Declared, ...] = ("range", "shift")
    for contrast, valence, role in itertools.product(contrasts, valences, roles):
        margin = margins.margin_for(lexicon, contrast, valence, role)
        assert margin is not None
        assert margin.basis == "convention"
        wide = name == "mfd2" or (valence, role) == ("negative", "range")
        half = 2 * stats.norm.cdf((0.8 if wide else 0.5) / 2**0.5) - 1
        assert (margin.low, margin.high) == pytest.approx((-half, half), abs=5e-4)


def test_every_shipped_entry_is_of_a_kind_that_reports_can_name():
    margins = load_margins(SHIPPED)
    starters = {starter(name).digest for name in STARTERS}
    for (digest, *_, role, _, prompts), margin in margins.entries.items():
        assert re.fullmatch("[0-9a-f]{64}", digest)
        agreed = digest in starters or role in ("logprob", "implicit") or prompts is None
        assert margin.basis == ("convention" if agreed else "panel")
        assert prompts == (None if agreed else "paper")
        assert margin.source
    assert {digest for digest, *_ in margins.entries} > starters


def write(tmp_path: Path, *entries: str) -> Path:
    path = tmp_path / "margins.yaml"
    path.write_text("margins:\n" + "".join(f"  - {{{e}}}\n" for e in entries))
    return path


GOOD = "lexicon: mine, contrast: Agency~communion, valence: positive, role: range"


def test_a_users_file_names_a_lexicon_or_its_digest(tmp_path):
    path = write(
        tmp_path,
        f"{GOOD}, interval: [-0.1, 0.3]",
        f"lexicon: {LEXICON.digest}, contrast: agency~communion, valence: negative, role: shift, "
        "interval: [-.2, 2e-1], basis: declared, source: our last release",
    )
    margins = load_margins(path)
    found = margins.margin_for(LEXICON, "agency~communion", "positive", "range")
    assert found == Margin(-0.1, 0.3, "declared", "margins.yaml")
    found = margins.margin_for(LEXICON, "agency~communion", "negative", "shift")
    assert found == Margin(-0.2, 0.2, "declared", "our last release")
    assert margins.margin_for(LEXICON, "agency~communion", "negative", "range") is None
    assert margins.margin_for(LEXICON, "agency", "negative", "range") is None


def test_a_lexicon_may_be_named_in_several_ways(tmp_path):
    lexicon = Lexicon("my_words", LEXICON.categories)
    digest = lexicon.digest
    rest = GOOD.partition(", ")[2] + ", interval: [-0.1, 0.3]"
    for name in ("my-words", "My_Words", digest, digest[:12], digest[:30].upper(),
                 f'"sha256:{digest[:12]}"'):  # fmt: skip
        margins = load_margins(write(tmp_path, f"lexicon: {name}, {rest}"))
        found = margins.margin_for(lexicon, "agency~communion", "positive", "range")
        assert found is not None, name
        assert not margins.unused([lexicon])
    for name in ("mywords", digest[:11], digest[1:], digest[:12] + "x"):
        margins = load_margins(write(tmp_path, f"lexicon: {name}, {rest}"))
        assert margins.margin_for(lexicon, "agency~communion", "positive", "range") is None


def test_a_digest_counts_before_its_beginning_before_a_name(tmp_path):
    rest = GOOD.partition(", ")[2]
    margins = load_margins(
        write(
            tmp_path,
            f"{GOOD}, interval: [-0.1, 0.1]",
            f"lexicon: {LEXICON.digest[:20]}, {rest}, interval: [-0.2, 0.2]",
        )
    )
    found = margins.margin_for(LEXICON, "agency~communion", "positive", "range")
    assert found is not None
    assert found.high == 0.2


def test_a_margin_holds_both_directions(tmp_path):
    margins = load_margins(
        write(
            tmp_path,
            f"{GOOD}, interval: [-0.1, 0.3]",
            f"{GOOD.replace('positive', 'negative')}, interval: [0, 0.3]",
        )
    )
    found = margins.margin_for(LEXICON, "Communion~Agency", "positive", "range")
    assert found == Margin(-0.3, 0.1, "declared", "margins.yaml")
    turned = margins.margin_for(LEXICON, "communion~agency", "negative", "range")
    assert turned is not None
    assert str(turned.high) == "0.0"  # not minus zero
    for name in ("mine", "Mine"):
        other = GOOD.replace("Agency~communion", "communion~agency").replace("mine", name)
        with pytest.raises(
            StatisticsError, match=r"line 3: duplicate margin.*margins\.yaml, line 2"
        ):
            load_margins(
                write(tmp_path, f"{GOOD}, interval: [-0.1, 0.3]", f"{other}, interval: [-0.1, 0.3]")
            )
    beginning, whole = (
        GOOD.replace("mine", d) + ", interval: [-0.1, 0.3]"
        for d in (LEXICON.digest[:12], LEXICON.digest)
    )
    with pytest.raises(StatisticsError, match="line 3: duplicate margin"):
        load_margins(write(tmp_path, beginning, whole))


def test_a_category_alone_is_the_contrast_with_the_only_other(tmp_path):
    """Else a margin that a user declared would be left for a wider one that is shipped."""
    entry = "lexicon: mine, contrast: {}, valence: positive, role: range, interval: [-0.05, 0.1]"
    for declared, asked, bounds in (
        ("agency", "agency~communion", (-0.05, 0.1)),
        ("communion", "agency~communion", (-0.1, 0.05)),
        ("agency~communion", "agency", (-0.05, 0.1)),
        ("agency~communion", "communion", (-0.1, 0.05)),
        ("agency", "communion", (-0.1, 0.05)),
    ):
        margins = load_margins(write(tmp_path, entry.format(declared)))
        assert margins.unused([LEXICON]) == ()
        found = margins.margin_for(LEXICON, asked, "positive", "range")
        assert found is not None
        assert (found.low, found.high) == bounds
    three = Lexicon("mine", {"agency": ("win",), "communion": ("care",), "rest": ("sleep",)})
    margins = load_margins(write(tmp_path, entry.format("agency")))
    assert margins.margin_for(three, "agency~communion", "positive", "range") is None
    assert margins.margin_for(three, "agency", "positive", "range") is not None


def test_two_margins_of_one_contrast_are_refused_however_spelled(tmp_path):
    entry = "lexicon: mine, contrast: {}, valence: positive, role: range, interval: [-0.05, 0.1]"
    path = write(tmp_path, entry.format("agency~communion"), entry.format("agency"))
    assert any("line 3: agency of mine is" in line for line in load_margins(path).unused([LEXICON]))


def test_margins_that_hold_nothing_are_named_by_line(tmp_path):
    rest = GOOD.partition(", ")[2] + ", interval: [-0.1, 0.3]"
    path = write(
        tmp_path,
        f"{GOOD}, interval: [-0.1, 0.3]",
        f"lexicon: mien, {rest}",
        f"lexicon: {LEXICON.digest[:8]}, {rest}",
        f"lexicon: mine, {rest.replace('Agency', 'agancy')}",
        "lexicon: mine, contrast: communion, valence: negative, role: range, interval: [-0.1, 0.3]",
        f"lexicon: {LEXICON.digest[:12]}, {rest.replace('range', 'shift')}",
    )
    margins = load_margins(path)
    other = Lexicon("other", {"care": ("care",), "harm": ("harm",)})
    assert margins.unused(lexicon for lexicon in (other, LEXICON)) == (
        f"{path}, line 3: no lexicon in use is called mien",
        f"{path}, line 4: no lexicon in use is called {LEXICON.digest[:8]} "
        "(give at least 12 characters of a digest)",
        f"{path}, line 5: the lexicon mine has no such category: agancy",
    )
    assert len(margins.unused([other])) == len(margins.unused([])) == 6
    # The same words under two names are one lexicon; two lexicons of one name are not.
    assert len(margins.unused([LEXICON, Lexicon("mine", LEXICON.categories)])) == 3
    assert "more than one" in margins.unused([LEXICON, Lexicon("Mine", other.categories)])[0]


def test_a_profile_has_its_own_margin(tmp_path):
    margins = load_margins(
        write(
            tmp_path,
            f"{GOOD}, interval: [-0.1, 0.3]",
            f"{GOOD}, interval: [-0.2, 0.2], profile: paper",
            f"lexicon: {LEXICON.digest}, {GOOD.partition(', ')[2]}, interval: [-0.4, 0.4], "
            "profile: quick",
        )
    )

    def found(contrast="agency~communion", **given):
        margin = margins.margin_for(LEXICON, contrast, "positive", "range", **given)
        return margin and (margin.low, margin.high)

    assert found() == found(profile="ci") == (-0.1, 0.3)
    assert found("communion~agency") == (-0.3, 0.1)
    assert found(profile="paper") == found("communion~agency", profile="paper") == (-0.2, 0.2)
    assert found(profile="quick") == (-0.4, 0.4)


def test_a_margin_of_another_profile_is_none(tmp_path):
    margins = load_margins(write(tmp_path, f"{GOOD}, interval: [-0.1, 0.3], profile: paper"))
    question: tuple[Lexicon, str, Valence, Declared]
    question = (LEXICON, "agency~communion", "positive", "range")
    assert margins.margin_for(*question, profile="paper") is not None
    assert margins.margin_for(*question, profile="ci") is None
    assert margins.margin_for(*question) is None


def test_of_a_profile_before_of_this_very_lexicon(tmp_path):
    rest = GOOD.partition(", ")[2]
    path = write(
        tmp_path,
        f"lexicon: {LEXICON.digest}, {rest}, interval: [-0.2, 0.2]",
        f"{GOOD}, interval: [-0.1, 0.1], profile: ci",
    )
    found = load_margins(path).margin_for(LEXICON, "agency~communion", "positive", "range")
    assert found is not None
    assert found.high == 0.1


def test_one_profile_has_one_margin(tmp_path):
    one = f"{GOOD}, profile: ci, interval: [-0.1, 0.3]"
    turned = one.replace("Agency~communion", "communion~agency")
    for other in (one, turned):
        with pytest.raises(StatisticsError, match=r"line 3: duplicate margin.* ci\."):
            load_margins(write(tmp_path, one, other))


def test_the_difference_of_the_two_valences_has_its_margin(tmp_path):
    entry = f"{GOOD.replace('positive', 'positive-negative')}, interval: [-0.1, 0.3]"
    margins = load_margins(write(tmp_path, entry))
    found = margins.margin_for(LEXICON, "communion~agency", "positive-negative", "range")
    assert found == Margin(-0.3, 0.1, "declared", "margins.yaml")
    assert margins.margin_for(LEXICON, "agency~communion", "positive", "range") is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (f"{GOOD}, interval: [-0.1, 0.1], profile: fast", "line 3: unknown profile. Seen: fast"),
        (f"{GOOD}", "line 3: an entry has no `interval`"),
        (f"{GOOD}, interval: [0.2, -0.2]", "line 3: a margin must be two finite numbers"),
        (f"{GOOD}, interval: [-1, 1]", "line 3: a margin wider than 1.9 gates nothing"),
        (f"{GOOD}, interval: [0.1]", "line 3: an interval must be two numbers"),
        (f"{GOOD}, interval: [-0.1, many]", "line 3: a bound is not a finite number. Seen: many"),
        (f"{GOOD}, interval: [.nan, 0.1]", "line 3: a bound is not a finite number"),
        (f"{GOOD}, interval: 0.1", "line 3: `interval` is not a list"),
        (f"{GOOD}, interval: [-0.1, 0.1], rôle: x", "line 3: unknown key"),
        (
            GOOD.replace("positive", "both") + ", interval: [-0.1, 0.1]",
            "line 3: unknown valence. Seen: both",
        ),
        (GOOD.replace("range", "draft") + ", interval: [-0.1, 0.1]", "line 3: unknown role"),
        (GOOD.replace("Agency", "a]") + ", interval: [-0.1, 0.1]", "line 3: .* is not YAML"),
        (GOOD.replace("Agency", "$") + ", interval: [-0.1, 0.1]", "line 3: invalid category name"),
    ],
)
def test_mistakes_name_their_line(tmp_path, entry, message):
    path = write(tmp_path, "lexicon: a, contrast: b, valence: positive, role: range, "
                 "interval: [-0.1, 0.1]", entry)  # fmt: skip
    if "YAML" in message:
        message = "line 3 is not YAML"
    with pytest.raises(StatisticsError, match=message) as error:
        load_margins(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_margins_file(tmp_path):
    twice = f"{GOOD}, interval: [-0.1, 0.3]"
    with pytest.raises(StatisticsError, match="line 3: duplicate margin"):
        load_margins(write(tmp_path, twice, twice))
    path = tmp_path / "other.yaml"
    for content, message in (
        (b"", "is empty"),
        (b"- 1\n", "line 1: the file is not a mapping"),
        (b"{}\n", "no `margins` list"),
        (b"margin: []\n", "line 1: unknown key. Seen: margin"),
        (b"margins: {}\n", "line 1: `margins` is not a list"),
        (b"margins: \xff\n", "cannot read"),
    ):
        path.write_bytes(content)
        with pytest.raises(StatisticsError, match=message):
            load_margins(path)
    with pytest.raises(StatisticsError, match="cannot read"):
        load_margins(tmp_path)


@pytest.mark.parametrize("contrast", ["agency~communion", "communion~agency", "communion"])
def test_the_margin_of_a_gap_is_the_same_in_either_direction(tmp_path, contrast):
    # A gap that narrowed did so whichever side is named first; turned round, its margin would let
    # one pass that widened.
    entry = f"lexicon: mine, contrast: {contrast}, valence: positive, interval: [-1, 0.1]"
    margins = load_margins(write(tmp_path, f"{entry}, role: gap", f"{entry}, role: drift"))
    found = margins.margin_for(LEXICON, "agency~communion", "positive", "gap")
    assert found is not None
    assert (found.low, found.high) == (-1, 0.1)
    turned = margins.margin_for(LEXICON, "agency~communion", "positive", "drift")
    assert turned is not None
    assert (turned.low, turned.high) == ((-1, 0.1) if contrast[0] == "a" else (-0.1, 1))
