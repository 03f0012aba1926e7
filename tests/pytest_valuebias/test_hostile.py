"""Whatever a vocabulary, a label or a lexicon holds is text in every report, and nothing else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from support import pytest_html
from support.harmless import check_markdown, check_page, strings, tags, unseen
from support.schema import problems
from support.scores import write_scores
from valuebias.cli.main import main
from valuebias.errors import visible
from valuebias.prompts import PAPER_PROMPTS

Run = Callable[..., pytest.RunResult]

LONG = "long" * 1250
TOKENS = (
    "<script>alert(1)</script>",
    "]]>",
    "\x1b[31mred\x1b[0m",
    "\u202etfel",
    "\x00nul",
    "{{7*7}} {% raw %}",
    "$x$ \\(y\\) $$z$$",
    "@user #123 GH-1 org/repo#1 :+1:",
    "![x](http://evil.test/x.png)",
    "two\r\nlines",
    LONG,
    "' onmouseover='alert(1)",
    '"><img src=x onerror=alert(1)>',
    "</svg></style></title></script><b>",
    "| `code` | **bold** _it_ ~~no~~",
    "<!-- valuebias:end --> --- -->",
    "[bold]markup[/bold]",
    "&lt;b&gt;&amp;",
    "\x07bell \u2028 \u200b\ufeff",
    "javascript:alert(1) www.evil.test http://evil.test",
)
"""Ten are best and ten are worst, so that every table of tokens holds them all."""

SURROGATE = b"lone \xed\xa0\x80 surrogate"
WORDS = ("<b>bold</b>", "{{7-7}}", "$x$", "@user", "a|b", "`tick`", "#123", "![x](http://x.y)")


def write_csv(path: Path) -> Path:
    """Scores with these tokens, and with bytes that are no UTF-8."""
    extra = {token: 99.0 - i if i < 10 else -99.0 + i for i, token in enumerate(TOKENS)}
    write_scores(path, shift=1.5, extra=dict.fromkeys(WORDS, 0.5) | extra)
    with path.open("ab") as file:
        file.write(SURROGATE + b",0.1" * len(PAPER_PROMPTS) + b"\n")
    return path


def write_parquet(path: Path) -> Path:
    """The same as Parquet, which does not check that its strings are UTF-8."""
    table = write_csv(path.with_suffix(".csv"))
    text = table.read_bytes().decode("utf-8", "surrogateescape")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    responses = pa.array([r[0].encode("utf-8", "surrogateescape") for r in rows], pa.binary())
    columns = [[float(r[i]) for r in rows] for i in range(1, len(header))]
    names = dict(zip(header, [responses.view(pa.string()), *columns], strict=True))
    pq.write_table(pa.table(names), path)
    table.unlink()
    return path


WRITERS = {"csv": write_csv, "parquet": write_parquet}


@pytest.mark.parametrize("kind", WRITERS)
def test_tokens_are_text_everywhere(
    run: Run, pytester: pytest.Pytester, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = WRITERS[kind](pytester.path / f"scores.{kind}")
    out = everything(run, pytester.path, monkeypatch, f"--rm=scores:{scores}")
    report = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))
    (subject,) = report["subjects"]
    shown = [t for side in ("best", "worst") for t, _ in subject["tokens"][side]]
    assert sorted(shown) == sorted(map(visible, TOKENS))
    text = "".join(out.split())
    for token in TOKENS:
        assert "".join(visible(token).replace(" ", "␣").split()) in text


@pytest.mark.parametrize(
    "label",
    [
        "<script>alert(1)<b>{{7*7}}$x$#123`|!(x)=",
        "LONG=",
        'x "><img src=x onerror=alert(1)> @user $x$ {{7*7}} ![x](y) |`.csv',
        "x \x1b[31m \u202etfel ]]> \r\n\t &lt; <!-- -->.csv",
        "x \udcff\udcfe.csv",
    ],
)
@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_labels_are_text_everywhere(
    run: Run, pytester: pytest.Pytester, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = label.replace("LONG", "x" * 5000) if label.endswith("=") else ""
    scores = write_scores(pytester.path / (label if not name else "m.csv"), shift=1.5)
    everything(run, pytester.path, monkeypatch, f"--rm={name}scores:{scores}")
    report = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))
    assert report["subjects"][0]["model"] == visible(name[:-1] or label)


def test_lexicons_are_text_everywhere(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = write_csv(pytester.path / "scores.csv")
    words = [row.split(",")[0] for row in scores.read_text(errors="replace").splitlines()[1:61]]
    lexicon = {
        "title": "<script>alert(1)</script> {{7*7}} $x$ @user",
        "licence": "![x](http://evil.test) | `x` </style>",
        "categories": {"agency": [*words[::2], *WORDS[::2]],
                       "communion": [*words[1::2], *WORDS[1::2]]},
    }  # fmt: skip
    path = pytester.path / "own <i>@x {{7*7}}.yaml"
    path.write_text(json.dumps(lexicon), encoding="utf-8")
    margins = pytester.path / "margins.yaml"
    entry = {
        "lexicon": "big_two", "contrast": "agency~communion", "valence": "positive",
        "role": "range", "interval": [-0.9, 0.9], "source": "<b>@me</b> `x` | $y$ {{7*7}}",
    }  # fmt: skip
    margins.write_text(json.dumps({"margins": [entry]}), encoding="utf-8")
    everything(
        run, pytester.path, monkeypatch, f"--rm=scores:{scores}",
        f"--valuebias-lexicon=big_two={path}", f"--valuebias-margins={margins}",
    )  # fmt: skip
    report = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))
    assert report["lexicons"][0]["title"] == lexicon["title"]
    assert set(WORDS) <= {row["word"] for row in report["words"][0]["rows"]}


def everything(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> str:
    """Make every report there is, look whether it is harmless; the terminal's text."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    result = run(
        *args, "--valuebias-suite=big_two", f"--junitxml={folder / 'j.xml'}",
        f"--valuebias-json={folder / 'r.json'}", f"--valuebias-html={folder / 'r.html'}",
        f"--html={folder / 'p.html'}", "--self-contained-html",
    )  # fmt: skip
    out = result.stdout.str()
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), out
    assert unseen(out) == set()
    assert "no html report" not in out

    ElementTree.parse(folder / "j.xml")
    report = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert problems(report) == []
    assert all(unseen(text) == set() for text in strings(report))

    page = (folder / "r.html").read_text(encoding="utf-8")
    check_page(page)
    assert "default-src 'none'" in page  # a browser would run nothing else either
    check_markdown(rendered((folder / "summary.md").read_text(encoding="utf-8")))

    card = folder / "card.md"
    assert main(["card", str(folder / "r.json"), "--out", str(card)]) == 0
    text = card.read_text(encoding="utf-8")
    assert text.count("<!-- valuebias:end -->") == 1
    found: Any = ModelCard(text)
    assert found.data.model_name == report["subjects"][0]["model"]
    check_markdown(rendered(found.text))

    allowed = {"td", "br", "div", "p", "svg", "path", "rect", "text"}
    for fragment in pytest_html.fragments(folder / "p.html"):
        check_page(fragment)
        assert tags(fragment) <= allowed | {"a"}
    other = (folder / "p.html").read_text(encoding="utf-8")
    begin, end = 'class="additional-summary prefix"', '<p class="run-count"'
    check_page("<div " + other.partition(begin)[2].partition(end)[0])
    return out


def rendered(text: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
