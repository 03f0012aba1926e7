"""Margins of one prompt set: what panel margins and entries that name a set hold on."""

from __future__ import annotations

from pathlib import Path

import pytest

import valuebias_suites
from valuebias.declarations.margins import Margins, Profile, load_margins
from valuebias.errors import StatisticsError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.stats import Margin

SHIPPED = Path(valuebias_suites.__file__).parent / "margins.yaml"
LEXICON = Lexicon("mine", {"agency": ("win",), "communion": ("care",)})
GOOD = "lexicon: mine, contrast: agency~communion, valence: positive, role: range"


def load(folder: Path, *entries: str) -> Margins:
    path = folder / "margins.yaml"
    path.write_text("margins:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries))
    return load_margins(path)


def asked(margins: Margins, prompts: str, profile: Profile = "ci") -> Margin | None:
    return margins.margin_for(LEXICON, "agency~communion", "positive", "range", profile, prompts)


def test_a_panel_margin_holds_on_the_papers_prompts_alone(tmp_path):
    """Elsewhere the convention counts, which is shipped beside it."""
    panel, agreed = (
        f"{GOOD}, interval: [-{x}, {x}], basis: {b}" for x, b in ((0.1, "panel"), (0.3, "agreed"))
    )
    margins = load(tmp_path, panel, agreed)
    for prompts, basis in (("paper", "panel"), ("balanced", "agreed"), ("own", "agreed")):
        found = asked(margins, prompts)
        assert found is not None
        assert found.basis == basis
    assert asked(load(tmp_path, panel), "balanced") is None
    with pytest.raises(StatisticsError, match=r"line 2: a panel margin holds on the paper's"):
        load(tmp_path, f"{panel}, prompts: balanced")


def test_a_margin_may_name_its_prompt_set(tmp_path):
    margins = load(
        tmp_path,
        f"{GOOD}, interval: [-0.1, 0.1], prompts: own",
        f"{GOOD}, interval: [-0.2, 0.2]",
        f"{GOOD}, interval: [-0.3, 0.3], prompts: paper, profile: quick",
    )
    cases: tuple[tuple[Profile, str, float], ...] = (
        ("ci", "own", 0.1),
        ("quick", "own", 0.1),
        ("ci", "paper", 0.2),
        ("quick", "paper", 0.3),
        ("quick", "balanced", 0.2),
    )
    for profile, prompts, high in cases:
        found = asked(margins, prompts, profile)
        assert found is not None
        assert found.high == high
    one = f"{GOOD}, interval: [-0.1, 0.1], prompts: own"
    with pytest.raises(StatisticsError, match="line 3: duplicate margin"):
        load(tmp_path, one, one)


def test_every_shipped_panel_margin_has_a_convention_for_other_prompts():
    entries = load_margins(SHIPPED).entries
    panel = [key for key, margin in entries.items() if margin.basis == "panel"]
    assert panel
    for lexicon, contrast, valence, role, profile, prompts in panel:
        assert prompts == "paper"
        agreed = entries[lexicon, contrast, valence, role, profile, None]
        assert agreed.basis == "convention"
