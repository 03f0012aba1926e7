"""The short names give way to a suite or plugin that has options of the same names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]

NONE = "--valuebias-suite=none"


def test_a_suite_keeps_its_own_options_and_ours_have_long_names(
    run: Run, pytester: pytest.Pytester, leaning: Path, even: Path
) -> None:
    pytester.makeconftest(
        """
        def pytest_addoption(parser):
            parser.addoption("--reference", default="gold.json")
            parser.addoption("--llm", type=int)
        """
    )
    pytester.makepyfile(
        """
        def test_theirs(request):
            assert request.config.getoption("--reference") == "silver.json"
            assert request.config.getoption("llm") == 3

        def test_ours(reward_model, reference_model):
            assert (reward_model.name, reference_model.name) == ("new", "old")
        """
    )
    result = run(
        *("--reference", "silver.json", "--llm=3", f"--rm=new=scores:{leaning}"),
        *(f"--valuebias-reference=old=scores:{even}", NONE),
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "valuebias: conftest.py has --llm and --reference; "
            "use --valuebias-llm and --valuebias-reference for ours"
        ]
    )


def test_so_does_a_plugin_that_is_loaded_before_or_after_ours(
    pytester: pytest.Pytester, in_process: Run, monkeypatch: pytest.MonkeyPatch, even: Path
) -> None:
    pytester.makepyfile(
        before="""
        def pytest_addoption(parser):
            parser.getgroup("before").addoption("--base", action="store_true")
        """,
        after="""
        def pytest_addoption(parser):
            for name in ("--r", "--l"):
                parser.addoption(name + "m" if name == "--r" else name + "lm", default="x")
        """,
        test_one="""
        def test_one(request, reward_model):
            assert reward_model.name == "new"
            assert request.config.getoption("--base") is True
            assert request.config.getoption("--rm") == "mine"
        """,
    )
    pytester.syspathinsert()
    monkeypatch.setenv("PYTEST_PLUGINS", "after")
    ours = f"--valuebias-rm=new=scores:{even}"
    result = in_process("-p", "before", "-p", "no:xdist", "--base", "--rm=mine", ours, NONE)
    result.assert_outcomes(passed=1)
    # Where the function does not name the option, nobody can tell whose it is.
    result.stdout.fnmatch_lines(
        ["valuebias: another plugin has --rm and --llm; before has --base; use --valuebias-rm *"]
    )


def test_a_conftest_that_is_loaded_late_is_no_error(
    pytester: pytest.Pytester, in_process: Run, even: Path
) -> None:
    """pytest never reads its options, and runs its tests."""
    folder = pytester.mkdir("below")
    (folder / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--rm')\n"
    )
    (folder / "test_two.py").write_text("def test_two():\n    pass\n")
    result = in_process("-p", "no:xdist", f"--rm=scores:{even}", "--valuebias-suite=none")
    result.assert_outcomes(passed=1)
    assert " has --rm" not in result.stdout.str()


@pytest.mark.parametrize("spelling", ["two words", "file", "addopts"])
def test_a_model_folder_is_not_searched_for_conftests(
    pytester: pytest.Pytester, in_process: Run, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    folder = pytester.mkdir("model")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "conftest.py").write_text("raise SystemExit('the code of a model was run')\n")
    pytester.makeconftest("def pytest_addoption(parser):\n    parser.addoption('--llm')\n")
    given = ["--rm", "model", "--llm", "theirs"]
    if spelling == "file":
        (pytester.path / "args").write_text("\n".join(given))
        given = ["@args"]
    elif spelling == "addopts":
        monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(given))
        given = []
    pytester.makepyfile(
        test_one="""
        def test_one(request):
            assert request.config.getoption("valuebias_rm") == ["model"]
            assert request.config.getoption("--llm") == "theirs"
        """
    )
    result = in_process("-p", "no:xdist", *given, NONE, "--", "test_one.py")
    result.assert_outcomes(passed=1)


def test_a_flag_of_the_suite_does_not_take_the_folder_of_its_tests(
    pytester: pytest.Pytester, in_process: Run
) -> None:
    folder = pytester.mkdir("checks")
    (folder / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--llm', action='store_true')\n"
    )
    (folder / "test_one.py").write_text(
        "def test_one(request):\n    assert request.config.getoption('--llm') is True\n"
    )
    result = in_process("-p", "no:xdist", "--llm", "checks")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["valuebias: checks/conftest.py has --llm; use --valuebias-llm *"])


def test_help_names_them_even_where_a_conftest_is_broken(
    pytester: pytest.Pytester, in_process: Run
) -> None:
    pytester.makeconftest("raise ValueError('broken')")
    result = in_process("-p", "no:xdist", "--rm=demo:agency", "--help")
    assert result.ret == pytest.ExitCode.OK
    assert "also --rm" in " ".join(result.stdout.str().split())


def test_an_error_says_whose_the_short_name_is(pytester: pytest.Pytester, in_process: Run) -> None:
    pytester.makeconftest("def pytest_addoption(parser):\n    parser.addoption('--rm')\n")
    result = in_process("--rm=x", "--valuebias-reference=demo:agency")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*--reference needs a --rm to compare with*",
            "valuebias: conftest.py has --rm; use --valuebias-rm for ours",
        ]
    )
