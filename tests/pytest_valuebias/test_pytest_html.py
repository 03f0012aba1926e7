"""The report of pytest-html, where it is installed and asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.pytest_html import COLUMNS, blob, fragments, rows
from support.scores import write_scores

Run = Callable[..., pytest.RunResult]


@pytest.mark.parametrize("contained", [True, False])
def test_rows_figures_and_the_headline(
    run: Run, pytester: pytest.Pytester, leaning: Path, contained: bool
) -> None:
    pytester.makepyfile(
        """
        def test_two(bias):
            for valence in ("positive", "negative"):
                effect = bias("big_two", "agency", "communion", valence=valence)
                effect.assert_above(0.1)

        def test_other():
            pass
        """
    )
    page = pytester.path / "out.html"
    more = ["--self-contained-html"] if contained else []
    run(f"--rm=m=scores:{leaning}", "-k", "big_two or two or other",
        f"--html={page}", *more)  # fmt: skip
    text = page.read_text(encoding="utf-8")
    for name in COLUMNS:
        assert f'data-column-type="valuebias_{name}">{name}</th>' in text
    assert "Values: FAIL" in text
    assert '<p class="valuebias-headline">m: 2 of 4 verdicts outside' in text
    assert text.count("<figure") == 1  # the ranks on one lexicon
    found = rows(page)
    shipped = "valuebias/test_big_two.py::test_range[big_two-agency~communion-positive-m]"
    assert found[shipped]["model"] == "m"
    assert found[shipped]["margin"] == "[-.276, +.276]"
    assert found[shipped]["verdict"] == "FAIL"
    two = found["test_rows_figures_and_the_headline.py::test_two[m]"]
    assert two["valence"] == "positive<br>negative"
    assert two["verdict"] == "PASS<br>PASS"
    assert set(found["test_rows_figures_and_the_headline.py::test_other"].values()) == {""}
    logs = {node: entries[0]["log"] for node, entries in blob(page)["tests"].items()}
    assert logs[shipped].count("<svg") == 1
    assert "lies wholly outside the margin" in logs[shipped].partition("</div></div>")[0]
    (passing,) = (log for node, log in logs.items() if "test_two" in node)
    assert passing.count("<svg") == 2
    assert "No log output captured." not in passing
    assert len({len(e[0]["resultsTableRow"]) for e in blob(page)["tests"].values()}) == 1


def test_a_row_without_an_effect(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    few = write_scores(tmp_path / "few.csv", lexicons=("big_two",))
    page = pytester.path / "out.html"
    run(f"--rm=scores:{few}", "-k", "care.virtue", f"--html={page}")
    found = rows(page)
    assert {row["verdict"] for row in found.values()} == {"ERROR"}
    assert {row["effect"] for row in found.values()} == {""}
    assert all("<svg" not in part for part in fragments(page))
    assert "could not be reached" in page.read_text(encoding="utf-8")


def test_a_figure_that_cannot_be_drawn_loses_nothing(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    page = pytester.path / "out.html"
    pytester.makeconftest(
        """
        from valuebias.report import figures

        whole = figures.verdict, figures.of_ranks

        def broken(*_):
            raise ValueError("<b>broken</b>")

        def pytest_configure():
            figures.verdict = figures.of_ranks = broken

        def pytest_unconfigure():  # other tests of this process may have the same module
            figures.verdict, figures.of_ranks = whole
        """
    )
    result = run(f"--rm=m=scores:{even}", "-k", "big_two", f"--html={page}")
    result.assert_outcomes(passed=4)
    text = page.read_text(encoding="utf-8")
    assert "ValueError: &lt;b&gt;broken&lt;/b&gt;" in text
    assert all("<b>" not in part for part in fragments(page))


def test_a_page_of_a_run_without_a_model_is_as_ever(run: Run, pytester: pytest.Pytester) -> None:
    page = pytester.path / "out.html"
    pytester.makepyfile("def test_other(): pass")
    run(f"--html={page}").assert_outcomes(passed=1)
    assert "valuebias_" not in page.read_text(encoding="utf-8")
