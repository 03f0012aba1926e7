"""Suite files: what they say, and mistakes that are named by file and line."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebias.declarations.margins import Profile
from valuebias.declarations.tests import DeclaredTest, read_suite
from valuebias.errors import LexiconError, SuiteError
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon

ONE = "name: one, lexicon: big_two, contrast: agency~communion, valence: positive"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "our.valuebias.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def entries(tmp_path: Path, *lines: str) -> Path:
    return write(tmp_path, "tests:\n" + "".join(f"  - {{{line}}}\n" for line in lines))


def read(path: Path) -> tuple[DeclaredTest, ...]:
    return read_suite(path, starter)


def test_a_file_says_what_is_tested(tmp_path):
    path = write(
        tmp_path,
        """\
        # ours
        lexicon: big_two
        valence: negative
        tests:
          - name: balanced for the best
            contrast: Agency ~ communion
            valence: positive
            within: [-0.2, 2e-1]
          - name: no drift
            contrast: agency~communion
            against: reference
            within: {ci: [-0.15, 0.15], paper: [-0.1, 0.1]}
          - {name: 'care, most of all', lexicon: mfd2, contrast: care.virtue, above: {quick: .1}}
          - {name: both, contrast: agency~communion, valence: positive-negative, below: 1.5}
          - {name: no worse, contrast: agency~communion, against: base, no_regression: 0.1}
        """,
    )
    first, drift, care, both, worse = read(path)
    everywhere: dict[Profile, tuple[float, ...]]
    everywhere = {"quick": (-0.2, 0.2), "ci": (-0.2, 0.2), "paper": (-0.2, 0.2)}
    assert first == DeclaredTest(
        "balanced for the best", 5, "big_two", "agency~communion", "positive", "within", everywhere
    )
    assert first.sides == ("agency", "communion")
    assert (drift.line, drift.valence, drift.against) == (9, "negative", "reference")
    assert drift.bounds == {"ci": (-0.15, 0.15), "paper": (-0.1, 0.1)}
    assert (care.lexicon, care.sides) == ("mfd2", ("care.virtue", None))
    assert (care.demand, care.bounds) == ("above", {"quick": (0.1,)})
    assert (both.valence, both.demand, both.bounds["ci"]) == ("positive-negative", "below", (1.5,))
    assert (worse.demand, worse.against, worse.bounds["paper"]) == ("no_regression", "base", (0.1,))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (f"{ONE}", "line 3: a test must have exactly one of within, above, .* Seen: none"),
        (f"{ONE}, above: 0, below: 0.1", "line 3: a test must have exactly one of .* above, below"),
        (f"{ONE}, with_in: [0, 0.1]", "line 3: a test has an unknown key. Seen: with_in"),
        (f"{ONE}, within: [0.2, -0.2]", "line 3: a margin must be two finite numbers, the lower"),
        (f"{ONE}, within: [-1, 1]", "line 3: a margin wider than 1.9 gates nothing"),
        (f"{ONE}, within: [0.1]", "line 3: an interval must be two numbers"),
        (f"{ONE}, within: 0.1", "line 3: `within` is not a list"),
        (f"{ONE}, within: [-0.1, x]", "line 3: a bound is not a finite number. Seen: x"),
        (f"{ONE}, within: [0.5, 1.1]", "line 3: `within` must lie inside .* between -1 and 1"),
        (f"{ONE}, within: {{}}", "line 3: `within` is empty"),
        (f"{ONE}, within: {{ci: [0.2, 0.1]}}", "line 3: a margin must be two finite numbers"),
        (f"{ONE}, within: {{fast: [0, 0.1]}}", "line 3: `within` has an unknown key. Seen: fast"),
        (f"{ONE}, above: [0, 1]", "line 3: `above` is not a text"),
        (f"{ONE}, above: .nan", "line 3: `above` is not a finite number"),
        (f"{ONE}, above: {{ci: inf}}", "line 3: `above` is not a finite number"),
        (f"{ONE}, above: -1", "line 3: `above` must lie inside"),
        (f"{ONE}, below: 1", "line 3: `below` must lie inside"),
        (f"{ONE}, below: 2, against: reference", "line 3: `below` must lie .* between -2 and 2"),
        (f"{ONE}, no_regression: 0.1", "line 3: `no_regression` needs a model to compare with"),
        (
            f"{ONE}, no_regression: 0, against: base",
            "line 3: `no_regression` must lie inside .* 0 and 1",
        ),
        (f"{ONE}, no_regression: -0.1, against: base", "line 3: `no_regression` must lie inside"),
        (f"{ONE}, above: 0, against: demo:agency", "line 3: unknown against. Seen: demo:agency"),
        (f"{ONE}, above: 0".replace("positive", "both"), "line 3: unknown valence. Seen: both"),
        (f"{ONE}, above: 0".replace("one", "'a::b'"), "line 3: invalid test name"),
        (f"{ONE}, above: 0".replace("one", "'a[b]'"), "line 3: invalid test name"),
        (f"{ONE}, above: 0".replace("one", "' a'"), "line 3: invalid test name"),
        (f"{ONE}, above: 0".replace("one", "''"), "line 3: invalid test name"),
        (f"{ONE}, above: 0".replace("one", "a" * 101), "line 3: invalid test name"),
        (f"{ONE}, above: 0".replace("one", r'"\x1b[1m"'), r"line 3: .* Seen: \\x1b\[1m"),
        (f"{ONE}, above: 0".replace("one", r'"a\nb"'), "line 3: invalid test name"),
        (f"{ONE}, above: 0".replace("one", "[a]"), "line 3: `name` is not a text"),
        (f"{ONE}, above: 0".partition(", ")[2], "line 3: a test has no `name`"),
        (f"{ONE}, above: 0".replace("big_two", "big2"), "line 3: unknown starter .* Seen: big2"),
        (f"{ONE}, above: 0".replace("~com", "~kom"), "line 3: .* no such category. Seen: kommun"),
        (f"{ONE}, above: 0".replace("communion", "agency"), "line 3: .* no category to compare"),
        (f"{ONE}, above: 0".replace("agency", "$"), "line 3: invalid category name"),
        (f"{ONE}, above: 0, above: 0.1", "line 3: a test has a duplicate key. Seen: above"),
        (f"{ONE}, <<: {{above: 0}}", "line 3: a test has an unknown key. Seen: <<"),
        ("one", "line 3: a test has no `name`|line 3: a test has an unknown key"),
        (
            f"{ONE.replace('one', 'zero')}, below: 0.1",
            "line 3: two tests have the same name.*line 2",
        ),
    ],
)
def test_mistakes_name_their_line(tmp_path, entry, message):
    path = entries(tmp_path, f"{ONE.replace('one', 'zero')}, above: 0", entry)
    with pytest.raises(SuiteError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)
    assert str(error.value).isprintable()


def test_a_mistake_on_a_line_of_its_own_is_named_by_it(tmp_path):
    path = write(
        tmp_path,
        """\
        lexicon: big_two
        tests:
          - name: one
            contrast: agency~friends
            valence: positive
            within:
              ci: [-0.1, 0.1]
              paper: [0.1, -0.1]
        """,
    )
    with pytest.raises(SuiteError, match=r"line 4: .* no such category"):
        read(path)
    path.write_text(path.read_text().replace("friends", "communion"))
    with pytest.raises(SuiteError, match="line 8: a margin must be two finite numbers"):
        read(path)
    path.write_text(path.read_text().replace("      paper", "\tpaper"))
    with pytest.raises(SuiteError, match="line 8 is not YAML"):
        read(path)
    path.write_text(path.read_text().replace("lexicon: big_two", "lexicon: big_too"))
    path.write_text(path.read_text().replace("\tpaper: [0.1, -0.1]", ""))
    with pytest.raises(SuiteError, match="line 1: unknown starter"):
        read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"# nothing yet\n", "is empty"),
        (b"tests: []\n", "line 1: `tests` is empty"),
        (b"lexicon: big_two\n", "no `tests` list"),
        (b"tests:\n", "line 1: `tests` is not a list"),
        (b"tests: {a: b}\n", "line 1: `tests` is not a list"),
        (b"- name: one\n", "line 1: the file is not a mapping"),
        (b"test: []\n", "line 1: the file has an unknown key. Seen: test"),
        (b"tests: [one]\n", "line 1: a test is not a mapping"),
        (b"tests: &a [*a]\n", "line 1: a test is not a mapping"),
        (b"tests: []\ntests: []\n", "line 2: the file has a duplicate key"),
        (b"tests: []\n---\ntests: []\n", "line 2 is not YAML"),
        (b"tests: \xff\n", "cannot read"),
        (b"valence: both\ntests:\n- {name: a, above: 0}\n", "line 1: unknown valence"),
        (
            b"against: base\ntests:\n- {name: a, above: 0}\n",
            "line 1: .* unknown key. Seen: against",
        ),
    ],
)
def test_files_that_are_no_suite(tmp_path, content, message):
    path = tmp_path / "our.valuebias.yaml"
    path.write_bytes(content)
    with pytest.raises(SuiteError, match=message):
        read(path)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(SuiteError, match="cannot read the file of tests"):
        read(tmp_path)


def test_a_lexicon_that_is_not_known_yet_is_not_held_against_the_file(tmp_path):
    path = entries(
        tmp_path, f"{ONE}, above: 0".replace("big_two", "ours").replace("agency", "Pets")
    )
    (test,) = read_suite(path, lambda name: None)
    assert (test.lexicon, test.contrast) == ("ours", "pets~communion")
    with pytest.raises(SuiteError, match=r"line 2: .* cannot be read\. Seen: mine\.csv, line 7"):
        read_suite(path, unreadable)


def unreadable(name: str) -> Lexicon:
    raise LexiconError("the lexicon cannot be read", seen="mine.csv, line 7", remedy="Mend it.")


bound = st.floats(-1, 1).filter(lambda x: abs(x) > 1e-6 or x == 0)


@settings(deadline=None)
@given(low=bound, high=bound)
def test_an_interval_is_read_as_written_or_refused(tmp_path_factory, low, high):
    path = entries(tmp_path_factory.mktemp("any"), f"{ONE}, within: [{low!r}, {high!r}]")
    if low < high and high - low <= 1.9:
        assert read(path)[0].bounds["ci"] == (low, high)
    else:
        with pytest.raises(SuiteError, match="line 2: a margin"):
            read(path)


@settings(deadline=None)
@given(text=st.text(max_size=12))
def test_any_text_is_a_test_or_an_error_with_a_line(tmp_path_factory, text):
    """Whatever stands where a number should, nothing else is raised and no bound is invented."""
    path = tmp_path_factory.mktemp("any") / "our.valuebias.yaml"
    path.write_text(f"tests:\n  - {{{ONE}, above: {text}}}\n", "utf-8", "surrogatepass")
    try:
        (test,) = read(path)
    except SuiteError:
        return
    (value,) = test.bounds.get("ci", (0.0,))
    assert math.isfinite(value)
    assert -1 < value < 1
