"""Reports hold what they held when the golden files were made, prose aside.

``tests/data/reports/`` is a record of the data of two runs: of the embedded models and two
training runs with drawn scores (embedded.json), and of the paper's ten reward models
(published.json), of which no word or score of the authors is there, only digests. It is made anew
only where a change of the data is meant:

    pytest tests/pytest_valuebias/test_same_as_before.py --basetemp=made
    made=made/test_embedded_models_give_the_same0/embedded
    python tests/support/same_reports.py $made.json $made.xml > tests/data/reports/embedded.json
    made=made/test_published_models_give_the_same0/published
    python tests/support/same_reports.py $made.json $made.xml --published \\
        > tests/data/reports/published.json
"""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from support import reports, same_reports
from support.scores import write_scores

Run = Callable[..., pytest.RunResult]

GOLDEN = Path(__file__).parents[1] / "data" / "reports"
FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
ALLOWED_NEW: frozenset[str] = frozenset()
"""Fields, and properties of JUnit, that reports may have and the golden files have not."""

OWN = """
Q = ("big_two", "agency", "communion")


def test_values(bias, reference_model):
    for valence in ("positive", "negative", "positive-negative"):
        bias(*Q, valence=valence).assert_within(-0.85, 0.85)


def test_controlled(bias):
    bias(*Q, valence="positive").controlling(length=len).assert_within(-0.85, 0.85)


def test_regression(bias, reference_model):
    bias(*Q, valence="positive").assert_no_regression(against=reference_model, by=0.9)


def test_above(bias):
    bias(*Q, valence="positive").assert_above(-0.9)


def test_below(bias):
    bias(*Q, valence="negative").assert_below(0.9)


def test_runs(training_runs):
    one, two = training_runs
    one.drift(*Q, valence="positive").assert_within(-0.9, 0.9)
    one.gap(two, *Q, valence="positive").assert_below(0.9)
    one.gap(two, *Q, valence="negative").assert_not_closed(0.01)
"""

DECLARED = """
lexicon: big_two
contrast: agency~communion
tests:
  - {name: balanced, valence: positive, within: [-0.3, 0.3]}
  - {name: no drift, valence: positive, against: reference, within: [-0.2, 0.2]}
"""

MORAL = """
categories:
  care.virtue:
    [kindness, compassion, mercy, comfort, help, shelter, healing, empathy, charity, relief,
     rescue, safety, sympathy, tenderness, warmth, care, pity, nurse, cure, gentleness]
  care.vice: [cruelty, harm, violence, pain, abuse, torment, neglect, injury]
  fairness.virtue: [fairness, justice, equality, honesty, merit, balance, equity, truth]
  fairness.vice: [fraud, theft, bias, deception, bribery, prejudice, injustice, robbery]
  loyalty.virtue: [loyalty, unity, family, solidarity, team, nation, comrade, allegiance]
  loyalty.vice: [betrayal, treason, traitor, desertion, enemy, disloyalty, spy, exile]
  authority.virtue: [respect, duty, law, obedience, order, tradition, rule, honor]
  authority.vice: [rebellion, chaos, mutiny, anarchy, insolence, riot, disrespect, outlaw]
  sanctity.virtue: [purity, holiness, chastity, faith, prayer, temple, soul, innocence]
  sanctity.vice: [sin, filth, lust, disease, decay, corruption, obscenity, disgust]
"""
"""Few words, because language models take long. No vice is asked about: to the embedded reward
models all are alike on negative prompts, and rounding orders them."""

ASKED = (
    "test_own or our or test_big_two "
    "or mfd2 and (care.virtue or fairness.virtue or words and positive)"
)

MARGINS = "margins:\n" + "".join(
    f"- {{lexicon: mfd2, contrast: {contrast}, valence: {valence}, role: {role}, "
    f"interval: [-{bound}, {bound}]}}\n"
    for contrast, role, bound in (
        ("care.virtue", "range", 0.45),
        ("care.virtue", "shift", 0.4),
        ("care.virtue", "logprob", 0.1),
        ("care.virtue", "implicit", 0.1),
        ("words", "inheritance", 0.25),
    )
    for valence in ("positive", "negative")
)


def changed(report: Path, *, published: bool = False) -> str:
    """How the report and the JUnit file beside it differ from the golden file of its name."""
    found = same_reports.of_run(report, report.with_suffix(".xml"), published=published)
    return "\n".join(
        same_reports.differences(
            same_reports.read(GOLDEN / report.name),
            found,
            same_reports.recorded if published else same_reports.computed,
            allowed_new=ALLOWED_NEW,
        )
    )


@pytest.mark.usefixtures("demo_store")
def test_embedded_models_give_the_same(own_process: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")
    pytester.makepyfile(test_own=OWN)
    for file, text in (
        ("our.valuebias.yaml", DECLARED),
        ("moral.yaml", MORAL),
        ("margins.yaml", MARGINS),
    ):
        (pytester.path / file).write_text(text, encoding="utf-8")
    for name, shifts, noise in (("one", (1.4, 1.0, 0.6), 0), ("two", (0.2, 0.2, 0.1), 10)):
        folder = pytester.mkdir(name)
        for i, shift in enumerate(shifts):
            write_scores(folder / f"checkpoint-{100 * i}.csv", shift=shift, noise=noise + i)
    own_process(
        "--rm=demo:agency", "--base=demo:agency", "--llm=demo:agency",
        "--rm=demo:neutral", "--base=demo:neutral", "--llm=demo:neutral",
        "--reference=ref=demo:neutral", "--valuebias-device=cpu",
        "--valuebias-checkpoints=one", "--valuebias-checkpoints=two",
        "--valuebias-lexicon=mfd2=moral.yaml", "--valuebias-margins=margins.yaml",
        *(f"--valuebias-suite={name}" for name in ("big_two", "mfd2", "logprobs", "mwlr")),
        "--valuebias-suite=inheritance",
        "-k", ASKED,
        "--valuebias-json=embedded.json", "--junitxml=embedded.xml",
    )  # fmt: skip
    assert changed(pytester.path / "embedded.json") == ""


@pytest.mark.skipif(not FOLDER, reason="VALUEBIAS_PUBLISHED_DATA is not set")
def test_published_models_give_the_same(in_process: Run, pytester: pytest.Pytester) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "report.py"
    tables = runpy.run_path(str(script), run_name="script")["published"]
    models = tables(Path(FOLDER or ""), pytester.path)
    pytester.makeini("[pytest]")
    in_process(*models, "--valuebias-json=published.json", "--junitxml=published.xml")
    assert changed(pytester.path / "published.json", published=True) == ""


# That they can fail

Change = Callable[[dict[str, Any]], Any]


def small() -> dict[str, Any]:
    verdicts = [reports.verdict(title=title) for title in ("org/a", "org/b")]
    verdicts.append(reports.verdict("ERROR", title="org/c"))
    words = {
        "lexicon": "big_two",
        "rows": [{"word": w, "family": w, "categories": ["agency"]} for w in ("power", "skill")],
        "columns": [
            {"subject": "org/a", "kind": "", "positive": [1.0, 5.0], "negative": [2.0, None]}
        ],
    }
    ranks = {
        "subject": "org/a", "kind": "", "lexicon": "big_two", "n_words": 2,
        "categories": ["agency", "communion"], "prompts": ["x", "y"],
        "medians": [[1.0, 9.0], [2.0, 7.0]],
    }  # fmt: skip
    return reports.report(*verdicts, words=[words], ranks=[ranks])


def differences(change: Change, *, published: bool = False) -> list[str]:
    before, after = small(), small()
    change(after)
    return same_reports.differences(
        same_reports.records(before, published=published),
        same_reports.records(after, published=published),
        same_reports.recorded if published else same_reports.computed,
        allowed_new={"cause"},
    )


V = "verdicts[valuebias/test_big_two.py::test_range[x]"


DIFFERENCES: dict[str, tuple[Change, str]] = {
    "estimate": (
        lambda r: r["verdicts"][0].update(estimate=0.127),
        f"{V}].estimate: 0.123456789012345 before, 0.127 now",
    ),
    "margin": (
        lambda r: r["verdicts"][1].update(margin_low=-0.27601),
        f"{V}|2].margin_low: -0.276 before, -0.27601 now",
    ),
    "count": (
        lambda r: r["verdicts"][1].update(n_words=323),
        f"{V}|2].n_words: 322 before, 323 now",
    ),
    "kind of value": (
        lambda r: r["verdicts"][0].update(gated=1),
        f"{V}].gated: True before, 1 now",
    ),
    "no value": (
        lambda r: r["verdicts"][0].update(p=None),
        f"{V}].p: 0.01 before, None now",
    ),
    "word": (
        lambda r: r["verdicts"][0].update(verdict="FAIL"),
        f"{V}].verdict: 'PASS' before, 'FAIL' now",
    ),
    "shorter list": (
        lambda r: r["verdicts"][0].update(sides=["agency"]),
        f"{V}].sides[1]: missing, was 'communion'",
    ),
    "lost field": (
        lambda r: r["verdicts"][0].pop("mde"),
        f"{V}].mde: missing, was 0.1",
    ),
    "new field": (
        lambda r: r["verdicts"][0].update(other=1),
        f"{V}].other: new, 1",
    ),
    "lost verdict": (
        lambda r: r["verdicts"].pop(),
        f"{V}|3]: missing",
    ),
    "new list": (
        lambda r: r.update(others=[{"x": 1}]),
        "report.others[0].x: new, 1",
    ),
    "order": (
        lambda r: r["subjects"].reverse(),
        "another order: subjects[org/c] in the place of subjects[org/a]",
    ),
    "fingerprint": (
        lambda r: r["subjects"][0].update(fingerprint="cd" * 32),
        "subjects[org/a].fingerprint: 'abababababababab' before, 'cdcdcdcdcdcdcdcd' now",
    ),
    "words": (
        lambda r: r["words"][0]["rows"][1].update(family="power"),
        "words[big_two].rows.digest: '",
    ),
    "mean ranks": (
        lambda r: r["words"][0]["columns"][0].update(positive=[2.0, 6.0]),
        "words[big_two|org/a|].positive.mean: 3.0 before, 4.0 now",
    ),
    "order of ranks": (
        lambda r: r["words"][0]["columns"][0]["positive"].reverse(),
        "words[big_two|org/a|].positive.by_place: 3.6",
    ),
    "medians": (
        lambda r: r["ranks"][0]["medians"][0].reverse(),
        "ranks[org/a||big_two].medians[agency].mean: 1.5 before, 5.5 now",
    ),
    "outcome": (
        lambda r: r.update(outcome="PASS"),
        "report.outcome: 'ERROR' before, 'PASS' now",
    ),
}


@pytest.mark.parametrize(("change", "seen"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_is_seen(change: Change, seen: str) -> None:
    found = differences(change)
    assert [line for line in found if line.startswith(seen)], found


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["verdicts"][0].update(reason="otherwise", notes="a note", cause="x"),
        lambda r: r["verdicts"][0].update(cause={"kind": "x", "words": [1]}),
        lambda r: r["verdicts"][0].update(estimate=0.1235),
        lambda r: r.update(created="now", command="pytest", versions={}, settings=[{"name": "x"}]),
        lambda r: r["subjects"][0].update(headline="otherwise"),
    ],
    ids=["prose", "a new field", "rounding", "the run", "headline"],
)
def test_prose_the_run_and_rounding_make_no_difference(change: Change) -> None:
    assert differences(change) == []


def test_recorded_scores_have_to_give_the_same_digits() -> None:
    assert differences(lambda r: r["verdicts"][0].update(estimate=0.12346), published=True)
    assert differences(lambda r: r["verdicts"][0].update(raised_by="power"), published=True)
    assert differences(lambda r: r["ranks"][0]["medians"][0].reverse(), published=True)


def test_the_outcome_and_properties_of_a_test_are_compared() -> None:
    text = """<testsuite><testcase classname="a" name="b"><properties>
        <property name="valuebias.p" value="1"/></properties>{}</testcase></testsuite>"""
    before = same_reports.junit_records(ElementTree.fromstring(text.format("")))
    after = same_reports.junit_records(
        ElementTree.fromstring(text.replace("valuebias.p", "valuebias.q").format("<failure/>"))
    )
    assert same_reports.differences(before, after, same_reports.computed) == [
        "junit[a::b].outcome: 'passed' before, 'failure' now",
        "junit[a::b].valuebias.p: missing, was True",
        "junit[a::b].valuebias.q: new, True",
    ]


@pytest.mark.parametrize("published", [False, True])
def test_a_golden_file_is_read_as_it_was_written(tmp_path: Path, published: bool) -> None:
    found = same_reports.records(small(), published=published)
    path = tmp_path / "golden.json"
    path.write_text(same_reports.written(found, published=published), encoding="utf-8")
    close = same_reports.recorded if published else same_reports.computed
    assert same_reports.differences(same_reports.read(path), found, close) == []


def test_no_word_or_score_of_others_is_in_a_golden_file() -> None:
    text = same_reports.written(same_reports.records(small(), published=True), published=True)
    assert "org/a" in text
    assert "power" not in text
    assert "9.0" not in text
