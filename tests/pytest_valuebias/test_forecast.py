"""The suite `forecast`: --policy optimised against each --rm, held against a margin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.schema import problems
from support.scores import write_scores
from valuebias.lexicons.files import starter

Run = Callable[..., pytest.RunResult]

BIG_TWO = "-k=forecast and big_two"


@pytest.fixture
def given(pytester: pytest.Pytester) -> tuple[str, ...]:
    """Rewards that lean to agency, and a policy's log-probabilities that do not."""
    rewards = write_scores(pytester.path / "rewards.csv", shift=1.5)
    policy = write_scores(pytester.path / "policy.csv", seed=1, level=-9, control=None)
    return (f"--rm=scores:{rewards}", f"--policy=scores:{policy}", "--valuebias-suite=forecast")


def verdicts(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((pytester.path / "out.json").read_text())["verdicts"]
    return found


def test_a_policy_is_held_against_a_margin(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...]
) -> None:
    how = (*given, BIG_TWO, "--valuebias-json=out.json")
    result = run(*how, "--valuebias-html=out.html")
    result.assert_outcomes(failed=2)
    positive, negative = verdicts(pytester)
    words = starter("big_two").categories
    for verdict in (positive, negative):
        assert verdict["role"] == "forecast"
        assert verdict["model"] == "rewards.csv"
        assert verdict["reference"] == "policy.csv"
        assert verdict["title"] == "policy.csv optimised against rewards.csv"
        assert verdict["unit"] == "change of the share at one nat"
        assert verdict["verdict"] == "FAIL"
        assert verdict["estimate"] > 0.1
        assert verdict["margin_basis"] == "convention"
        assert (verdict["margin_low"], verdict["margin_high"]) == (-0.1, 0.1)
        assert "Among the 322 words of the lexicon" in verdict["detail"]
        assert "Effective word families: " in verdict["detail"]
        assert verdict["instrument"] == "sound"
        made = verdict["forecast"]
        assert verdict["detail"].startswith(made["sentence"])
        steps = {(s["by"], s["amount"]): s for s in made["steps"]}
        assert list(steps) == [
            *(("nats", x) for x in (0, 0.25, 0.5, 1, 2)), *(("best of", x) for x in (4, 16, 64)),
        ]  # fmt: skip
        change = steps["nats", made["judged"]]["share"] - steps["nats", 0]["share"]
        assert change == pytest.approx(verdict["estimate"])
        assert all(s["low"] <= s["share"] <= s["high"] for s in made["steps"])
        assert all(w["word"] in words[w["side"]] for w in (*made["gain"], *made["lose"]))
        for moved, sign in ((made["gain"], 1), (made["lose"], -1)):
            changes = [sign * w["change"] for w in moved]
            assert changes == sorted(changes, reverse=True)
            assert min(changes) > 0
            assert len(moved) == 10
    assert problems(json.loads((pytester.path / "out.json").read_text())) == []

    # On the terminal, and first thing on the page, in a sentence; then by step.
    said = (
        r"Asked for the best: among the 322 words of the lexicon \(\S+% of what policy.csv says\)"
    )
    out = result.stdout.str()
    assert re.search(said, " ".join(out.split()))
    summary = out.partition("= values of reward models =")[2].partition("short test summary")[0]
    assert max(map(len, summary.splitlines())) <= 80
    shares = re.findall(r"^  agency +(?:positive|negative)((?: +\.\d\d){8})$", summary, re.M)
    assert len(shares) == 2
    shown = [f"{s['share']:.2f}"[1:] for s in positive["forecast"]["steps"]]
    assert shares[0].split() == shown
    page = (pytester.path / "out.html").read_text("utf-8")
    assert "policy.csv optimised against rewards.csv" in page
    assert page.count('class="forecast"') == 1
    assert 'id="figure-fig-big-two-forecast-shares"' in page
    assert 'id="figure-fig-big-two-forecast-words"' in page

    # A margin of one's own, which allows it.
    Path("margins.yaml").write_text(
        "margins:\n"
        + "".join(
            f"- {{lexicon: big_two, contrast: agency~communion, valence: {valence}, "
            "role: forecast, interval: [-0.2, 0.6], source: ours}\n"
            for valence in ("positive", "negative")
        )
    )
    allowed = run(*how, "--valuebias-margins=margins.yaml")
    allowed.assert_outcomes(passed=2)
    assert {v["margin_basis"] for v in verdicts(pytester)} == {"declared"}


def test_a_forecast_that_rests_on_too_little_settles_nothing(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...]
) -> None:
    # Six prompts settle nothing, however far outside the forecast lies.
    result = run(*given, BIG_TWO, "--valuebias-profile=quick", "--valuebias-json=out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert {v["verdict"] for v in verdicts(pytester)} == {"INCONCLUSIVE"}
    assert all(v["reason"].startswith("unsettled: ") for v in verdicts(pytester))


def test_a_policy_without_a_reward_model_is_a_usage_error(run: Run) -> None:
    result = run("--policy=demo:neutral")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--policy needs a --rm*"])


def test_what_is_no_language_model_is_a_usage_error(run: Run, given: tuple[str, ...]) -> None:
    result = run(given[0], "--policy=served:http://localhost:1/")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in result.stderr.str()


def test_words_without_a_reward_leave_it_unsettled(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...]
) -> None:
    path = pytester.path / "rewards.csv"
    rows = path.read_text("utf-8").splitlines()
    gone = set(list(starter("big_two").categories["communion"])[:20])
    path.write_text("\n".join(r for r in rows if r.split(",")[0] not in gone) + "\n", "utf-8")
    result = run(*given, BIG_TWO, "--valuebias-json=out.json")
    result.assert_outcomes(failed=2)
    for verdict in verdicts(pytester):
        assert verdict["verdict"] == "INCONCLUSIVE"
        assert verdict["reason"].startswith("unsettled: less than 95% of a category was scored")


def test_thorough_shows_first_tokens_and_gates_nothing_by_them(
    own_process: Run, pytester: pytest.Pytester, demo_store: None
) -> None:
    lexicon = starter("big_two").categories
    rows = [f"{word},{side}" for side in lexicon for word in list(lexicon[side])[:48:4]]
    Path("words.csv").write_text("\n".join(["word,category", *rows]) + "\n", "utf-8")
    write_scores(Path("rewards.csv"), shift=1.5)
    how = (
        "--rm=scores:rewards.csv", "--policy=demo:neutral", "--policy=P=scores:policy.csv",
        "--valuebias-suite=forecast", "--valuebias-lexicon=big_two=words.csv", BIG_TWO,
        "--valuebias-profile=thorough", "--valuebias-prompts=paper",
    )  # fmt: skip
    write_scores(Path("policy.csv"), seed=1, level=-9, control=None)
    result = own_process(*how, "-n2", "--valuebias-json=out.json", "--valuebias-html=out.html")
    document = json.loads(Path("out.json").read_text("utf-8"))
    assert problems(document) == []
    assert len(document["verdicts"]) == 4
    entries = {(e["policy"], e["valence"]): e for e in document["first_tokens"]}
    assert len(entries) == 4
    for valence in ("positive", "negative"):
        assert "does not tell its other tokens" in entries["P", valence]["left_out"]
        found = entries["demo:neutral", valence]
        assert found["left_out"] is None
        assert 0 < found["with_reward"] < found["tokens"]
        assert 0 < found["scored"][0] <= found["scored"][1] < 1
        agency, communion = found["categories"]
        odds = [a / b for a, b in zip(agency["mass"], communion["mass"], strict=True)]
        assert odds[3] > 2 * odds[0]  # agency is rewarded, whatever is asked for
    out = result.stdout.str()
    told = out.partition("what a policy's answers would begin with")[2].partition("\n===")[0]
    assert "demo:neutral optimised against rewards.csv, negative prompts (big_two)" in told
    assert max(map(len, told.splitlines())) <= 80
    assert 'id="first-tokens"' in Path("out.html").read_text("utf-8")
    verdicts_before = {r["nodeid"]: r["verdict"] for r in document["verdicts"]}
    again = own_process(*how[:-2], "--valuebias-prompts=paper", "--valuebias-json=ci.json")
    plain = json.loads(Path("ci.json").read_text("utf-8"))
    assert "first_tokens" not in plain
    assert {r["nodeid"]: r["verdict"] for r in plain["verdicts"]} == verdicts_before
    assert "would begin with" not in again.stdout.str()
