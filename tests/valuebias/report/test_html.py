"""The page of a report: what it says, every number read back, and nothing in it but text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from copy import deepcopy
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from support.harmless import check_page, read
from support.reports import first_tokens, forecast, report, verdict
from support.schema import problems
from valuebias.format import bracketed, margin, signed
from valuebias.report import html

VOID = ("meta", "link", "input", "br", "hr")
HOSTILE = (
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]>", "$x$", "--><b>",
    '" onload="alert(1)', "{{ 7*7 }}", "{% raw %}", "&lt;b&gt;", "אבג عربي", "w" * 200, "模型 🦙",
    "\\u202etfel", "' autofocus x='", "<!--", "https://example.org/x.png",
)  # fmt: skip


class Node:
    def __init__(self, tag, attrs=()):
        self.tag, self.attrs, self.parts = tag, dict(attrs), []

    def __getitem__(self, name):
        return self.attrs[name]

    @property
    def all(self):
        for part in self.parts:
            if isinstance(part, Node):
                yield part
                yield from part.all

    @property
    def text(self):
        return "".join(part.text if isinstance(part, Node) else part for part in self.parts)

    def find(self, tag=None, **attrs):
        wanted = {k.rstrip("_").replace("_", "-"): v for k, v in attrs.items()}
        return [
            node
            for node in self.all
            if tag in (None, node.tag)
            and all(v in (*(node.attrs.get(k) or "").split(), node.attrs.get(k))
                    for k, v in wanted.items())
        ]  # fmt: skip

    def one(self, tag=None, **attrs):
        (found,) = self.find(tag, **attrs)
        return found


class Tree(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.root = Node("")
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert len(self.open) == 1, [node.tag for node in self.open]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        node = Node(tag, attrs)
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].parts.append(Node(tag, attrs))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].parts.append(data)


def tree(document):
    return Tree(html.page(document)).root


def steps():
    return [
        {"step": 0, "pairs": None, "estimate": 0.1 / 3, "low": -0.2, "high": 0.3, "tau": 0.7 / 3},
        {"step": 1200, "pairs": 4800, "estimate": 0.2 / 3, "low": 0.01, "high": 0.4, "tau": None},
    ]


def whole(text="plain"):
    """A document with something in every part of it; ``text`` wherever strings of others go."""
    named = {"reason": text, "notes": text, "detail": text, "raised_by": text, "lowered_by": text}
    verdicts = [
        verdict(word, title=title, valence=valence, estimate=(i + 1) / 7, p=10.0 ** -(i + 1),
                nodeid=f"valuebias/test_big_two.py::test_range[{i}-{text}]", model=title, **named)
        for i, (word, title, valence) in enumerate(
            (word, title, valence)
            for title in ("org/a", f"org/{text}")
            for word, valence in (("PASS", "positive"), ("FAIL", "negative"))
        )
    ]  # fmt: skip
    verdicts += [
        verdict("INCONCLUSIVE", title="run", role="drift", kind="training run", margin_low=None,
                trajectory=steps(), nodeid="drift", **named),
        verdict("NO MARGIN", title="run", valence="negative", nodeid="none", **named),
        verdict("ERROR", title="broken", nodeid="error", reason=text),
        verdict("PASS", title="org/a", lexicon_name="own", contrast=f"{text}~b", nodeid="own",
                shipped=False, suite="own"),
        verdict("PASS", title="P optimised against org/a", role="forecast", nodeid="forecast",
                estimate=-0.3, reference=text, forecast=forecast(name=text), **named),
    ]  # fmt: skip
    tokens = {
        "prompt": text, "kind": "tokens of its vocabulary", "n": 3061, "left_out": None,
        "best": [[f" {text}", 2 / 3], ["", 0.5]], "worst": [[text, -1 / 3]],
        "round_trip": "62%", "mass": "", "warning": text,
    }  # fmt: skip
    words = [
        {
            "lexicon": "big_two",
            "rows": [
                {"word": text, "family": text, "categories": ["agency"]},
                {"word": "aunt", "family": "aunt", "categories": ["agency", "communion"]},
            ],
            "columns": [
                {"subject": text, "kind": "reward model", "positive": [1.5, None],
                 "negative": [2.0, None]},
                {"subject": "org/a", "kind": "reference", "positive": [7.1, 4.0],
                 "negative": [2.0, 3.0]},
            ],
        }
    ]  # fmt: skip
    matrix = {
        "contrast": text, "unit": "difference of MWLR", "labels": ["a", text],
        "values": [[0.0, 1 / 3], [None, 0.0]], "left_out": [text],
    }  # fmt: skip
    document = report(
        *verdicts, words=words, matrices=[matrix], first_tokens=[first_tokens(text)],
        paper=f"two\n  lines {text}", notes=[text],
        command=f"pytest --rm={text}", headline=f"What {text} says.",
        settings=[{"name": "rm", "value": text, "source": "--rm"}],
    )  # fmt: skip
    for subject in document["subjects"]:
        subject |= {"base": text, "tokens": tokens, "template": "chat_template"}
    document["lexicons"].append(
        {"name": "own", "title": text, "sha256": "34" * 32, "starter": False, "licence": text,
         "words": 12, "categories": {text: 7, "b": 5}, "notes": [text]}
    )  # fmt: skip
    return document


@pytest.fixture(scope="module")
def document():
    return whole()


@pytest.fixture(scope="module")
def page(document):
    return tree(document)


def test_the_document_of_these_tests_is_as_the_schema_says(document):
    assert problems(document) == []


# What it says first


def test_first_tokens_are_shown_and_gate_nothing():
    left = first_tokens(valence="negative", left_out="it would take 2 h", steps=[], categories=[],
                        gain=[], lose=[], scored=[], attainable=[])  # fmt: skip
    page = tree(report(verdict(), first_tokens=[first_tokens(), left]))
    section = page.one("section", id="first-tokens")
    assert "NOT GATED" in section.text
    cards = section.find("div", class_="card")
    assert [card["data-valence"] for card in cards] == ["positive", "negative"]
    assert "3,611 of 3,845 tokens have a reward, and 99.9% of the probability" in cards[0].text
    head, agency, *_ = cards[0].one("table", class_="first-tokens").find("tr")
    assert [cell.text for cell in head.find("th")][2:6] == ["0", ".25", ".5", "1"]
    assert [cell.text for cell in agency.find("td")][:3] == ["12", "1%", "2%"]
    gain, _ = cards[0].find("td", class_="token")
    assert gain["data-token"] == " love"
    assert gain.text == "␣love"
    figures = cards[0].one("table", class_="moved").find("td", class_="n")
    assert [cell.text for cell in figures] == ["<.0001%", "20%"] * 2
    assert "left out: it would take 2 h" in cards[1].text
    assert cards[1].find("table") == []
    assert page.one("nav").find("a", href="#first-tokens")


def test_a_forecast_is_said_in_a_sentence():
    more = {"role": "forecast", "reference": "P"}
    few = forecast(0.5, 0.4, exploratory="it rests on too little")
    given = [
        verdict("PASS", title="P optimised against a", estimate=0.05, forecast=forecast(), **more),
        verdict("FAIL", title="P optimised against a", estimate=-0.3, valence="negative",
                forecast=forecast(), **more),
        verdict("INCONCLUSIVE", title="P optimised against b", estimate=-0.1, forecast=few, **more),
    ]  # fmt: skip
    page, said = first(report(*given))
    assert said.count("Asked for ") >= 2
    assert (
        "Asked for the worst: among the 322 words of the lexicon (.03% of what P says), the share "
        "of agency goes from .60 to .30 when P is optimised by 1 nat against love."
    ) in said
    assert "It settles nothing: it rests on too little." in said
    rows = page.find("li", class_="forecast")
    assert [row.one("a")["href"] for row in rows] == ["#verdict-2", "#verdict-3"]


def first(document):
    page = tree(document)
    return page, " ".join(page.one("section", id="summary").text.split())


@pytest.mark.parametrize(
    ("word", "given", "status", "complete"),
    [
        ("PASS", ("PASS", "NO MARGIN"), 0, True),
        ("FAIL", ("PASS", "FAIL", "INCONCLUSIVE"), 1, True),
        ("INCONCLUSIVE", ("PASS", "INCONCLUSIVE"), 1, True),
        ("ERROR", ("PASS", "FAIL", "ERROR"), 1, True),
        ("INCOMPLETE", ("PASS",), 2, False),
        ("NOT GATED", ("NO MARGIN",), 1, True),
    ],
)
def test_each_outcome_is_unmistakable(word, given, status, complete):
    verdicts = [verdict(w, nodeid=w, contrast=f"{w}~other") for w in given]
    document = report(*verdicts, outcome=word, exit_status=status, complete=complete)
    page, said = first(document)
    assert page.one("body")["data-outcome"] == word
    assert page.one("h1").text.split(maxsplit=1)[1].strip() == word
    assert page.one("head").one("title").text.startswith(f"{word}: ")
    assert document["headline"] in said
    passes = word == "PASS"
    tone = {"PASS": "pass", "FAIL": "fail", "ERROR": "fail"}.get(word, "unsure")
    assert page.one(id="summary")["class"].split() == ["summary", tone]
    assert ("not a pass" in page.one(id="meaning").text) == (word not in ("PASS", "FAIL"))
    assert ("was shown to lie inside its margin" in said) == passes
    assert bool(page.find(id="open-verdicts")) == bool({"FAIL", "INCONCLUSIVE", "ERROR"} & {*given})


def test_a_pass_says_what_was_not_gated():
    found = [verdict(), verdict("NO MARGIN", valence="negative"),
             verdict("FAIL", gated=False, valence="positive-negative")]  # fmt: skip
    page, _ = first(report(*found, outcome="PASS", exit_status=0))
    told = page.one(id="ungated").text
    assert "1 held against no margin" in told
    assert "1 did not pass and was let through" in told
    assert "has not passed" in told


def test_a_failure_that_was_let_through_is_no_pass_and_is_listed():
    document = report(verdict(), verdict("FAIL", gated=False, valence="negative"))
    page = tree(document)
    row = page.find("tr", class_="verdict")[1]
    assert [chip.text.split(maxsplit=1)[1] for chip in row.find(class_="chip")] == ["NOT GATED"]
    assert "FAIL, let through" in row.text
    assert row["data-verdict"] == "FAIL"
    assert row["data-gated"] == "false"
    (entry,) = page.one(id="open-verdicts").find("li")
    assert entry["data-verdict"] == "FAIL"
    assert "NOT GATED" in entry.text


def test_a_run_that_was_cut_short_says_so_whatever_its_word():
    page, _ = first(report(verdict("FAIL"), complete=False))
    assert "INCOMPLETE" in page.one(id="unfinished").text
    assert "INCOMPLETE" not in tree(report(verdict("FAIL"))).one(id="summary").text


def test_another_test_that_failed_is_not_called_an_effect_outside():
    _, said = first(report(verdict(), outcome="FAIL", exit_status=1))
    assert "another test of the run failed" in said
    assert "was shown to lie outside" not in said


def test_models_are_counted(document, page):
    rows = {row["data-title"]: row for row in page.find("tr", class_="subject")}
    assert [*rows] == [s["title"] for s in document["subjects"]]
    for title, row in rows.items():
        wanted = Counter(r["verdict"] for r in document["verdicts"] if r["title"] == title)
        cells = {cell["data-word"]: cell for cell in row.find("td") if "data-word" in cell.attrs}
        assert {word: int(cell["data-count"]) for word, cell in cells.items()} == {
            word: wanted[word] for word in ("PASS", "FAIL", "INCONCLUSIVE", "ERROR", "NO MARGIN")
        }
        assert all(cell.text == cell["data-count"] for cell in cells.values())
    for s in document["subjects"]:
        assert rows[s["title"]].one(class_="chip").text.endswith(s["outcome"])
    assert "not loaded" in rows["broken"].text
    assert "base plain" in " ".join(rows["org/a"].text.split())


# Every number, read back

NUMBERS = (
    "estimate", "ci_level", "ci_low", "ci_high", "gate_low", "gate_high", "margin_low",
    "margin_high", "alpha", "p", "mde", "coverage", "n_words", "n_families", "n_prompts",
    "n_shared", "n_claims", "estimate_by_spelling",
)  # fmt: skip


def same(node, record):
    for name in NUMBERS:
        held = node.attrs.get(f"data-{name.replace('_', '-')}")
        assert (None if held is None else float(held)) == record.get(name), name
    for name in ("nodeid", "role", "title", "contrast", "valence", "verdict"):
        assert node[f"data-{name}"] == record[name]


def test_every_verdict_is_there_once_with_its_numbers_in_full(document, page):
    rows = page.find("tr", class_="verdict")
    assert len(rows) == len(document["verdicts"])
    by_id = {row["id"]: row for row in rows}
    for number, r in enumerate(document["verdicts"], 1):
        row = by_id[f"verdict-{number}"]
        same(row, r)
        cells = [cell.text.strip() for cell in row.find("td")]
        if "estimate" in r:
            shown = [signed(r["estimate"]), bracketed(r["ci_low"], r["ci_high"])]
            assert cells[1:3] == shown
        else:
            assert cells[1:3] == ["none", "none"]
        assert cells[3] == (margin(r.get("margin_low"), r.get("margin_high")) or "none")
        assert cells[-1].endswith(r["verdict"])


def test_what_did_not_pass_is_listed_with_its_numbers(document, page):
    entries = page.find("li", class_="open-verdict")
    wanted = [r for word in ("ERROR", "FAIL", "INCONCLUSIVE")
              for r in document["verdicts"] if r["verdict"] == word]  # fmt: skip
    assert len(entries) == len(wanted) == 4
    for entry, r in zip(entries, wanted, strict=True):
        same(entry, r)


def test_details_tell_what_a_verdict_rests_on(document, page):
    row = next(r for r in page.find("tr", class_="more") if "n:1e" not in r.text)
    facts = {" ".join(d.parts[0].text.split()): d.parts[1].text for d in row.one("dl").find("div")}
    assert facts["margin"] == "[-.276, +.276], set by convention: agreed"
    assert facts["held against it"] == "90% interval [+.110, +.190]"
    assert facts["if there were no effect"] == "p = .1000"
    assert facts["smallest effect found in 80% of cases"] == ".100"
    assert "322 words in 322 families, 27 prompts; coverage 100%" in facts["rests on"]
    assert {"raised by", "lowered by", "of which", "note", "test"} <= {*facts}


def test_the_overview_leads_from_each_effect_to_its_verdict(document, page):
    tables = page.one("section", data_lexicon="big_two").find("table", class_="overview")
    assert [table["data-kind"] for table in tables] == ["range", "drift", "forecast"]
    records = {f"#verdict-{n}": r for n, r in enumerate(document["verdicts"], 1)}
    links = [(table["data-kind"], link) for table in tables for link in table.find("a")]
    assert len({link["href"] for _, link in links}) == len(links) == 8
    for kind, link in links:
        r = records[link["href"]]
        assert link["data-nodeid"] == r["nodeid"]
        assert r["role"] == kind
        assert link.attrs.get("data-estimate") == (str(r["estimate"]) if "estimate" in r else None)
        assert r["verdict"] in link.text
    assert page.one("section", data_lexicon="own").find("table", class_="overview") == []


def test_no_verdict_hides_behind_another_in_the_overview():
    """Four kinds of effect and two verdicts in one test, all of one contrast and valence."""
    shift = {"title": "org/model minus old", "model": "org/model", "reference": "old"}
    found = [
        verdict("PASS", nodeid="range"),
        verdict("FAIL", nodeid="controlled", role="controlled"),
        verdict("PASS", nodeid="shift", role="shift", **shift),
        verdict("FAIL", nodeid="regression", role="regression", **shift),
        verdict("PASS", nodeid="twice", estimate=0.3),
        verdict("INCONCLUSIVE", nodeid="twice", estimate=0.3),
        verdict("ERROR", nodeid="error"),
    ]
    page = tree(report(*found))
    tables = {t["data-kind"]: t for t in page.find("table", class_="overview")}
    assert [*tables] == ["range", "controlled", "shift", "regression"]
    words = {
        kind: [[link.text.split()[-1] for link in cell.find("a")] for cell in t.find("td")[1:]]
        for kind, t in tables.items()
    }
    assert words == {
        "range": [["ERROR", "INCONCLUSIVE", "PASS", "PASS"]],
        "controlled": [["FAIL"]],
        "shift": [["PASS"]],
        "regression": [["FAIL"]],
    }
    links = [link["href"] for t in tables.values() for link in t.find("a")]
    assert sorted(links) == [f"#verdict-{n}" for n in range(1, 8)]
    assert "further from zero than old" in tables["regression"].one("caption").text
    assert "agency preferred more than by old" in tables["shift"].one("caption").text
    # The tables of verdicts say which kind a line is of.
    row = page.one("tr", class_="verdict", data_role="regression")
    assert "regression" in row.one("th").text


def test_what_cannot_be_named_worst_is_never_hidden_last():
    """A verdict of a word that the page does not know comes before a PASS."""
    page = tree(report(verdict(), verdict("STRANGE", gated=True), verdict(title="other")))
    (cell, _) = page.one("table", class_="overview").find("td")[1:]
    assert [link.text.split()[-1] for link in cell.find("a")] == ["STRANGE", "PASS"]


def test_numbers_that_there_are_not_are_no_zeros():
    row = tree(report(verdict(p=None, mde=None))).one("tr", class_="more")
    facts = {" ".join(d.parts[0].text.split()): d.parts[1].text for d in row.one("dl").find("div")}
    assert facts["if there were no effect"] == "none"
    assert facts["smallest effect found in 80% of cases"] == "none"


def test_numbers_of_ten_and_more_keep_their_digits():
    r = verdict(mde=10.812, p=1.0, role="drift", trajectory=[{**steps()[0], "tau": -0.25}])
    page = tree(report(r))
    facts = page.one("tr", class_="more").one("dl").text
    assert "10.812" in facts
    assert "p = 1.0000" in facts
    assert page.one("tr", class_="step").find("td")[-1].text == "-.250"


def test_what_above_zero_means_is_said_of_each_kind():
    found = [verdict(), verdict("FAIL", role="regression", reference="old"),
             verdict(role="gap", reference="b", trajectory=steps())]  # fmt: skip
    page = tree(report(*found))
    lead = " ".join(page.one("p", class_="above").text.split())
    assert lead == (
        "An effect above zero in range: agency preferred; in regression: further from zero than "
        "old, or across it; in gap: the runs are further apart at the end than at the beginning."
    )
    facts = [more.one("dl").text for more in page.find("tr", class_="more")]
    assert "agency preferred" in facts[0]
    assert "agency preferred" not in facts[1] + facts[2]
    caption = page.one("table", class_="trajectory").one("caption").text
    assert "Above zero: agency preferred more than by b" in caption


def test_steps_have_their_numbers(page):
    table = page.one("table", class_="trajectory")
    assert table["data-nodeid"] == "drift"
    for row, step in zip(table.find("tr", class_="step"), steps(), strict=True):
        for name, value in step.items():
            held = row.attrs.get(f"data-{name}")
            assert (None if held is None else float(held)) == value
    first, last = ([cell.text for cell in row.find("td")] for row in table.find(class_="step"))
    assert first == ["", "+.033", "[-.200, +.300]", ".233"]
    assert last == ["4,800", "+.067", "[+.010, +.400]", ""]


def test_matrices_have_their_numbers(page):
    rows = page.one("table", class_="matrix").one("tbody").find("tr")
    cells = [[cell.attrs.get("data-value") for cell in row.find("td")] for row in rows]
    assert cells == [["0.0", str(1 / 3)], [None, "0.0"]]
    assert [row.find("td")[1 - i].text for i, row in enumerate(rows)] == ["+.333", "none"]
    assert "None: plain" in page.one(id="matrices").text


def test_tokens_are_data_with_their_scores(document, page):
    tables = page.find("table", class_="tokens")
    assert len(tables) == len({(s["model"], s["kind"]) for s in document["subjects"]})
    found = [(c["data-token"], float(c["data-score"]), c.text)
             for c in tables[0].find("td", class_="token")]  # fmt: skip
    assert found == [
        (" plain", 2 / 3, "␣plain"), ("plain", -1 / 3, "plain"), ("", 0.5, '""'),
    ]  # fmt: skip


def test_tokens_left_out_say_why():
    document = report(verdict())
    document["subjects"][0]["tokens"] = dict.fromkeys(("prompt", "kind"), "") | {
        "n": 0, "best": [], "worst": [], "left_out": "it would take 90 minutes",
        "round_trip": "", "mass": "", "warning": "",
    }  # fmt: skip
    page = tree(document)
    assert "Left out: it would take 90 minutes" in page.one(id="tokens").text
    assert page.find("table", class_="tokens") == []


def test_the_words_are_all_there_for_the_browser(document, page):
    (found,) = page.find("script", class_="words-data")
    assert json.loads(found.text) == document["words"][0]
    models, categories = page.find("select")
    assert [o.text for o in models.find("option")] == [
        "all: means and spread", "plain (reward model)", "org/a (reference)",
    ]  # fmt: skip
    assert [o.text for o in categories.find("option")] == ["all categories", "agency", "communion"]


def test_provenance_names_everything(document, page):
    said = page.one(id="provenance").text
    for lexicon in document["lexicons"]:
        assert lexicon["sha256"] in said
        assert lexicon["licence"] in said
    assert said.count("starter, not validated") == 1
    for text in ("ab" * 32, "chat_template", "python 3.13.0", "2026-01-02T03:04:05+00:00"):
        assert text in said
    assert page.one("pre", class_="command").text == document["command"]
    (setting,) = page.one("table", class_="settings").one("tbody").find("tr")
    assert [cell.text for cell in setting.parts] == ["rm", "plain", "--rm"]


# How it is made


def test_nothing_is_let_in_and_only_what_we_wrote_may_run(page):
    policy = page.one("meta", http_equiv="Content-Security-Policy")["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    (style,) = page.find("style")
    (script,) = (node for node in page.find("script") if "type" not in node.attrs)
    for name, node in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(node.text.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    for node in page.all:
        assert not {"style", "src", "srcset", "action"} & {*node.attrs}, node.tag
        assert not [name for name in node.attrs if name.startswith("on")]
        for name in ("href", "xlink:href"):
            assert node.attrs.get(name, "#").startswith(("#", "data:image/svg+xml,"))
    assert not re.search(r"@import|url\(\s*['\"]?https?:|fetch\(|XMLHttpRequest", style.text + script.text)  # noqa: E501 # fmt: skip
    assert "innerHTML" not in script.text
    assert "localStorage" not in script.text


def test_it_can_be_read_without_eyes(page):
    ids = [node["id"] for node in page.all if "id" in node.attrs]
    assert len(ids) == len({*ids})
    for node in page.all:
        if node.tag == "a":
            assert node["href"][1:] in ids
        for name in ("aria-labelledby", "aria-describedby"):
            assert {*node.attrs.get(name, "").split()} <= {*ids}
        if node.tag == "th":
            assert node["scope"] in ("col", "row")
        if node.tag == "table":
            assert node.find("caption")
        if node.attrs.get("role") == "region":
            assert node["tabindex"] == "0"
    regions = [n["aria-label"] for n in page.all if n.attrs.get("role") == "region"]
    assert len(regions) == len({*regions})
    levels = [int(node.tag[1]) for node in page.all if re.fullmatch(r"h[1-6]", node.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert [len(page.find(tag)) for tag in ("main", "nav", "header")] == [1, 1, 1]
    assert page.one("html")["lang"] == "en"
    for figure in page.find("figure"):
        assert figure.one("svg")["role"] == "img"
        assert figure.one("figcaption").text
        assert figure.one("details", class_="told").one("p").text
    assert page.find("figure")


def test_what_there_is_not_is_not_headed():
    page = tree(report(verdict()))
    for absent in (
        "open-verdicts",
        "ungated",
        "unfinished",
        "matrices",
        "tokens",
        "paper",
        "notes",
    ):
        assert page.find(id=absent) == [], absent
    assert page.find(class_="words") == []
    assert page.find(class_="trajectory") == []
    linked = {a["href"] for a in page.one(id="contents").find("a")}
    assert linked >= {"#summary", "#lexicon-1", "#provenance"}


def test_a_lexicon_that_could_not_be_read_still_has_its_verdicts():
    page = tree(report(verdict("ERROR", reason="no such file"), lexicons=[]))
    section = page.one("section", data_lexicon="big_two")
    assert "it was not read" in section.text
    assert "no such file" in section.one("tr", class_="more").text


def test_many_models_stay_closed_and_few_are_open():
    def opened(n):
        page = tree(report(*(verdict(title=f"m{i}", nodeid=str(i)) for i in range(n))))
        return ["open" in group.attrs for group in page.find("details", class_="group")]

    assert opened(2) == [True] * 2
    assert opened(10) == [False] * 10


def test_the_same_document_makes_the_same_page(document):
    kept = deepcopy(document)
    assert html.page(document) == html.page(json.loads(json.dumps(document)))
    assert document == kept


# Strings are data


@pytest.mark.parametrize("text", [" ".join(HOSTILE[i::4]) for i in range(4)])
def test_a_hostile_string_is_text_wherever_it_comes_from(text, page):
    document = whole(text)
    made = html.page(document)
    check_page(made)
    found = Tree(made).root
    kinds = Counter(node.tag for node in found.all)
    plain = Counter(node.tag for node in page.all)
    drawn = ("circle", "desc", "g", "path", "rect", "text", "title", "tspan", "use", "defs",
             "clippath", "svg", "wbr")  # fmt: skip
    assert {t: n for t, n in kinds.items() if t not in drawn} == {
        t: n for t, n in plain.items() if t not in drawn
    }
    given, usual = (
        {a for n in t.all if n.tag not in drawn for a in n.attrs} for t in (found, page)
    )
    assert given == usual
    assert text in found.one(id="headline").text
    assert found.one("table", class_="settings").find("td")[0].text == text
    token = found.find("td", class_="token")[0]
    assert token["data-token"] == f" {text}"
    assert json.loads(found.one(class_="words-data").text)["rows"][0]["word"] == text
    assert found.one(id="notes").one("li").text == text
    assert f"lines {text}" in found.one(id="paper").one("pre").text


def test_what_acts_or_vanishes_is_shown_even_if_the_document_was_not_made_visible():
    made = html.page(whole("a\u202eb\x00c\u200bd\ud800e\x1b[31m\u2028f"))
    made.encode()
    check_page(made)
    assert "a\\u202eb\\x00c\\u200bd\\ud800e\\x1b[31m\\u2028f" in read(made).texts


def test_data_for_the_browser_cannot_end_its_element():
    document = whole("</script><!-- &amp; \u2028\u2029")
    made = html.page(document)
    (block,) = re.findall(r'class="words-data">(.*?)</script>', made, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(block)
    words = json.dumps(document["words"][0], ensure_ascii=False)
    assert json.loads(block) == json.loads(words.replace("\u2028\u2029", r"\\u2028\\u2029"))
