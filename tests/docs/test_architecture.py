"""docs/architecture.md is held to the code: its paths, its tables, and its newcomer's tasks, which
are done in a copy of the packages just as the page says."""

from __future__ import annotations

import configparser
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from support.documents import CHECKOUT, blocks
from support.schema import problems
from valuebias.declarations.claims import load_claims
from valuebias.errors import LexiconError
from valuebias.lexicons.files import load_lexicon, starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure
from valuebias.models.settings import Settings
from valuebias.questions import Role
from valuebias.scorers.bench import Bench
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.schemes import SCHEMES, Scheme, parse_spec
from valuebias.scores import Scores
from valuebias.stats.verdict import Margin, judge
from valuebias.store.database import Store

PAGE = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOTS = ("harness", "pytest_valuebias", "suites", "fixtures")
NOISE = "harness/valuebias/scorers/noise.py"

_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"\.?[\w-]+(?:[./][\w.-]+)*/?")
_SUFFIXES = (".py", ".json", ".yaml", ".md", ".toml")
_NEW = re.compile(r"(?m)^A new file, `([^`]+)`")
_CHANGE = re.compile(r"(?m)^    \+\+\+ (\S+)\n((?:    .*\n)+)")


# Paths and names


def new_files() -> dict[str, str]:
    """The files that the tasks add, each with the block below its name; of one that is shown as a
    change, nothing yet."""
    python = [block for block in blocks(PAGE) if block.language == "python"]
    line = {match[1]: PAGE[: match.start()].count("\n") + 1 for match in _NEW.finditer(PAGE)}
    shown = {match[1] for match in _CHANGE.finditer(PAGE)}
    return {
        path: "" if path in shown else next(b.text for b in python if b.line > at)
        for path, at in line.items()
    }


def paths(text: str) -> set[str]:
    """What is written as a path of the checkout."""
    told = {code for code in _CODE.findall(text) if _PATH.fullmatch(code)}
    top = {path.name for path in CHECKOUT.iterdir()}
    return {
        code
        for code in told
        if ("/" in code and code.split("/")[0] in top)
        or (code.endswith(_SUFFIXES) and code not in _SUFFIXES)
        or code in top
    } | {match[1] for match in _CHANGE.finditer(text)}


def test_every_path_of_the_page_exists() -> None:
    added = set(new_files())
    found = paths(PAGE)
    assert len(found) > 50
    assert [path for path in sorted(found - added) if not (CHECKOUT / path).exists()] == []
    assert [path for path in sorted(added) if (CHECKOUT / path).exists()] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("in `harness/valuebias/nothing.py` and", {"harness/valuebias/nothing.py"}),
        ("`docs/none`, `org/name`, `a~b`, `.importlinter`", {"docs/none", ".importlinter"}),
        ("    +++ suites/none.py\n    +x\n", {"suites/none.py"}),
    ],
)
def test_paths_are_found(text: str, found: set[str]) -> None:
    assert paths(text) == found


def test_every_dotted_name_of_the_page_exists() -> None:
    names = {code for code in _CODE.findall(PAGE) if re.fullmatch(r"valuebias(\.\w+)+", code)}
    names -= {"valuebias.heads"}  # a group of entry points
    assert names
    for name in names:
        assert pkgutil.resolve_name(name) is not None


# Tables


def section(title: str) -> str:
    """The page below a heading, down to the next."""
    level, rest = re.search(rf"(?m)^(#+) {re.escape(title)}\n", PAGE), PAGE
    assert level is not None, title
    rest = PAGE[level.end() :]
    end = re.search(r"(?m)^#", rest)
    return rest[: end.start()] if end else rest


def rows(title: str) -> list[list[str]]:
    """The cells of the section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [re.split(r" *\| *", line.strip("|").strip()) for line in lines[2:]]


def layers(contract: str) -> list[list[str]]:
    """The rows of a contract of .importlinter, from the top."""
    parser = configparser.ConfigParser()
    parser.read(CHECKOUT / ".importlinter", encoding="utf-8")
    lines = parser[f"importlinter:contract:{contract}"]["layers"].split("\n")
    return [[name.strip() for name in line.split("|")] for line in lines if line.strip()]


@pytest.mark.parametrize(
    ("title", "contract", "package"),
    [
        ("The engine", "engine", "harness/valuebias"),
        ("The plugin", "plugin", "pytest_valuebias"),
    ],
)
def test_the_rooms_stand_in_the_order_of_the_layers(
    title: str, contract: str, package: str
) -> None:
    told = [_CODE.findall(cells[0]) for cells in rows(title)]
    assert [sorted(row) for row in told] == [sorted(row) for row in layers(contract)]
    modules = {
        path.stem
        for path in (CHECKOUT / package).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {name for row in told for name in row} == modules - {"__init__"}


def test_the_packages_stand_on_each_other_as_the_page_says() -> None:
    assert [row[0] for row in layers("houses")] == [
        "valuebias_fixtures",
        "pytest_valuebias",
        "valuebias",
    ]
    assert {_CODE.findall(cells[1])[0] for cells in rows("The folders") if cells[1]} == {
        *(row[0] for row in layers("houses")),
        "valuebias_suites",
    }


def test_every_scheme_has_its_row_and_its_module() -> None:
    told = {_CODE.findall(cells[1])[0]: _CODE.findall(cells[2])[0] for cells in rows("Model specs")}
    modules = {name: f"harness/{row.module.replace('.', '/')}.py" for name, row in SCHEMES.items()}
    assert told == modules
    for name, row in SCHEMES.items():
        assert callable(row.open_scorer), name
        assert not row.written or callable(row.parse), name


def test_the_protocol_has_these_members() -> None:
    told = [_CODE.findall(cells[0])[0].partition("(")[0] for cells in rows("The scorer protocol")]
    assert told == [name for name in vars(Scorer) if not name.startswith("_")]


# What would go unnoticed if it were forgotten


@pytest.mark.parametrize("role", get_args(Role))
def test_every_role_can_be_claimed(role: str, tmp_path: Path) -> None:
    contrast = "words" if role == "inheritance" else "agency~communion"
    path = tmp_path / "claims.yaml"
    path.write_text(
        "claims:\n- {suite: test_a.py, test: test_a, lexicon: big_two, valence: positive, "
        f"contrast: {contrast}, role: {role}}}\n"
    )
    assert [key.role for key in load_claims(path).weights] == [role]


def test_the_how_to_knows_every_format_of_lexicons(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match=r"Give one of") as refused:
        load_lexicon("none", tmp_path / "none.docx")
    formats = set(re.findall(r"\.\w+", refused.value.remedy))
    how_to = (CHECKOUT / "docs" / "how-to" / "write-a-lexicon.md").read_text(encoding="utf-8")
    assert formats <= set(_CODE.findall(how_to))


# A scorer kind, added here


@pytest.fixture
def noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's scorer: its file, and its row."""
    folder = tmp_path / "added"
    folder.mkdir()
    (folder / "noise_of_the_page.py").write_text(new_files()[NOISE], encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(SCHEMES, "noise", Scheme("noise_of_the_page", language=False))


@pytest.mark.usefixtures("noise")
def test_a_scorer_kind_is_a_file_and_a_row(tmp_path: Path) -> None:
    import valuebias as vb

    lexicon = starter("big_two")
    with Bench(Store(tmp_path / "scores.sqlite"), Settings()) as bench:
        scorer, other = (bench.scorer(parse_spec(spec)) for spec in ("noise:7", "null=noise:8"))
        scores = scorer.score(vb.PAPER_PROMPTS, scorer.candidates(lexicon))
        assert isinstance(scores, Scores)
        assert scores.values.shape == (54, len(lexicon.words()))
        found = measure(scorer, lexicon, "agency~communion", "positive")
        assert (found.model, found.role) == ("noise:7", "range")
        assert judge(found.effect, Margin(-0.276, 0.276)).outcome == "PASS"
        shift = measure(scorer, lexicon, "agency~communion", "positive", against=other)
        assert (shift.reference, shift.role) == ("null", "shift")
        assert bench.store.loads() == []
    assert vb.load("noise:7").fingerprint == scorer.fingerprint != other.fingerprint


Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """pytest in this process, in an empty project."""
    # An in-process run forgets what it imports, and extension modules cannot come twice.
    for module in ("matplotlib.backends.backend_svg", "rich.table", "pyarrow.parquet"):
        import_module(module)
    for name in [name for name in os.environ if name.startswith(("VALUEBIAS_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(pytester.path / "store"))
    off = [f"no:{name}" for name in ("hypothesispytest", "anyio", "cacheprovider", "xdist")]
    switched = [word for name in off for word in ("-p", name)]

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest("-W", "error", *switched, *args)

    return run


@pytest.mark.usefixtures("noise")
def test_it_runs_the_suites_and_makes_every_report(run: Run, pytester: pytest.Pytester) -> None:
    from pytest_valuebias.report.files import KINDS

    files = {kind: pytester.path / f"report.{kind}" for kind in KINDS}
    reports = [f"--valuebias-{kind}={path}" for kind, path in files.items()]
    result = run("--rm=noise:7", "--reference=noise:8", "--valuebias-suite=big_two", *reports)
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # noise does not read the questions
    result.assert_outcomes(errors=6)
    begun = {path.read_text(encoding="utf-8").strip()[:1000] for path in files.values()}
    assert len(begun) == len(KINDS), "two kinds of report are one"
    assert problems(json.loads(files["json"].read_text(encoding="utf-8"))) == []


@pytest.mark.usefixtures("noise")
@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        ("--rm=noise:x", pytest.ExitCode.USAGE_ERROR, "must be an integer >= 0"),
        ("--rm=nois:7", pytest.ExitCode.USAGE_ERROR, "baseline: or noise:."),
        ("--llm=noise:7", pytest.ExitCode.USAGE_ERROR, "not a language model"),
    ],
)
def test_what_it_cannot_do_is_said(run: Run, spec: str, status: pytest.ExitCode, said: str) -> None:
    result = run(spec, "-k", "big_two")
    assert result.ret == status
    assert said in result.stdout.str() + result.stderr.str()


# All tasks, in a copy


def changes() -> Iterator[tuple[str, list[list[str]]]]:
    """The changes that the page shows: a path, and lines that begin with a space, + or -."""
    for match in _CHANGE.finditer(PAGE):
        lines = [line[4:] for line in match[2].splitlines()]
        hunks: list[list[str]] = [[]]
        for line in lines:
            if line == "@@":
                hunks.append([])
            else:
                hunks[-1].append(line)
        yield match[1], hunks


def changed(text: str, hunk: list[str]) -> str:
    """A text with one change made; one that only adds is made at its end."""
    old = "".join(f"{line[1:]}\n" for line in hunk if line[:1] in (" ", "-"))
    new = "".join(f"{line[1:]}\n" for line in hunk if line[:1] in (" ", "+"))
    if not old:
        return text + new
    places = f"\n{text}".count(f"\n{old}")
    assert places == 1, f"{places} places in the code look like\n{old}"
    before, _, after = f"\n{text}".partition(f"\n{old}")
    return f"{before}\n{new}{after}"[1:]


@pytest.mark.parametrize(
    ("hunk", "made"),
    [
        ([" b", "+c"], "a\nb\nc\n"),
        (["-a", "+c"], "c\nb\n"),
        (["+c"], "a\nb\nc\n"),
        ([" c", "+d"], None),
        ([" ", "+d"], None),
    ],
)
def test_a_change_is_made_where_the_page_says(hunk: list[str], made: str | None) -> None:
    if made is None:
        with pytest.raises(AssertionError, match="0 places"):
            changed("a\nb\n", hunk)
    else:
        assert changed("a\nb\n", hunk) == made


TEST_IN_THE_COPY = """\
from pathlib import Path

import valuebias


def test_the_copy_is_what_runs():
    assert Path(valuebias.__file__).is_relative_to({copy!r})


def test_the_question(consensus):
    effect = consensus("big_two", "agency", "communion", valence="positive")
    assert effect.measurement.question.asked == "consensus"
    effect.assert_within(-0.3, 0.3)
"""


def test_the_tasks_work_in_a_copy(tmp_path: Path) -> None:
    copy, folder = tmp_path / "copy", tmp_path / "project"
    folder.mkdir()
    for root in ROOTS:
        ours = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / root, copy / root, ignore=ours)
    for path, text in new_files().items():
        (copy / path).write_text(text, encoding="utf-8")
    for path, hunks in changes():
        text = (copy / path).read_text(encoding="utf-8")
        for hunk in hunks:
            text = changed(text, hunk)
        (copy / path).write_text(text, encoding="utf-8")

    categories = json.dumps(starter("big_two").categories)
    (folder / "words.json").write_text(categories, encoding="utf-8")
    test = TEST_IN_THE_COPY.format(copy=str(copy))
    (folder / "test_consensus.py").write_text(test, encoding="utf-8")
    sources = os.pathsep.join(
        str(copy / root) for root in (".", *(r for r in ROOTS if r != "pytest_valuebias"))
    )
    foreign = ("VALUEBIAS_", "GITHUB_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment = {**kept, "PYTHONPATH": sources, "VALUEBIAS_CACHE_DIR": str(tmp_path / "store")}
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("--rm=noise:7", "--reference=noise:8", "--reference=noise:9"),
        *("--valuebias-suite=big_two", "--valuebias-lexicon=big_two=words.json"),
        "--valuebias-instrument=report",
        *("--valuebias-text=verdicts.txt", "--valuebias-json=report.json", "test_consensus.py"),
    ]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stdout + ended.stderr  # noise gates nothing

    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    schema = json.loads((copy / "harness/valuebias/report/schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema)
    assert {r["role"] for r in report["verdicts"]} >= {"range", "shift", "consensus"}
    (found,) = (r for r in report["verdicts"] if r["role"] == "consensus")
    assert (found["verdict"], found["gated"], found["instrument"]) == ("PASS", False, "failed")
    words = Lexicon("words", starter("big_two").categories)
    assert report["lexicons"][0]["sha256"] == words.digest
    lines = (folder / "verdicts.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(report["verdicts"])
    asked = "NOT GATED: noise:7 minus the mean of 2 models, agency~communion (consensus), positive"
    assert any(line.startswith(asked) for line in lines), lines
