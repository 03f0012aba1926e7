"""Of a test that a plugin runs again, the last attempt counts, once, in every report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

Run = Callable[..., pytest.RunResult]

RERUN = """
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        again = True
        for left in (2, 1, 0):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            again = left > 0 and any(report.failed for report in reports)
            for report in reports:
                if again and report.failed:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if not again:
                return True

    def pytest_report_teststatus(report):
        return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""
"""As pytest-rerunfailures does it: every attempt is reported, from its setup to its teardown."""
RETRY = """
    import pytest

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        if call.when != "call" or not report.failed:
            return report
        hook, other = item.ihook, pytest.Class.from_parent(item.session, name="Other")
        report.outcome = "retried"
        hook.pytest_runtest_logreport(report=report)
        for attempt in range(2):
            hook.pytest_runtest_teardown(item=item, nextitem=other)
            item._initrequest()
            pytest.CallInfo.from_call(lambda: hook.pytest_runtest_setup(item=item), "setup")
            again = pytest.CallInfo.from_call(lambda: hook.pytest_runtest_call(item=item), "call")
            last = pytest.TestReport.from_item_and_call(item, again)
            if last.passed:
                break
        report.outcome, report.longrepr = last.outcome, last.longrepr
        return report

    def pytest_report_teststatus(report):
        return ("retried", "R", "RETRY") if report.outcome == "retried" else None
"""
"""As pytest-retry does it: while the first attempt's report is made, which is then changed."""

YAML = """\
lexicon: big_two
contrast: agency~communion
tests:
  - {name: balanced, valence: positive, within: [-.3, .3]}
  - {name: wide, valence: positive, within: [-.95, .95]}
"""
OURS = """
    from valuebias.errors import ModelError

    tries = {"mended": 0, "broken": 0}

    def test_ours(bias):
        bias("big_two", "agency", "communion", valence="positive").assert_within(-.3, .3)

    def test_mended(bias):
        tries["mended"] += 1
        effect = bias("big_two", "agency", "communion", valence="positive")
        bound = .01 if tries["mended"] == 1 else .95
        effect.assert_within(-bound, bound)

    def test_broken(bias):
        tries["broken"] += 1
        if tries["broken"] == 1:
            raise ModelError("a model is broken", remedy="Mend it.")
        assert False, "theirs"
"""
SHIPPED = "valuebias/test_big_two.py::test_range[big_two-agency~communion-{}-new]"
VERDICTS = [
    ("our.valuebias.yaml::balanced[new]", "FAIL"),
    ("our.valuebias.yaml::wide[new]", "PASS"),
    ("test_ours.py::test_mended[new]", "PASS"),
    ("test_ours.py::test_ours[new]", "FAIL"),
    (SHIPPED.format("negative"), "FAIL"),
    (SHIPPED.format("positive"), "FAIL"),
]


@pytest.fixture
def project(pytester: pytest.Pytester, leaning: Path) -> list[str]:
    """Tests of every kind that fail, pass, or pass at their second attempt; and the arguments."""
    (pytester.path / "our.valuebias.yaml").write_text(YAML)
    pytester.makepyfile(test_ours=OURS)
    reports = ["--valuebias-json=o.json", "--valuebias-html=o.html", "--junitxml=o.xml"]
    return [f"--rm=new=scores:{leaning}", "--valuebias-suite=big_two", "-k", "not top", *reports]


def check(pytester: pytest.Pytester, result: pytest.RunResult) -> None:
    counts = result.parseoutcomes()
    assert (counts["failed"], counts["passed"], counts.get("errors")) == (5, 2, None)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in result.stdout.str()
    document = json.loads((pytester.path / "o.json").read_text())
    assert sorted((v["nodeid"], v["verdict"]) for v in document["verdicts"]) == VERDICTS
    assert document["complete"]
    page = (pytester.path / "o.html").read_text()
    assert page.count('<tr class="verdict"') == len(VERDICTS)
    properties = ElementTree.parse(pytester.path / "o.xml").iterfind(".//testcase//property")
    said = [p.get("value") for p in properties if str(p.get("name")).endswith("verdict")]
    assert sorted(map(str, said)) == ["FAIL"] * 4 + ["PASS"] * 2
    rows = [line for line in result.stdout.lines if line.startswith("agency~communion ")]
    assert len(rows) == len(VERDICTS)


@pytest.mark.parametrize("plugin", [RERUN, RETRY], ids=["rerun", "retry"])
def test_the_last_attempt_counts(
    run: Run, pytester: pytest.Pytester, project: list[str], plugin: str
) -> None:
    pytester.makeconftest(plugin)
    check(pytester, run(*project))


@pytest.mark.parametrize(
    ("module", "other", "option"),
    [
        ("pytest_rerunfailures", "no:pytest-retry", "--reruns=2"),
        ("pytest_retry", "no:rerunfailures", "--retries=2"),
    ],
)
def test_of_an_installed_plugin_too(
    in_process: Run,
    pytester: pytest.Pytester,
    project: list[str],
    module: str,
    other: str,
    option: str,
) -> None:
    pytest.importorskip(module)
    check(pytester, in_process("-W", "default", "-p", "no:xdist", "-p", other, option, *project))
