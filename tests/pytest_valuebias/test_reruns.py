"""Plugins that run tests again: said once, and a verdict does not change by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]

RERUNS = """
    import pytest

    def pytest_addoption(parser):
        parser.addoption("--reruns", type=int)
        parser.addini("reruns", "how often", default=None)

    def pytest_configure(config):
        config.addinivalue_line("markers", "flaky(reruns): run it again")

    def pytest_runtest_protocol(item, nextitem):
        from _pytest.runner import runtestprotocol

        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        left = item.config.getoption("reruns") or 0
        while True:
            with open("attempts", "a") as file:
                file.write(item.nodeid + "\\n")
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            if left == 0 or not any(report.failed for report in reports):
                break
            left -= 1
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""
"""As the real one is registered, in the part that matters here."""

OURS = """
    def test_ours(bias):
        bias("big_two", "agency", "communion", valence="positive").assert_within(-0.3, 0.3)
"""
YAML = """\
tests:
  - {name: one, lexicon: big_two, contrast: agency~communion, valence: positive, within: [-.3, .3]}
"""
NO_SUITE = "--valuebias-suite=none"


@pytest.fixture
def rerun(pytester: pytest.Pytester, in_process: Run) -> Run:
    """Run pytest with a plugin called rerunfailures; warnings are shown."""
    pytester.makepyfile(again=RERUNS)
    pytester.makeconftest(
        """
        import again

        def pytest_addoption(parser, pluginmanager):
            pluginmanager.register(again, "rerunfailures")
        """
    )

    def rerun(*args: object) -> pytest.RunResult:
        pytester.syspathinsert()
        return in_process("-W", "default", *args)

    return rerun


WORKERS = pytest.mark.parametrize("workers", [["-p", "no:xdist"], ["-n", "2"]], ids=["1", "2"])


@WORKERS
def test_reruns_are_warned_of_once_and_in_the_header(
    rerun: Run, pytester: pytest.Pytester, leaning: Path, workers: list[str]
) -> None:
    pytester.makepyfile(test_ours=OURS)
    args = [*workers, f"--rm=scores:{leaning}", "--valuebias-suite=big_two", "-k", "not top"]
    result = rerun(*args, "--reruns=2")
    result.assert_outcomes(failed=3, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "valuebias: pytest-rerunfailures runs tests again (--reruns=2): value tests are deter*",
            "*ValueBiasWarning: pytest-rerunfailures (--reruns=2) runs this test again; *",
        ]
    )
    assert result.stdout.str().count("ValueBiasWarning:") == 1
    assert attempts(pytester) == [3, 3, 3]


def test_without_reruns_nothing_is_said(
    rerun: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    pytester.makepyfile(test_ours=OURS)
    result = rerun("-W", "error", f"--rm=scores:{leaning}", NO_SUITE, "--reruns=0")
    result.assert_outcomes(failed=1)
    assert "runs tests again" not in result.stdout.str()


def test_tests_of_other_things_may_be_run_again(
    rerun: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(
        test_theirs="""
        import pytest

        @pytest.mark.flaky(reruns=2)
        def test_theirs(scores):
            pass
        """,
        test_ours=OURS,
    )
    result = rerun("-W", "error", f"--rm=scores:{even}", NO_SUITE)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("how", ["marker", "ini", "yaml"])
def test_every_way_to_ask_for_reruns_is_seen(
    rerun: Run, pytester: pytest.Pytester, even: Path, how: str
) -> None:
    args = [f"--rm=scores:{even}", NO_SUITE]
    if how == "yaml":
        (pytester.path / "our.valuebias.yaml").write_text(YAML)
        args.append("--reruns=1")
    else:
        mark = "@pytest.mark.flaky(reruns=2)" if how == "marker" else ""
        pytester.makepyfile(
            test_ours=f"import pytest\n{mark}\n" + "\n".join(line[4:] for line in OURS.splitlines())
        )
    if how == "ini":
        pytester.makeini("[pytest]\nreruns = 3\n")
    result = rerun(*args)
    result.assert_outcomes(passed=1, warnings=1)
    asked = {"marker": "marked flaky", "ini": "reruns=3", "yaml": "--reruns=1"}[how]
    result.stdout.fnmatch_lines([f"*pytest-rerunfailures ({asked}) runs this test again*"])


@WORKERS
def test_where_warnings_are_errors_the_first_test_is_an_error_at_every_attempt(
    rerun: Run, pytester: pytest.Pytester, even: Path, workers: list[str]
) -> None:
    args = ["-W", "error", *workers, f"--rm=scores:{even}", "--valuebias-suite=big_two"]
    args += ["-k", "not top"]
    result = rerun(*args, "--reruns=2")
    result.assert_outcomes(errors=1, passed=1)
    assert "INTERNALERROR" not in result.stdout.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert attempts(pytester) == [1, 3]


def attempts(pytester: pytest.Pytester) -> list[int]:
    """How often each test was run, the least first."""
    return sorted(Counter((pytester.path / "attempts").read_text().splitlines()).values())


@pytest.mark.parametrize(
    ("name", "option", "plugin"),
    [
        ("flaky", "--force-flaky", "flaky"),
        ("pytest-retry", "--retries=2", "pytest-retry"),
        ("repeat", "--count=2", "pytest-repeat"),
        ("flakefinder", "--flake-finder", "pytest-flakefinder"),
    ],
)
def test_other_such_plugins_are_known(
    pytester: pytest.Pytester, even: Path, name: str, option: str, plugin: str
) -> None:
    pytester.makepyfile(test_ours=OURS)
    pytester.makeconftest(
        f"""
        class Again:
            pass

        def pytest_addoption(parser, pluginmanager):
            pluginmanager.register(Again(), {name!r})
            parser.addoption("--force-flaky", action="store_true", dest="force_flaky")
            parser.addoption("--flake-finder", action="store_true", dest="flake_finder_enable")
            parser.addoption("--retries", type=int)
            parser.addoption("--count", type=int, default=1)
        """
    )
    args = ["-p", "no:xdist", f"--rm=scores:{even}", NO_SUITE]
    pytester.runpytest("-W", "error", *args).assert_outcomes(passed=1)
    result = pytester.runpytest("-W", "default", *args, option)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            f"valuebias: {plugin} runs tests again ({option}): *",
            f"*ValueBiasWarning: {plugin} ({option}) runs this test again*",
        ]
    )
