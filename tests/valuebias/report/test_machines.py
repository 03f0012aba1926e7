"""What is written for machines and web sites: within their limits, and every string as data."""

from __future__ import annotations

import copy
import html
import re
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from valuebias.errors import visible
from valuebias.report import github
from valuebias.report import markdown as md
from valuebias.report.document import Document, Record

SOUGHT = re.compile(r"[@#:$]\w|www\.\w|gh-\d", re.IGNORECASE)
"""What GitHub looks for in a text of the HTML: mentions, references, emoji, formulas, links."""


def rendered(text: str) -> str:
    """HTML of Markdown with tables, and with inline HTML as it stands."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def record(**more: Any) -> Record:
    entry = {
        "title": "org/model", "role": "range", "contrast": "agency~communion",
        "valence": "positive",
        "verdict": "FAIL", "reason": "because", "gated": True, "shipped": True,
        "estimate": 0.859, "ci_low": 0.787, "ci_high": 0.908, "gate_low": 0.8, "gate_high": 0.9,
        "margin_low": -0.276, "margin_high": 0.276, "lexicon": "big_two sha256:0123", "n_words": 9,
        "n_families": 8, "n_prompts": 27, "covered": "coverage 100%", "method": "crossed-delong",
        "unit": "rank-biserial correlation",
    }  # fmt: skip
    return cast(Record, {**entry, **more})


def document(verdicts: list[Record]) -> Document:
    tokens = {
        "prompt": "What?", "kind": "tokens", "n": 2, "best": [[" good", 1.0]],
        "worst": [["", -1.0]], "left_out": None, "round_trip": "", "mass": "", "warning": "",
    }  # fmt: skip
    titles = dict.fromkeys(r["title"] for r in verdicts)
    content = {
        "outcome": "FAIL", "headline": "org/model: 1 of 2 verdicts.", "command": "pytest --rm=x",
        "tool": "1.0", "profile": "ci", "versions": {"python": "3.13"}, "verdicts": verdicts,
        "lexicons": [{"name": "big_two", "words": 9, "starter": True, "sha256": "0" * 64}],
        "subjects": [{"title": t, "reference": None, "tokens": tokens} for t in titles],
    }  # fmt: skip
    return cast(Document, content)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_string_is_text_and_nothing_else(value: str) -> None:
    escaped = md.text(value)  # before a mark: cells are stripped
    cell = rendered(f"| a |\n| --- |\n| {escaped}‡ |\n")
    found = re.fullmatch(r"(?s).*<tbody>\s*<tr>\s*<td>(.*)‡</td>\s*</tr>\s*</tbody>.*", cell)
    assert found is not None, cell
    bare = found[1].replace("<!-- -->", "")
    assert "<" not in bare
    assert html.unescape(bare) == visible(value).lstrip()
    for text in found[1].split("<!-- -->"):
        assert not SOUGHT.search(html.unescape(text))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_line_of_a_list_is_one_paragraph(value: str) -> None:
    found = rendered(md.bullets([value + "‡"]))
    item = re.fullmatch(r"<ul>\n<li>(.*)‡</li>\n</ul>\n", found)
    assert item is not None, found
    assert html.unescape(item[1].replace("<!-- -->", "")) == visible(value)


def test_what_github_would_make_links_and_formulas_of() -> None:
    for value in ("@user", "#123", "org/repo#1", "https://x.y", "www.x.y", "GH-12", ":+1:", "$x$"):
        for text in html.unescape(md.text(value)).split("<!-- -->"):
            assert not SOUGHT.search(text), value


def test_failing_models_and_verdicts_come_first() -> None:
    verdicts = [record(title="good", verdict="PASS"), record(title="bad", verdict="PASS")]
    verdicts += [record(title="bad", valence="negative", verdict="FAIL")]
    text = github.markdown(document(verdicts), github.LIMIT)
    assert text.index("### bad") < text.index("### good")
    assert text.index("**FAIL**") < text.index("| PASS |")
    assert "1 FAIL, 2 PASS" in text
    assert "a starter list that is not validated" in text
    assert "Left out" not in text
    assert rendered(text).count("<table>") == 2


def test_a_verdict_that_was_not_gated_is_no_pass() -> None:
    text = github.markdown(document([record(verdict="FAIL", gated=False)]), github.LIMIT)
    assert "**NOT GATED**" in text
    assert "PASS |" not in text


@pytest.mark.parametrize("limit", [250, 1500, 4_000, 20_000, 60_000])
def test_what_matters_least_is_left_out_and_counted(limit: int) -> None:
    verdicts = [
        record(title=f"model{i}", contrast=f"{'Ü' * 20}{i}", verdict=verdict)
        for i in range(30)
        for verdict in ("PASS", "FAIL", "INCONCLUSIVE")
    ]
    whole = github.markdown(document(verdicts), github.LIMIT)
    assert len(whole.encode()) > 15_000
    text = github.markdown(document(verdicts), limit)
    assert len(text.encode()) <= limit
    assert text.startswith(whole[:100])
    shown = {word: text.count(f"| **{word}** |") for word in ("FAIL", "INCONCLUSIVE")}
    shown["PASS"] = text.count("| PASS |")
    if shown["INCONCLUSIVE"]:
        assert shown["FAIL"] == 30
    if shown["PASS"]:
        assert shown["INCONCLUSIVE"] == 30
    if len(whole.encode()) <= limit:
        assert text == whole
    elif limit >= 1500:
        for word, n in shown.items():
            assert (f"{30 - n} {word} verdicts" in text) == (n < 30)


def test_the_file_is_added_to_and_never_overfilled(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    found = document([record()])
    assert github.append(found, path) == ""
    once = path.read_bytes()
    assert github.append(found, path) == ""
    assert path.read_bytes() == once + b"\n\n" + once
    for written in (github.LIMIT - 1000, github.LIMIT - 100, github.LIMIT, github.LIMIT + 1):
        path.write_bytes(b"x" * written)
        told = github.append(copy.deepcopy(found), path)
        assert path.stat().st_size <= max(github.LIMIT, written)
        assert bool(told) == (path.stat().st_size == written)
        if told:
            assert f"{written:,} of the 1,048,576 bytes" in told
