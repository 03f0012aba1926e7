"""Models of which only the scores are seen, through the command: a factory in code, a server."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

# In-process runs forget what they imported, and torch, which this needs, cannot come twice.
import valuebias.search  # noqa: F401
from support.schema import problems
from support.served import Wishes, serving, sigmoid

Run = Callable[..., pytest.RunResult]
ONE = ("-k", "test_range and positive", "--valuebias-profile=quick")

pytestmark = pytest.mark.usefixtures("own_store")


def test_a_factory_named_on_the_command_line_is_judged(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, report = pytester.path / "calls", pytester.path / "report.json"
    monkeypatch.setenv("TASTE_LOG", str(log))
    spec = ("--rm=mine=py:support.taste:make", "--valuebias-suite=big_two", *ONE)
    result = run(*spec, f"--valuebias-json={report}")
    result.assert_outcomes(failed=1)
    document = json.loads(report.read_text(encoding="utf-8"))
    assert problems(document) == []
    first = document["verdicts"][0]
    assert (first["head"], first["model"]) == ("function", "mine")
    assert "mine is asked by text: it has no vocabulary" in report.read_text(encoding="utf-8")
    assert "instrument sound" in result.stdout.str()
    calls = log.read_text().split()
    assert len(calls) == len(set(calls)), "each process makes it once"
    again = run(*spec, f"--valuebias-json={report}")
    again.assert_outcomes(failed=1)
    assert json.loads(report.read_text())["verdicts"][0]["estimate"] == first["estimate"]
    assert "scores, " not in again.stderr.str(), "all of them were stored"


def test_what_a_factory_does_wrongly_is_an_error_without_a_traceback(
    in_process: Run, pytester: pytest.Pytester
) -> None:
    result = in_process(
        "-p", "no:xdist", "--rm=py:support.taste:raising", "--valuebias-suite=big_two"
    )  # fmt: skip
    out = result.stdout.str()
    assert result.parseoutcomes().keys() == {"errors"}, out
    assert "Seen: RuntimeError: the disk is on fire. For the whole traceback: python -c" in (
        " ".join(out.split())
    )
    assert "Traceback" not in out
    assert "and so is the rest" not in out
    usage = in_process("--rm=py:raising", "-p", "no:xdist")
    assert usage.ret == pytest.ExitCode.USAGE_ERROR
    usage.stderr.fnmatch_lines(["*needs a module and a factory in it*py:PACKAGE.MODULE:FACTORY*"])


def test_a_served_model_is_judged_like_the_same_one_in_code(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = pytester.path / "report.json"
    monkeypatch.setenv("VALUEBIAS_SERVED_KEY", "sk-secret")
    with serving(Wishes(key="sk-secret")) as server:
        result = run(
            f"--rm=served:{server.url}", "--reference=same=py:support.taste:make",
            "--valuebias-suite=big_two", "-k", "positive and (range or shift)",
            "--valuebias-profile=quick", f"--valuebias-json={report}", "--valuebias-html=r.html",
        )  # fmt: skip
    result.assert_outcomes(failed=1, errors=1)
    written = report.read_text(encoding="utf-8")
    document = json.loads(written)
    assert problems(document) == []
    found = {record["role"]: record for record in document["verdicts"]}
    assert found["range"]["head"].startswith("org/served on vLLM 0.32.0 at 127.0.0.1:")
    assert found["range"]["estimate"] > 0.5
    out = result.stdout.str() + result.stderr.str()
    assert "order every word alike on every prompt" in found["shift"]["reason"]
    for text in (written, out, (pytester.path / "r.html").read_text(encoding="utf-8")):
        assert "sk-secret" not in text


def test_what_is_wrong_with_a_server_is_an_error_without_a_traceback(
    in_process: Run, pytester: pytest.Pytester
) -> None:
    with serving(Wishes(activation=sigmoid)) as server:
        result = in_process(
            "-p", "no:xdist", f"--rm=served:{server.url}", "--valuebias-suite=big_two"
        )  # fmt: skip
    out = result.stdout.str()
    assert result.parseoutcomes().keys() == {"errors"}, out
    assert "an activation squashes them" in " ".join(out.split())
    assert "Traceback" not in out
    usage = in_process("--rm=served:http://me:pass@host", "-p", "no:xdist")
    assert usage.ret == pytest.ExitCode.USAGE_ERROR
    usage.stderr.fnmatch_lines(["*holds a user name or password*VALUEBIAS_SERVED_KEY*"])
    assert "pass@" not in usage.stderr.str()
    spoken = in_process("--llm=served:http://host", "-p", "no:xdist")
    assert spoken.ret == pytest.ExitCode.USAGE_ERROR
    spoken.stderr.fnmatch_lines(["*not a language model*"])
