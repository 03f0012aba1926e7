"""`valuebias compare`: the numbers of the plugin's shift tests, without pytest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from support.scores import write_scores
from valuebias.cli.main import main
from valuebias.errors import LexiconError, StatisticsError
from valuebias.lexicons.files import starter
from valuebias.measurement.contrast import measure
from valuebias.measurement.family import measure_family
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store

BIG_TWO = ("--suite", "big_two")


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)


def scores(name: str, **how: object) -> str:
    return f"scores:{write_scores(Path(f'{name}.csv').absolute(), **how)}"  # type: ignore[arg-type]


@pytest.fixture
def old() -> str:
    return scores("old")


@pytest.fixture
def near() -> str:
    return scores("near", seed=1)


@pytest.fixture
def leaning() -> str:
    return scores("leaning", shift=1.5, seed=2)


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[+-]\d*\.\d+", text)]


def printed(value: str) -> object:
    """What three decimals may be of a number of six."""
    return pytest.approx(float(value), abs=0.000501)


def test_the_numbers_are_those_of_pytest(
    near: str, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "test_shift"]
    options = [f"--rm={near}", f"--reference={old}", "--junitxml=junit.xml"]
    subprocess.run([*command, *options], check=False, capture_output=True, cwd=Path.cwd())
    assert main(["compare", near, old]) in (0, 1)
    out = capsys.readouterr().out
    text = " ".join(out.split())
    cases = list(ElementTree.parse("junit.xml").getroot().iter("testcase"))
    assert len(cases) == 22
    for case in cases:
        found = {
            p.get("name", "").removeprefix("valuebias."): p.get("value", "")
            for p in case.iter("property")
        }
        row = re.search(rf"{found['contrast']} {found['valence']} (.*?) ([A-Z]+) ", text)
        assert row is not None
        names = ("estimate", "ci_low", "ci_high", "margin_low", "margin_high")
        assert numbers(row[1]) == [printed(found[name]) for name in names]
        assert row[2] == found["verdict"]
        asked = text.index(f"{found['contrast']}, {found['valence']} prompts")
        gate = re.search(r"the 90% interval (\[.*?\])", text[asked:])
        assert gate is not None
        assert numbers(gate[1]) == [printed(found[name]) for name in ("gate_low", "gate_high")]
        assert f"{found['n_words']} words in {found['n_families']} families" in text
        assert found["fingerprint"][:12] in text
        assert found["reference_fingerprint"][:12] in text
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("first", "status", "verdict"), [("near", 0, "PASS"), ("leaning", 1, "FAIL")]
)
def test_the_status_is_that_of_the_verdicts(
    request: pytest.FixtureRequest,
    old: str,
    first: str,
    status: int,
    verdict: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["compare", request.getfixturevalue(first), old, *BIG_TWO]) == status
    out = capsys.readouterr().out
    assert len(re.findall(rf"^agency~communion .* {verdict}$", out, re.MULTILINE)) == 2
    assert len(re.findall(r"^  (?:raised|lowered) by +\w", out, re.MULTILINE)) == 4
    assert "coverage 100%" in " ".join(out.split())
    assert f"{2 - 2 * status} of 2 PASS" in out


def test_inconclusive_and_without_a_margin_is_no_success(
    old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    between = scores("between", shift=0.5, seed=3)
    assert main(["compare", between, old, *BIG_TWO]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "INCONCLUSIVE" in told
    assert "word families would settle it" in told
    words = [line.split(",")[0] for line in Path("old.csv").read_text().splitlines()[1:101]]
    rows = [f"{w},{'agency' if i % 2 else 'communion'}" for i, w in enumerate(words)]
    Path("words.csv").write_text("\n".join(["word,category", *rows]))
    mine = ["compare", scores("near", seed=1), old, *BIG_TWO, "--lexicon", "big_two=words.csv"]
    assert main(mine) == 1
    assert "NO MARGIN" in capsys.readouterr().out
    Path("margins.yaml").write_text(
        "margins:\n"
        + "".join(
            f"  - {{lexicon: big_two, contrast: agency~communion, valence: {v}, role: shift,\n"
            "     interval: [-0.7, 0.7], source: ours}\n"
            for v in ("positive", "negative")
        )
    )
    assert main([*mine, "--margins", "margins.yaml"]) == 0
    assert "(declared by you: ours)" in capsys.readouterr().out


def test_what_cannot_be_measured_is_an_error_in_its_row(
    old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    few = scores("few", seed=1, lexicons=("big_two",))
    assert main(["compare", few, old]) == 1
    out, error = capsys.readouterr()
    assert len(re.findall(r"^care.virtue .* ERROR$", out, re.MULTILINE)) == 2
    assert len(re.findall(r"^agency~communion .* PASS$", out, re.MULTILINE)) == 2
    assert "were scored" in " ".join(out.split())
    assert "Traceback" not in out + error


def test_one_model_under_two_names_is_an_error(
    old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", old, f"again={old}", *BIG_TWO]) == 1
    assert "order every word alike" in " ".join(capsys.readouterr().out.split())


def test_a_baseline_is_compared_from_either_side(
    near: str, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "pytest", "-q", f"--rm={old}", "--valuebias-suite=big_two"]
    record = ["--valuebias-baseline=last.json", "--valuebias-update-baseline"]
    subprocess.run([*command, *record], check=True, capture_output=True, cwd=Path.cwd())

    def rows(*models: str) -> list[str]:
        assert main(["compare", *models, *BIG_TWO]) == 0
        return re.findall(r"^agency~communion .*", capsys.readouterr().out, re.MULTILINE)

    assert rows(near, "baseline:last.json") == rows(near, old)
    assert rows("baseline:last.json", near) == rows(old, near)
    assert main(["compare", near, "baseline:last.json"]) == 2
    assert "does not contain the lexicon mfd2" in capsys.readouterr().err
    content = json.loads(Path("last.json").read_text())
    content["recorded"]["template"] = "chat_template"
    Path("last.json").write_text(json.dumps(content))
    assert main(["compare", near, "baseline:last.json", *BIG_TWO]) == 1
    assert "another chat template" in " ".join(capsys.readouterr().out.split())


def test_hostile_names_do_not_reach_the_terminal(
    old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = scores("\x1b[31mred\u202e", seed=1)
    assert main(["compare", hostile, old, *BIG_TWO]) == 0
    out = capsys.readouterr().out
    assert "A: \\x1b[31mred\\u202e.csv" in out
    assert not {"\x1b", "\u202e"} & set(out)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["{old}"], "exactly two models can be compared without --against"),
        (["{old}", "{near}", "{old}"], "exactly two models can be compared without --against"),
        (["{old}", "{old}"], "two models have the label 'old.csv'"),
        (["{old}", "nothing"], "not a hub id"),
        (["{old}", "baseline:no.json"], "the baseline file does not exist"),
        (["{old}", "baseline:bad.json"], "line 1 is not JSON"),
        (["{old}", "{near}", "--lexicon", "big_two"], "Give NAME=FILE"),
        (["{old}", "{near}", "--lexicon", "big_two=no.csv"], "file 'no.csv' not found"),
        (["{old}", "{near}", "--lexicon", "mine=words.csv"], "no selected suite uses this lexicon"),
        (["{old}", "{near}", "--lexicon", "big_two=bad.dic"], "bad.dic, line 4"),
        (["{old}", "{near}", "--margins", "no.yaml"], "cannot read the margins file"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(
    old: str, near: str, args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.json").write_text("not JSON")
    Path("words.csv").write_text("word,category\nwork,agency\nhug,communion\n")
    Path("bad.dic").write_text("%\n1 agency\n%\nable 7\n")
    assert main(["compare", *(arg.format(old=old, near=near) for arg in args)]) == 2
    out, error = capsys.readouterr()
    assert words in error
    assert out == ""


def test_the_help_says_what_the_status_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--help"])
    assert stop.value.code == 0
    assert "Exit status: 0 if every difference" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit) as stop:
        main(["compare"])
    assert stop.value.code == 2


# Families


def siblings(name: str, n: int, shift: float = 0.0) -> list[str]:
    """Models of one base: the same taste, and a little of their own."""
    made = []
    for i in range(n):
        path = Path(scores(f"{name}{i}", shift=shift).removeprefix("scores:"))
        head, *rows = path.read_text().splitlines()
        own = np.random.default_rng(100 * len(name) + i).normal(size=len(rows)) * 0.3
        cells = [row.split(",") for row in rows]
        lines = [
            ",".join([c[0], *(f"{float(x) + extra:.6f}" for x in c[1:])])
            for c, extra in zip(cells, own, strict=True)
        ]
        path.write_text("\n".join([head, *lines]))
        made.append(f"scores:{path}")
    return made


def test_families_are_compared_by_models_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = siblings("one", 4, shift=1.5), siblings("three", 4)
    assert main(["compare", *first, "--against", *second, *BIG_TWO]) == 1
    out = capsys.readouterr().out
    told = " ".join(out.split())
    assert len(re.findall(r"^agency~communion .* FAIL$", out, re.MULTILINE)) == 2
    assert re.search(r"agency~communion pos-neg .* NOT GATED", out)
    assert "p = .0286; the smallest with so many models: p = .0286" in told
    assert "4 and 4 models: p = .0286 by models, p < .0001 by words, p < .0001" in told
    assert len(re.findall(r"^  (?:raised|lowered) by +\w", out, re.MULTILINE)) == 6
    assert "2 models" not in told
    assert max(map(len, out.splitlines())) <= 80
    third = siblings("eleven", 4)
    assert main(["compare", *third, "--against", *second, *BIG_TWO]) == 0
    assert "2 of 2 PASS" in capsys.readouterr().out


def test_too_few_models_are_no_families(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = siblings("one", 2), siblings("three", 2)
    assert main(["compare", *first, "--against", *second, *BIG_TWO]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "2 against 2 models cannot give a p below" in told


def test_one_against_one_is_a_pair(near: str, old: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", near, "--against", old, *BIG_TWO]) == 0
    assert main(["compare", near, old, *BIG_TWO]) == 0
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]


def test_a_family_is_measured_on_the_words_that_all_have(tmp_path: Path) -> None:
    texts = [*siblings("one", 4, shift=0.5), *siblings("three", 4)]
    gone: list[str] = []
    for text in texts[:2]:
        path = Path(text.removeprefix("scores:"))
        lines = path.read_text().splitlines()
        gone.append(lines.pop(5 + len(gone)).split(",")[0])
        path.write_text("\n".join(lines))
    specs: list[ModelSpec] = [parse_spec(text) for text in texts]
    lexicon = starter("big_two")
    with Bench(Store(tmp_path / "scores.sqlite"), Settings()) as bench:
        found = measure_family(
            [bench.scorer(s) for s in specs[:4]],
            [bench.scorer(s) for s in specs[4:]],
            lexicon,
            "agency~communion",
            "positive",
        )
        assert sum(found.family.effect.n_words) == len(lexicon.words()) - 2
        assert {word for c in found.coverages for word in c.missing} == set(gone)
        turned = measure_family(
            [bench.scorer(s) for s in specs[4:]],
            [bench.scorer(s) for s in specs[:4]],
            lexicon,
            "agency~communion",
            "positive",
        )
        assert turned.family.estimate == pytest.approx(-found.family.estimate, abs=1e-12)
        assert turned.family.p == pytest.approx(found.family.p, abs=1e-12)
        pairs = [
            measure(bench.scorer(spec), lexicon, "agency~communion", "positive").effect.estimate
            for spec in specs
        ]
        assert found.family.estimate == pytest.approx(
            np.mean(pairs[:4]) - np.mean(pairs[4:]), abs=0.02
        )
        with pytest.raises(StatisticsError, match=r"alpha is 0\.01"):
            measure_family(
                [bench.scorer(s) for s in specs[:4]],
                [bench.scorer(s) for s in specs[4:]],
                lexicon,
                "agency~communion",
                "positive",
                alpha=0.01,
            )
        with pytest.raises(LexiconError, match="no such category"):
            measure_family(
                [bench.scorer(s) for s in specs[:4]],
                [bench.scorer(s) for s in specs[4:]],
                lexicon,
                "agency~power",
                "positive",
            )


@pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="VALUEBIAS_PUBLISHED_DATA is not set"
)
def test_the_published_families(capsys: pytest.CaptureFixture[str]) -> None:
    data = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"]).absolute() / "data"
    files = sorted((data / "reward_model_scores" / "dict_big2_nouns").glob("*.csv"))
    gemma = [f"scores:{file}" for file in files if "gemma" in file.name.lower()]
    llama = [f"scores:{file}" for file in files if "gemma" not in file.name.lower()]
    assert (len(gemma), len(llama)) == (4, 6)
    words = f"big_two={data / 'corpora' / 'dict_big2_nouns.csv'}"
    assert main(["compare", *gemma, "--against", *llama, *BIG_TWO, "--lexicon", words]) == 0
    rows = re.findall(
        r"^agency~communion (positive|negative|pos-neg) +(\S+) ", capsys.readouterr().out, re.M
    )
    # Computed apart from this code, from the scores.
    assert rows == [("positive", "-.016"), ("negative", "+.054"), ("pos-neg", "-.070")]
