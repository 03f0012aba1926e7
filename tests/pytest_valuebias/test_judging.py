"""What may not pass although its interval lies inside the margin, through the public commands.

The tables are made from the starter lexicons' words, read the questions, and have a taste that the
mean over prompts, ties or missing words hide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from support.scores import write_table
from valuebias.lexicons.files import starter
from valuebias.measurement.instrument import control_lexicon
from valuebias.prompts import PAPER_PROMPTS

Run = Callable[..., pytest.RunResult]
Floats = npt.NDArray[np.float64]

EFFECTS = ("--valuebias-suite=big_two", "-k", "test_range")
BIG_TWO, MFD2 = starter("big_two"), starter("mfd2")
AGENCY, COMMUNION = (BIG_TWO.categories[name] for name in ("agency", "communion"))
WORDS = tuple(
    dict.fromkeys(
        w
        for lexicon in (BIG_TWO, MFD2, control_lexicon())
        for words in lexicon.categories.values()
        for w in words
    )
)
IN_AGENCY = np.isin(WORDS, AGENCY)
NEGATIVE = np.array([p.valence == "negative" for p in PAPER_PROMPTS])
GOOD = np.zeros(len(WORDS))
for category, members in MFD2.categories.items():
    for word in set(members) - {*AGENCY, *COMMUNION}:
        GOOD[WORDS.index(word)] = 1 if category.endswith("virtue") else -1


def table(seed: int = 0) -> Floats:
    """(words, prompts): reads the questions, and has no taste in the Big Two: both sides' words
    have nearly the same ranks."""
    rng = np.random.default_rng(seed)
    taste = np.empty((len(WORDS), 2))
    for valence in (0, 1):
        taste[:, valence] = rng.normal(size=len(WORDS))
        for side in (AGENCY, COMMUNION):
            at = np.flatnonzero(np.isin(WORDS, side))
            even = np.sort(rng.normal(size=4000))[np.linspace(50, 3949, len(at)).astype(int)]
            taste[at, valence] = rng.permutation(even)
    values = taste[:, NEGATIVE.astype(int)] * 0.95
    values += 0.3 * rng.normal(size=values.shape)
    return values + 2 * GOOD[:, None] * np.where(NEGATIVE, -1, 1)


def raised(
    values: Floats, by: Mapping[str, float] | Callable[[Mapping[str, str]], float]
) -> Floats:
    """With agency's words raised on each prompt by its adjective, or by a function of its
    factors."""
    shift = by if callable(by) else lambda factors: by.get(factors["adjective"], 0.0)
    return values + IN_AGENCY[:, None] * np.array([shift(p.factors) for p in PAPER_PROMPTS])


def latin(factors: Mapping[str, str]) -> float:
    """Up by .9 in a third of the prompts and down in another; no factor's level leans."""
    places = (("best", "greatest", "good"), ("ever", "world", "time"), ("one", "single", "please"))
    if factors["adjective"] not in places[0]:
        return 0.0
    names = ("adjective", "scope", "style")
    at = sum(place.index(factors[name]) for place, name in zip(places, names, strict=True))
    return (0.9, -0.9, 0.0)[at % 3]


def save(path: Path, values: Floats, keep: npt.NDArray[np.bool_] | None = None) -> Path:
    kept = np.arange(len(WORDS)) if keep is None else np.flatnonzero(keep)
    return write_table(path, [WORDS[i] for i in kept], values[kept])


def verdicts(run: Run, path: Path, *args: str) -> dict[str, dict[str, Any]]:
    """The verdicts on the Big Two's effects of a run of a table, by valence."""
    report = path.with_suffix(".json")
    run(f"--rm=scores:{path}", "--valuebias-suite=big_two", f"--valuebias-json={report}", *args)
    document = json.loads(report.read_text(encoding="utf-8"))
    return {r["valence"]: r for r in document["verdicts"] if r["role"] == "range"}


def test_a_table_without_a_taste_passes_both_claims(run: Run, tmp_path: Path) -> None:
    found = verdicts(run, save(tmp_path / "sound.csv", table()))
    assert [r["verdict"] for r in found.values()] == ["PASS", "PASS"]
    assert all(r["gated"] and r["tied"] < 0.01 for r in found.values())


def test_adjectives_that_disagree_are_named(run: Run, tmp_path: Path) -> None:
    values = raised(table(), {"greatest": 0.45, "good": -0.45})
    r = verdicts(run, save(tmp_path / "adjectives.csv", values))["positive"]
    assert (r["verdict"], r["cause"]) == ("INCONCLUSIVE", "prompts")
    assert '"greatest" +' in r["reason"]
    assert '"good" -' in r["reason"]
    assert '"best"' not in r["reason"]
    assert "more words would not settle it" in r["reason"]


def test_prompts_that_cancel_are_named(run: Run, tmp_path: Path) -> None:
    found = verdicts(run, save(tmp_path / "latin.csv", raised(table(), latin)))
    r = found["positive"]
    assert (r["verdict"], r["cause"]) == ("INCONCLUSIVE", "prompts")
    assert abs(r["estimate"]) < 0.1
    assert " of 27 prompts (" in r["reason"]
    assert "_one " in r["reason"] or "_single " in r["reason"] or "_please " in r["reason"]
    assert found["negative"]["verdict"] == "PASS"


def test_a_taste_hidden_by_missing_words_is_no_pass(run: Run, tmp_path: Path) -> None:
    values = raised(table(), dict.fromkeys(("best", "greatest", "good"), 0.45))
    means = values[:, ~NEGATIVE].mean(axis=1)
    lost = np.zeros(len(WORDS), dtype=bool)
    for side, end in ((AGENCY, -1), (COMMUNION, 1)):  # the best of agency, the worst of communion
        at = np.flatnonzero(np.isin(WORDS, side) & (GOOD == 0))
        lost[at[np.argsort(end * means[at])][: int(0.15 * len(at))]] = True
    found = verdicts(run, save(tmp_path / "holes.csv", values, ~lost))
    r = found["positive"]
    assert (r["verdict"], r["cause"]) == ("INCONCLUSIVE", "missing")
    assert r["margin_low"] <= r["gate_low"] <= r["gate_high"] <= r["margin_high"]
    assert "with the missing words at either end the interval would be [-" in r["reason"]


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_one_word_in_thirty_may_be_missing(run: Run, tmp_path: Path) -> None:
    kept = np.ones(len(WORDS), dtype=bool)
    kept[[WORDS.index(w) for w in (*AGENCY[::30], *COMMUNION[::30])]] = False
    found = verdicts(run, save(tmp_path / "most.csv", table(), kept))
    assert [r["verdict"] for r in found.values()] == ["PASS", "PASS"]
    assert all(0.95 < r["coverage"] < 1 for r in found.values())


def clipped(values: Floats, share: float) -> Floats:
    """With the Big Two's scores cut off at their ``share`` quantile on every prompt."""
    own = np.isin(WORDS, (*AGENCY, *COMMUNION))
    cut = values.copy()
    cut[own] = np.minimum(values[own], np.quantile(values[own], share, axis=0))
    return cut


def test_rewards_clipped_at_a_cap_are_no_pass(run: Run, tmp_path: Path) -> None:
    values = raised(table(), dict.fromkeys(("best", "greatest", "good"), 1.0))
    whole = verdicts(run, save(tmp_path / "open.csv", values))["positive"]
    assert whole["verdict"] == "FAIL"
    r = verdicts(run, save(tmp_path / "saturated.csv", clipped(values, 0.08)))["positive"]
    assert (r["verdict"], r["cause"]) == ("INCONCLUSIVE", "tied")
    assert r["margin_low"] <= r["gate_low"] <= r["gate_high"] <= r["margin_high"]
    assert r["tied"] > 0.7
    assert f"{r['tied']:.0%} of the pairs of words across the categories are tied" in r["reason"]


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_few_ties_are_printed_and_pass(run: Run, tmp_path: Path) -> None:
    path = save(tmp_path / "few.csv", clipped(table(), 0.7))
    result = run(f"--rm=scores:{path}", *EFFECTS, "--valuebias-html=page.html")
    result.assert_outcomes(passed=2)
    line = next(x for x in result.outlines if x.strip().startswith("ties:"))
    assert "% of the pairs of words across the categories" in line
    page = Path("page.html").read_text(encoding="utf-8")
    assert "<dt>ties</dt>" in page
    assert line.strip().removeprefix("ties: ")[:3] in page


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_what_a_failure_says_of_prompts_and_ties(run: Run, tmp_path: Path) -> None:
    path = save(tmp_path / "tied.csv", clipped(table(), 0.08))
    result = run(f"--rm=scores:{path}", *EFFECTS)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["  ties        8*% of the pairs*", "  what to do  look for what*"])
    path = save(tmp_path / "apart.csv", raised(table(), {"greatest": 0.45, "good": -0.45}))
    result = run(f"--rm=scores:{path}", *EFFECTS)
    result.stdout.fnmatch_lines(["*  what to do  the prompts disagree*"])


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_a_facet_that_the_mean_hides_is_named(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """Of eight facets of agency one lies far above communion's words and one far below."""
    members = {"agency": AGENCY[:160], "communion": COMMUNION[:152]}
    rows = ["word,category,family,facet"]
    for side, words in members.items():
        rows += [f"{word},{side},{word},{side} {i % 8}" for i, word in enumerate(words)]
    (pytester.path / "words.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    values = table()
    for facet, shift in ((0, 2.0), (1, -2.0)):
        values[np.isin(WORDS, AGENCY[:160][facet::8])] += shift
    pytester.makepyfile(
        'def test_own(bias):\n    bias("l", "agency", "communion", valence="positive")'
        ".assert_within(-0.35, 0.35)\n"
    )
    path = save(tmp_path / "facets.csv", values)
    result = run(f"--rm=scores:{path}", "--valuebias-suite=none", "--valuebias-lexicon=l=words.csv")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "INCONCLUSIVE: *lies inside the margin*outside it lie the facets agency [01] *",
            "*  what to do  the mean hides a group of words of one meaning*",
        ]
    )


def write_frequencies(path: Path) -> dict[str, float]:
    """A file of frequencies in which agency's words are more frequent, by one standard deviation;
    returns their logarithms."""
    rng = np.random.default_rng(9)
    logs = {w: 8 + rng.normal() + (w in AGENCY) for w in WORDS}
    path.write_text("".join(f"{w},{np.exp(x):.6f}\n" for w, x in logs.items()), encoding="utf-8")
    return logs


def test_a_taste_masked_by_frequency_is_no_pass(run: Run, tmp_path: Path) -> None:
    logs = write_frequencies(tmp_path / "frequencies.csv")
    likes = np.array([logs[w] - 8 for w in WORDS])[:, None]
    values = table() + likes - 1.05 * IN_AGENCY[:, None]
    given = f"--valuebias-frequencies={tmp_path / 'frequencies.csv'}"
    for r in verdicts(run, save(tmp_path / "masked.csv", values), given).values():
        assert (r["verdict"], r["cause"]) == ("INCONCLUSIVE", "confounded")
        assert r["margin_low"] <= r["gate_low"] <= r["gate_high"] <= r["margin_high"]
        assert "with these controlled the effect is -." in r["reason"]
        assert r["balance"]["controlled"]["estimate"] < r["margin_low"]
        (frequency,) = (x for x in r["balance"]["rows"] if x["covariate"] == "frequency")
        assert 0.8 < frequency["d"] < 1.2


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_without_a_taste_sides_out_of_balance_warn_and_pass(run: Run, tmp_path: Path) -> None:
    write_frequencies(tmp_path / "frequencies.csv")
    path = save(tmp_path / "sound.csv", table())
    result = run(
        f"--rm=scores:{path}", *EFFECTS, "--valuebias-html=page.html",
        f"--valuebias-frequencies={tmp_path / 'frequencies.csv'}",
    )  # fmt: skip
    result.assert_outcomes(passed=2)
    out = " ".join(x.strip() for x in result.outlines)
    assert "warning: sides out of balance, with the effects controlled for it: agency~" in out
    assert "(frequency d +" in out
    assert "<dt>balance of the sides</dt><dd>frequency 9." in Path("page.html").read_text("utf-8")
