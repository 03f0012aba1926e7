"""`valuebias plan`: the chances of a run's verdicts, what a PASS needs, and the work."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.scores import write_scores
from valuebias.candidates import Candidates
from valuebias.cli.main import main
from valuebias.lexicons.files import starter
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.measurement.instrument import control_lexicon
from valuebias.prompts import ANSWERS, BALANCED, PAPER
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats import Facets, facet_component, single
from valuebias.stats.effect import Term

BIG_TWO = ("--suite", "big_two")


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pilot() -> str:
    return f"scores:{write_scores(Path('pilot.csv').absolute())}"


def planned(*arguments: str) -> dict[str, Any]:
    assert main(["plan", *arguments, "--json", "plan.json"]) == 0
    found: dict[str, Any] = json.loads(Path("plan.json").read_text("utf-8"))
    return found


def claims(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(c["contrast"], c["valence"]): c for c in found["claims"]}


def test_every_claim_the_run_and_the_work_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = planned()
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "ten public reward models on the paper's prompts, 2026-11-29" in out
    assert "the prompt set balanced (54 prompts), 9 adjectives a valence" in out
    rows = re.findall(r"^(\S+) +(positive|negative) +\[.*?\]((?: +\d+/\d+/\d+){4}) *$", out, re.M)
    assert [row[:2] for row in rows] == list(claims(found))
    assert len(rows) == 22
    for contrast, valence, cells in rows:
        shown = [[int(p) for p in cell.split("/")] for cell in cells.split()]
        chances = claims(found)[contrast, valence]["at"]
        assert [c["where"] for c in chances] == [
            "no effect", "half the margin", "the margin", "twice the margin",
        ]  # fmt: skip
        for cell, at in zip(shown, chances, strict=True):
            told = [at["PASS"], at["FAIL"], at["INCONCLUSIVE"]]
            assert sum(told) == pytest.approx(1)
            assert cell == [round(100 * p) for p in told]
        # On the edge of the margin each error is no more likely than alpha, but for simulation.
        assert chances[2]["PASS"] < 0.07
        assert chances[2]["FAIL"] < 0.07
        passing = [at["PASS"] for at in chances]
        assert passing == sorted(passing, reverse=True)
    assert len(re.findall(r"^whole run +\d+/\d+/\d+", out, re.M)) == 1
    assert found["whole"][0]["PASS"] < min(c["at"][0]["PASS"] for c in found["claims"])
    n = sum(len(lexicon.words()) for lexicon in (starter("big_two"), starter("mfd2")))
    assert found["work"]["words"] == 54 * (n + len(control_lexicon().words()))
    assert f"{found['work']['words']:,} forwards" in out
    assert "Give --rm for the time." in out


def test_more_adjectives_help_where_adjectives_disagree() -> None:
    on = {name: planned("--prompts", name, *BIG_TWO) for name in ("paper", "balanced")}
    pass_of = {
        name: claims(found)["agency~communion", "positive"]["at"][0]["PASS"]
        for name, found in on.items()
    }
    assert pass_of["balanced"] > pass_of["paper"] + 0.1


def test_a_pilots_variances_are_those_of_its_run(pilot: str) -> None:
    """The word part of the pilot's own effect, with its facets, comes back."""
    from valuebias.measurement.plan import of_pilot
    from valuebias.stats.spread import of_words

    table = RecordedScores.from_file(Path("pilot.csv"))
    lexicon = starter("big_two")
    found, chosen = of_pilot(table, PAPER)(lexicon, "agency~communion", "positive")
    prompts = PAPER.of("positive")
    words = Candidates.words([table.responses[i] for i in chosen.columns])
    values = table.score(prompts, words).values
    factors = [p.factors for p in prompts]
    sides = ["agency" if a else "communion" for a in chosen.in_a]
    component = facet_component([Term(values)], sides, chosen.families, chosen.facets)
    effect = single(
        values, chosen.in_a, chosen.families, prompts=factors,
        facets=Facets(chosen.facets, component),
    )  # fmt: skip
    per_family = sum(1 / n for n in effect.n_families)
    expected = effect.parts[0][0] / per_family / float(of_words(effect.estimate))
    assert found.words == pytest.approx(expected)
    assert found.df == pytest.approx(effect.parts[0][1])


def test_a_pilot_on_other_prompts_than_the_plans(
    pilot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    planned("--pilot", pilot, *BIG_TWO)
    out = " ".join(capsys.readouterr().out.split())
    assert "the pilot pilot.csv on the prompt set paper (54 prompts)" in out
    assert "asked: the prompt set balanced (54 prompts), 9 adjectives a valence" in out
    assert "A valence of the pilot has 3 levels of adjective" in out


def test_a_pilot_of_the_quick_profile() -> None:
    path = write_scores(Path("quick.csv").absolute(), prompts=PAPER.quick.both)
    found = planned("--pilot", f"scores:{path}", *BIG_TWO)
    assert "(12 prompts)" in found["variances"]
    assert found["n_prompts"] == 54


def test_under_the_quick_profile_nothing_passes(capsys: pytest.CaptureFixture[str]) -> None:
    found = planned("--profile", "quick", *BIG_TWO)
    assert all(at["PASS"] == 0 for claim in found["claims"] for at in claim["at"])
    assert found["whole_families_needed"] is None
    out = capsys.readouterr().out
    assert "nothing can pass under it" in out
    assert "needed for" not in out


def test_declared_margins_count(capsys: pytest.CaptureFixture[str]) -> None:
    Path("margins.yaml").write_text(
        "margins:\n"
        "  - {lexicon: big_two, contrast: agency~communion, valence: positive, role: range,"
        " interval: [0.1, 0.7]}\n",
        encoding="utf-8",
    )
    found = claims(planned("--margins", "margins.yaml", *BIG_TWO))
    chances = found["agency~communion", "positive"]
    assert chances["margin"] == [0.1, 0.7]
    # A margin without zero is planned about its middle.
    assert [at["effect"] for at in chances["at"]] == pytest.approx([0.4, 0.55, 0.7, 0.99])


def test_a_claim_without_a_margin_is_said_to_be_skipped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = starter("big_two").categories
    rows = "".join(f"{word},{name}\n" for name, ws in words.items() for word in ws[:40])
    Path("own.csv").write_text(f"word,category\n{rows}", encoding="utf-8")
    found = planned("--lexicon", "big_two=own.csv", *BIG_TWO)
    assert found["claims"] == []
    assert len(found["without_margin"]) == 2
    assert "no margin is declared" in " ".join(capsys.readouterr().out.split())


def test_the_prompts_are_those_of_the_run(pilot: str) -> None:
    asked = {
        "live": planned(*BIG_TWO),
        "recorded": planned("--rm", pilot, *BIG_TWO),
        "paper": planned("--profile", "paper", *BIG_TWO),
    }
    names = {name: found["prompts"] for name, found in asked.items()}
    assert names == {"live": "balanced", "recorded": "paper", "paper": "paper"}
    assert asked["paper"]["work"]["vocabulary_prompts"] == 54


def test_a_larger_alpha_passes_more() -> None:
    by_alpha = [
        planned("--alpha", alpha, *BIG_TWO)["claims"][0]["at"][0]["PASS"]
        for alpha in ("0.05", "0.2")
    ]
    assert by_alpha[1] > by_alpha[0] + 0.05


def test_the_same_plan_twice() -> None:
    assert planned(*BIG_TWO) == planned(*BIG_TWO)


def test_forwards_and_time_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    first = planned("--rm", "demo:neutral", *BIG_TWO)["work"]
    assert first["words"] == 54 * (len(starter("big_two").words()) + 80)
    assert first["tokens"] >= first["words"]
    assert (
        first["left"]
        == first["words"] - 2 * len(starter("big_two").words()) + (first["vocabulary"])
    )
    assert first["seconds"] == pytest.approx(first["left"] / first["rate"])
    out = " ".join(capsys.readouterr().out.split())
    assert f"Not stored yet: {first['left']:,}, at " in out
    again = planned("--rm", "demo:neutral", *BIG_TWO)["work"]
    assert again["left"] == first["left"] - 2 * len(starter("big_two").words())
    assert again["policy_tokens"] == 0
    # With a policy also rewards of its tokens: most of an embedded vocabulary is text.
    more = planned("--rm", "demo:neutral", "--policy", "demo:neutral", *BIG_TWO)["work"]
    tokens = more["policy_tokens"] // 54
    assert 0.9 * more["vocabulary"] < tokens <= more["vocabulary"]
    assert more["left"] == again["left"] + 52 * tokens
    out = " ".join(capsys.readouterr().out.split())
    assert f"and {54 * tokens:,} of policies' tokens as answers. Not stored yet" in out


def test_tokens_of_a_policy_need_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--policy", "demo:neutral", *BIG_TWO]) == 2
    assert "Give --rm too" in capsys.readouterr().err


def test_recorded_scores_take_no_time(pilot: str) -> None:
    work = planned("--rm", pilot, *BIG_TWO)["work"]
    assert (work["left"], work["seconds"], work["vocabulary_prompts"]) == (0, 0, 0)


def test_names_are_made_visible(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_scores(Path("a[red]b\x1b[31m.csv").absolute())
    assert main(["plan", "--pilot", f"scores:{path}", *BIG_TWO]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a[red]b\\x1b[31m.csv" in out


def test_prompts_of_a_users_file(capsys: pytest.CaptureFixture[str]) -> None:
    name = '"verb [red]\\e[31m, and a name that is longer than any column of a table is wide"'
    rows = [
        f"  - {{id: {valence}{i}, text: what {valence} {i}, valence: {valence},"
        f" factors: {{{name}: v{i % 7}}}}}"
        for valence in ("positive", "negative")
        for i in range(14)
    ]
    Path("own.yaml").write_text("prompts:\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = planned("--prompts", "own.yaml", *BIG_TWO)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert '7 levels of "verb [red]\\x1b[31m' in " ".join(out.split())
    assert "or levels" in out
    assert found["factor"].startswith("verb")


def test_prompts_without_factors(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        f"  - {{id: {valence}{i}, text: what {valence} {i}, valence: {valence}}}"
        for valence in ("positive", "negative")
        for i in range(12)
    ]
    Path("own.yaml").write_text("prompts:\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = planned("--prompts", "own.yaml", *BIG_TWO)
    assert found["factor"] == ""
    assert all(claim["levels_needed"] is None for claim in found["claims"])
    assert "(24 prompts)" in capsys.readouterr().out


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["plan", *arguments]) in (1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    return " ".join(captured.err.split())


def test_what_cannot_be_planned(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not found" in failing(capsys, "--pilot", "scores:none.csv")
    Path("own.csv").write_text("word,category\nduty,care.virtue\n", encoding="utf-8")
    told = failing(capsys, *BIG_TWO, "--lexicon", "mfd2=own.csv")
    assert "no selected suite uses this lexicon" in told
    Path("bad.csv").write_text("response,nothing\nfreedom,1\n", encoding="utf-8")
    assert "nothing" in failing(capsys, "--pilot", "scores:bad.csv")
    assert "neither the name of a prompt set nor a file" in failing(capsys, "--prompts", "none")
    assert "the plan cannot be written" in failing(capsys, "--json", "no/folder/plan.json")


def test_a_pilot_of_too_few_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_scores(Path("few.csv").absolute(), prompts=BALANCED.both[:10])
    told = failing(capsys, "--pilot", f"scores:{path}", *BIG_TWO)
    assert "the pilot has no scores of a whole set of prompts" in told


def flipped(path: Path) -> Path:
    """The table with every score's sign turned."""
    rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    at = rows[0].index("response")
    for row in rows[1:]:
        row[:] = [cell if i == at else str(-float(cell)) for i, cell in enumerate(row)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_pilot_that_does_not_read_the_questions(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_scores(Path("pilot.csv").absolute())
    told = failing(capsys, "--pilot", f"scores:{flipped(path)}", *BIG_TWO)
    assert "pilot.csv does not read the questions" in told


def test_a_pilot_that_was_not_shown_to_read_the_questions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bare = Path("bare.csv").absolute()
    path = write_scores(bare, lexicons=("big_two",), control=None, turns=True)
    planned("--pilot", f"scores:{path}", *BIG_TWO)
    assert "instrument not checked" in " ".join(capsys.readouterr().out.split())


def test_a_pilot_without_variance(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_scores(Path("apart.csv").absolute(), shift=99.0)
    told = failing(capsys, "--pilot", f"scores:{path}", *BIG_TWO)
    assert "the pilot has no variance of agency~communion, positive prompts" in told


@pytest.mark.parametrize("argument", [("--suite", "other"), ("--alpha", "0.5"), ("--alpha", "x")])
def test_usage(argument: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["plan", *argument])
    assert stopped.value.code == 2
    assert argument[1] in capsys.readouterr().err


def test_the_work_of_a_model_that_is_asked_by_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = planned("--rm", "py:support.taste:make", *BIG_TWO)
    assert found["work"]["tokens"] is None
    assert "forwards (words x 54 prompts). Not" in " ".join(capsys.readouterr().out.split())


def test_what_whole_answers_take(capsys: pytest.CaptureFixture[str]) -> None:
    words = len(lexicon_in_force("big_two_answers", {}).words())
    assert ANSWERS.control is not None
    control = len(ANSWERS.control.virtue) + len(ANSWERS.control.vice)
    unknown = planned("--answers", *BIG_TWO)["answers"]
    assert unknown["answers"] == 30 * (words + control)
    assert unknown["left"] is None
    known = planned("--rm", "py:support.taste:make", "--answers", *BIG_TWO)["answers"]
    assert known["left"] == 30 * (words + control) - 4 * words  # four frames were timed, and kept
    assert known["rate"] > 0
    assert known["seconds"] == pytest.approx(known["left"] / known["rate"])
    told = " ".join(capsys.readouterr().out.split())
    assert f"Whole answers: {known['answers']:,} forwards (words x 30 frames), not stored" in told
