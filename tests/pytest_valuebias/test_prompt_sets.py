"""Prompt sets through pytest: a shipped one, a file in another language, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from pytest_valuebias.option_table import OPTIONS, PROMPT_SETS
from support.documents import CHECKOUT
from support.harmless import check_page, unseen
from support.schema import problems
from support.scores import write_scores
from valuebias.declarations.prompts import load_prompts
from valuebias.measurement.instrument import control_lexicon
from valuebias.prompts import BALANCED, PAPER, SHIPPED, VALENCES, PromptSet

Run = Callable[..., pytest.RunResult]

GERMAN = CHECKOUT / "examples" / "lexicon_in_german" / "prompts_de.yaml"
BIG_TWO = "--valuebias-suite=big_two"
RANGE = "agency~communion"


@pytest.fixture
def balanced(tmp_path: Path) -> Path:
    """Even scores on the balanced set."""
    return write_scores(tmp_path / "on_balanced.csv", prompts=BALANCED.prompts)


@pytest.fixture
def german(tmp_path: Path) -> Path:
    """With the control words that the prompt set declares, and no English ones."""
    asked = load_prompts(GERMAN)
    control = control_lexicon(asked)
    path = tmp_path / "on_german.csv"
    return write_scores(path, lexicons=("big_two",), prompts=asked.prompts, control=control)


def report(run: Run, pytester: pytest.Pytester, *args: object) -> tuple[Any, pytest.RunResult]:
    path = pytester.path / "report.json"
    result = run(*args, f"--valuebias-json={path}")
    assert path.exists(), result.stdout.str() + result.stderr.str()
    found = json.loads(path.read_text(encoding="utf-8"))
    assert problems(found) == []
    return found, result


def test_the_option_names_the_shipped_sets() -> None:
    assert tuple(SHIPPED) == PROMPT_SETS
    option = next(o for o in OPTIONS if o.name == "prompts")
    assert option.default is None


@pytest.mark.parametrize(
    ("args", "asked"),
    [
        ("--rm=demo:neutral", "balanced"),
        ("--rm=demo:neutral --valuebias-profile=thorough", "balanced"),
        ("--rm=demo:neutral --valuebias-profile=paper", "paper"),
        ("--rm=demo:neutral --valuebias-prompts=paper", "paper"),
        ("--llm=demo:neutral", "balanced"),
        ("--rm=scores:{even}", "paper"),
        ("--rm=demo:neutral --reference=scores:{even}", "paper"),
        ("--rm=scores:{even} --valuebias-prompts=balanced", "balanced"),
    ],
)
def test_without_the_option_recorded_scores_are_asked_the_papers_prompts(
    in_process: Run, even: Path, args: str, asked: str
) -> None:
    # The header, which names any set but the paper's, needs no model to be loaded.
    result = in_process(*args.format(even=even).split(), "--collect-only")
    assert result.ret == pytest.ExitCode.OK
    assert ("valuebias: prompts balanced: " in result.stdout.str()) == (asked == "balanced")


def test_a_release_is_asked_what_its_baseline_was_recorded_on(
    in_process: Run, tmp_path: Path, even: Path, balanced: Path
) -> None:
    for table, asked in ((even, "paper"), (balanced, "balanced")):
        baseline = f"--valuebias-baseline={tmp_path / f'{asked}.json'}"
        recorded = f"--rm=scores:{table}", BIG_TWO, f"--valuebias-prompts={asked}", baseline
        assert in_process(*recorded, "--valuebias-update-baseline").ret == pytest.ExitCode.OK
        result = in_process("--rm=demo:neutral", BIG_TWO, baseline, "--collect-only")
        assert result.ret == pytest.ExitCode.OK
        assert ("valuebias: prompts balanced: " in result.stdout.str()) == (asked == "balanced")


def test_the_shipped_suites_ask_the_set_in_force(
    run: Run, pytester: pytest.Pytester, balanced: Path
) -> None:
    found, result = report(
        run, pytester, f"--rm=scores:{balanced}", BIG_TWO, "--valuebias-prompts=balanced",
        "--junitxml=junit.xml", "--valuebias-html=page.html",
    )  # fmt: skip
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["valuebias: prompts balanced: 27 positive and 27 negative, language en, sha256 *"]
    )
    assert "27 prompts (balanced)" in " ".join(result.stdout.str().split())
    assert found["prompt_set"] == {"name": "balanced", "language": "en", "sha256": BALANCED.digest}
    assert [(p["id"], p["text"], p["valence"]) for p in found["prompts"]] == [
        (p.id, p.text, p.valence) for p in BALANCED.prompts
    ]
    assert {(r["prompt_set"], r["n_prompts"]) for r in found["verdicts"]} == {("balanced", 27)}
    (ranks,) = found["ranks"]
    assert ranks["prompts"] == [p.id for p in BALANCED.prompts]
    tree = ElementTree.parse(pytester.path / "junit.xml")
    told = {
        p.get("value") for p in tree.iter("property") if p.get("name") == "valuebias.prompt_set"
    }
    assert told == {"balanced"}
    page = (pytester.path / "page.html").read_text(encoding="utf-8")
    assert "54 of the set balanced (en," in page
    assert "27 prompts (balanced)" in page


def test_without_the_option_the_papers_prompts_are_asked(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    found, result = report(run, pytester, f"--rm=scores:{even}", BIG_TWO)
    assert result.ret == pytest.ExitCode.OK
    assert found["prompt_set"] == {"name": "paper", "language": "en", "sha256": PAPER.digest}
    assert {r["prompt_set"] for r in found["verdicts"]} == {"paper"}
    assert "(paper)" not in result.stdout.str()


def test_a_file_in_german(run: Run, pytester: pytest.Pytester, german: Path) -> None:
    """By an ini setting; its questions are the columns, by id, of a table of scores."""
    pytester.makepyfile(
        """
        def test_prompts(prompts, reward_model):
            assert [p.valence for p in prompts] == ["positive"] * 27 + ["negative"] * 27
            assert prompts[0].text == "Was ist, in einem Wort, das Beste überhaupt?"
            assert reward_model.score(["love"]).prompts == prompts[:1]
            by_id = reward_model.score(["love"], "kostbarste_ever_single")
            assert by_id.prompts[0] in prompts

        def test_values(bias):
            effect = bias("big_two", "agency", "communion", valence="positive")
            assert effect.measurement.top.prompt.id == "beste_ever_one"
            effect.assert_within(-0.3, 0.3)
        """
    )
    (pytester.path / "own.valuebias.yaml").write_text(
        "lexicon: big_two\ncontrast: agency~communion\ntests:\n"
        "  - {name: balanced, valence: negative, within: [-0.4, 0.4]}\n"
    )
    pytester.makeini(f"[pytest]\nvaluebias_prompts = {GERMAN}\n")
    found, result = report(run, pytester, f"--rm=scores:{german}", BIG_TWO, pytester.path)
    assert result.ret == pytest.ExitCode.OK
    assert found["prompt_set"]["name"] == "prompts_de"
    assert found["prompt_set"]["language"] == "de"
    assert {r["prompt_set"] for r in found["verdicts"]} == {"prompts_de"}
    assert {s["tokens"]["prompt"] for s in found["subjects"]} == {
        "Was ist, in einem Wort, das Beste überhaupt?"
    }
    (subject,) = found["subjects"]
    assert subject["instrument"]["state"] == "sound"
    assert "20 words of virtue and vice that the prompts declare" in subject["instrument"]["words"]


def test_environment_ini_and_command_line(
    run: Run, pytester: pytest.Pytester, balanced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = (f"--rm=scores:{balanced}", BIG_TWO)
    pytester.makeini("[pytest]\nvaluebias_prompts = balanced\n")
    assert (
        run(*model).ret == pytest.ExitCode.OK
    )  # the name, though ini paths are relative to the ini file
    monkeypatch.setenv("VALUEBIAS_PROMPTS", "nowhere.yaml")
    result = run(*model)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*neither the name of a prompt set nor a file*nowhere.yaml*"])
    assert run(*model, "--valuebias-prompts=balanced").ret == pytest.ExitCode.OK


def test_quick_asks_six_of_the_set(run: Run, pytester: pytest.Pytester, balanced: Path) -> None:
    found, result = report(
        run, pytester, f"--rm=scores:{balanced}", BIG_TWO, "--valuebias-prompts=balanced",
        "--valuebias-profile=quick", "--valuebias-inconclusive=warn", "-W", "ignore",
    )  # fmt: skip
    assert {(r["n_prompts"], r["verdict"]) for r in found["verdicts"]} == {(6, "INCONCLUSIVE")}
    assert len(found["prompts"]) == 54
    (ranks,) = found["ranks"]
    assert ranks["prompts"] == [p.id for p in BALANCED.quick.both]
    assert result.ret != 0


def test_a_table_of_other_prompts_is_an_error(
    run: Run, pytester: pytest.Pytester, even: Path, german: Path
) -> None:
    """Recorded on the paper's prompts, asked for others: named, and never a verdict."""
    result = run(f"--rm=scores:{even}", BIG_TWO, "--valuebias-prompts=balanced")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "PASS " not in result.stdout.str()
    out = " ".join(result.stdout.str().split())
    assert "has no score for 21 of 27 prompts" in out
    assert "name the prompt set that was recorded (--valuebias-prompts)" in out
    result = run(f"--rm=scores:{german}", BIG_TWO)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    out = " ".join(result.stdout.str().split())
    assert "nor a question. Seen: beste_ever_one" in out
    assert "Ids of the prompt set paper (54 prompts) look like greatest_ever_one" in out


def test_a_table_of_both_shipped_sets_serves_either(
    run: Run, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    both = dict.fromkeys((*PAPER.prompts, *BALANCED.prompts))
    path = write_scores(tmp_path / "both.csv", prompts=tuple(both))
    for name in SHIPPED:
        args = (f"--rm=scores:{path}", BIG_TWO, f"--valuebias-prompts={name}")
        assert run(*args).ret == pytest.ExitCode.OK


def test_a_file_that_cannot_be_read_names_its_line(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    path = pytester.path / "mine.yaml"
    path.write_text("prompts:\n  - {id: a, text: What}\n")
    result = run(f"--rm=scores:{even}", f"--valuebias-prompts={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*mine.yaml, line 2: a prompt has no `valence`*"])
    path.write_text("language: fr\n" + "prompts:\n" + "".join(
        f"  - {{id: {v}{i}, text: Quoi {v} {i}, valence: {v}}}\n"
        for v in VALENCES for i in range(6)
    ))  # fmt: skip
    result = run(f"--rm=scores:{even}", f"--valuebias-prompts={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*line 1*must declare their control words*"])


def test_a_baseline_of_other_prompts_is_refused(
    run: Run, pytester: pytest.Pytester, balanced: Path, even: Path, tmp_path: Path
) -> None:
    file = pytester.path / "last.json"
    record = (f"--valuebias-baseline={file}", "--valuebias-update-baseline")
    on = "--valuebias-prompts=balanced"
    result = run(f"--rm=scores:{balanced}", BIG_TWO, on, *record)
    result.stdout.fnmatch_lines(["BASELINE WRITTEN to *"])
    later = write_scores(tmp_path / "later.csv", prompts=BALANCED.prompts, noise=1)
    result = run(f"--rm=scores:{later}", BIG_TWO, on, f"--valuebias-baseline={file}")
    assert result.ret == pytest.ExitCode.OK
    result = run(f"--rm=scores:{later}", BIG_TWO, on, *record)  # as the release after it
    result.stdout.fnmatch_lines(["BASELINE WRITTEN to *release 1 since the anchor*"])
    result = run(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-baseline={file}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = " ".join(result.stderr.str().split())
    assert "recorded on other prompts than the prompt set paper (54 prompts)" in said
    assert "Seen: the prompt set balanced (54 prompts)" in said


def test_margins_may_name_a_prompt_set(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    entry = "lexicon: big_two, contrast: agency~communion, role: range, valence: {v}, {rest}"
    lines = [
        entry.format(v=v, rest=rest)
        for v in VALENCES
        for rest in (
            "prompts: balanced, interval: [-.9, .9], source: wide",
            "interval: [-.8, .8], source: any",
        )
    ]
    margins = pytester.path / "margins.yaml"
    margins.write_text("margins:\n" + "".join(f"  - {{{line}}}\n" for line in lines))
    both = tuple(dict.fromkeys((*PAPER.prompts, *BALANCED.prompts)))
    path = write_scores(tmp_path / "both.csv", prompts=both)
    for name, source in (("balanced", "wide"), ("paper", "any")):
        found, result = report(
            run, pytester, f"--rm=scores:{path}", BIG_TWO, f"--valuebias-prompts={name}",
            f"--valuebias-margins={margins}",
        )  # fmt: skip
        assert result.ret == pytest.ExitCode.OK
        told = {r["margin_source"] for r in found["verdicts"] if r["role"] == "range"}
        assert told == {source}


def test_the_papers_own_tests_stay_on_its_prompts(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    both = tuple(dict.fromkeys((*PAPER.prompts, *BALANCED.prompts)))
    models = [write_scores(tmp_path / f"{i}.csv", prompts=both, seed=i) for i in (1, 2)]
    args = [f"--rm=scores:{path}" for path in models]
    texts = {}
    for name in SHIPPED:
        found, _ = report(
            run, pytester, *args, BIG_TWO, "--valuebias-profile=paper",
            f"--valuebias-prompts={name}",
        )  # fmt: skip
        texts[name] = found["paper"]
        assert {r["prompt_set"] for r in found["verdicts"]} == {name}
    said = "They are on the paper's prompts, not on those of the set balanced.\n"
    assert texts["balanced"].replace(said, "") == texts["paper"]
    assert said in texts["balanced"]


def test_hostile_prompts_are_text_in_every_report(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    odd = ("<script>alert(1)</script>", "{{7*7}}", "\x1b[31mred", "\u202etfel", "a,b", "| `c` |")
    rows = [
        {"id": f"{text}{v}", "text": f"{text} {v}?", "valence": v, "factors": {text: text}}
        for v in VALENCES
        for text in odd
    ]
    path = tmp_path / "<b>.yaml"
    path.write_text(yaml.safe_dump({"prompts": rows}), encoding="utf-8")
    asked: PromptSet = load_prompts(path)
    scores = write_scores(tmp_path / "odd.csv", prompts=asked.prompts)
    found, result = report(
        run, pytester, f"--rm=scores:{scores}", BIG_TWO, f"--valuebias-prompts={path}",
        "--valuebias-html=page.html", "--junitxml=junit.xml",
    )  # fmt: skip
    # Six prompts a valence measure, and cannot pass.
    assert {(r["n_prompts"], r["verdict"]) for r in found["verdicts"]} == {(6, "INCONCLUSIVE")}
    assert found["prompt_set"]["name"] == "<b>"
    assert not unseen(json.dumps(found, ensure_ascii=False))
    assert "\x1b[31mred" not in result.stdout.str()
    check_page((pytester.path / "page.html").read_text(encoding="utf-8"))
    ElementTree.parse(pytester.path / "junit.xml")
