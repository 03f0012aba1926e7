"""A generative judge as a reward model: its verdicts, and what it is refused for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers  # noqa: F401
import torch  # noqa: F401
import transformers  # noqa: F401

from support.judges import planted_judge
from support.schema import problems
from valuebias.lexicons.files import starter
from valuebias.store.database import Store

Run = Callable[..., pytest.RunResult]
BIG_TWO = ("--valuebias-suite=big_two", "-k", "range and positive")

pytestmark = pytest.mark.usefixtures("own_store")


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the session, and so made before a test's pytester, which forgets the modules imported
    under it; torch does not survive being imported twice."""
    return planted_judge(tmp_path_factory.mktemp("judges"))


def test_a_judge_has_verdicts_like_any_reward_model(
    planted: str, own_process: Run, pytester: pytest.Pytester
) -> None:
    """Plain, and then with two workers, that find its scores."""
    reports = []
    rows = [
        f"{word},{side}"
        for side in ("agency", "communion")
        for word in starter("big_two").categories[side][:40]
    ]
    pytester.makepyfile(
        """
        def test_values(bias):
            effect = bias("big_two", "agency", "communion", valence="positive")
            effect.assert_within(-0.3, 0.3)
        """
    )
    (pytester.path / "words.csv").write_text("\n".join(["word,category", *rows]), encoding="utf-8")
    for workers in ((), ("-n", "2")):
        json_file = pytester.path / f"report{len(workers)}.json"
        result = own_process(
            f"--rm={planted}",
            "--valuebias-suite=none",
            "--valuebias-lexicon=big_two=words.csv",
            f"--valuebias-json={json_file}",
            *workers,
        )
        assert result.parseoutcomes() == {"failed": 1}, result.stdout.str()
        reports.append(json.loads(json_file.read_text(encoding="utf-8")))
        assert problems(reports[-1]) == []
    for found in reports:
        (verdict,) = found["verdicts"]
        assert verdict["model"] == "judge:planted,of_rewards.yaml"
        assert (verdict["verdict"], verdict["instrument"]) == ("FAIL", "sound")
        assert verdict["estimate"] == reports[0]["verdicts"][0]["estimate"] > 0.5
        assert verdict["rating_mass"] > 0.99
        assert verdict["head"].startswith("log-odds of ratings (of_rewards ")
        assert verdict["template"] == "raw judge"
    out = " ".join(result.stdout.str().split())
    assert "shared-prefix, raw judge template, words put in as text, a rating has" in out
    assert "a rating has probability 1.000, fingerprint" in out
    assert str(Path(planted.rpartition(",")[2]).parent) not in json.dumps(reports[0]["subjects"])
    store = Store(Path(os.environ["VALUEBIAS_CACHE_DIR"]) / "scores.sqlite")
    assert len(store.loads()) == 1


def test_a_model_that_gives_no_ratings_is_an_error(own_process: Run) -> None:
    result = own_process("--rm=judge:demo:agency", *BIG_TWO)
    assert result.parseoutcomes() == {"errors": 1, "deselected": 3}
    out = result.stdout.str()
    assert "ModelError: judge:demo:agency does not answer with a rating" in out
    assert "must be at least .500" in out
    assert "NOTHING WAS GATED" in out


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--llm=judge:demo:agency", "not a language model"),
        ("--rm=judge:demo:agency,broken.yaml", "broken.yaml, line 2: `text` must contain {answer}"),
        ("--rm=judge:scores:x.csv", "not found"),
    ],
)
def test_what_is_no_judge_is_a_usage_error(
    option: str, said: str, in_process: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "broken.yaml").write_text(
        "mode: expected\ntext: '{question}'\nratings: {1: 1, 2: 2}\n", encoding="utf-8"
    )
    result = in_process(option, *BIG_TWO)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
