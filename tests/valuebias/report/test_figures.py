"""The figures of a report: every number where it belongs, and nothing in them but text."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import cast
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.reports import forecast
from valuebias.errors import visible
from valuebias.format import bracketed, signed
from valuebias.prompts import PAPER_PROMPTS
from valuebias.report import figures
from valuebias.report.document import Record
from valuebias.report.figures.labels import distinct, slug

SVG = "{http://www.w3.org/2000/svg}"
MFD2 = [f"{f}.{p}" for f in ("care", "fairness", "loyalty") for p in ("virtue", "vice")]
HOSTILE = (
    "$x^2$ \\frac{", "</svg><script>alert(1)</script>", "אבג عربي", "x" * 200, "模型 🦙 модель",
    'a" onload="x', "]]>", "&amp; <b>", visible("\u202e\ud800\x00"), "t0", "%s {}", "url(#x)",
)  # fmt: skip


def ranks(subject, lexicon="two", categories=("agency", "communion"), *, kind="reward model",
          n_words=300, prompts=PAPER_PROMPTS, seed=0):  # fmt: skip
    rng = np.random.default_rng([seed, len(subject), n_words])
    medians = rng.uniform(1, n_words, (len(prompts), len(categories))).round(2)
    return {
        "subject": subject, "kind": kind, "lexicon": lexicon, "n_words": n_words,
        "categories": list(categories), "prompts": [p.id for p in prompts],
        "medians": medians.tolist(),
    }  # fmt: skip


def record(title="m", contrast="agency~communion", valence="positive", *, estimate=0.1, half=0.2,
           verdict="PASS", gated=True, margin=(-0.5, 0.5), role="range", kind="", lexicon="two",
           sides=("agency", "communion"), trajectory=(), **more):  # fmt: skip
    found = {
        "title": title, "model": title, "reference": None, "kind": kind, "role": role,
        "contrast": contrast, "valence": valence, "lexicon_name": lexicon, "sides": list(sides),
        "estimate": estimate, "ci_low": estimate - half, "ci_high": estimate + half,
        "ci_level": 0.95, "unit": "rank-biserial correlation", "verdict": verdict,
        "gated": gated, "reason": "", "trajectory": list(trajectory),
    }  # fmt: skip
    if margin is not None:
        low, high = estimate - 0.8 * half, estimate + 0.8 * half
        found |= {"gate_low": low, "gate_high": high, "alpha": 0.05}
        found |= {"margin_low": margin[0], "margin_high": margin[1]}
    return found | more


def document(verdicts=(), ranked=(), matrices=(), bases=None):
    bases = bases or {}
    names = dict.fromkeys(
        [(r["title"], r["model"], r["kind"]) for r in verdicts]
        + [(r["subject"], r["subject"], "") for r in ranked if r["kind"] == "reward model"]
    )
    return {
        "subjects": [
            {"title": t, "model": m, "kind": k, "base": bases.get(m)} for t, m, k in names
        ],
        "prompts": [{"id": p.id, "text": p.text, "valence": p.valence} for p in PAPER_PROMPTS],
        "verdicts": list(verdicts), "ranks": list(ranked), "matrices": list(matrices),
    }  # fmt: skip


def matrix(labels=("a", "b"), values=((0.0, 0.25), (-0.25, 0.0)), left_out=()):
    return {
        "contrast": "freedom~love", "unit": "difference of MWLR", "labels": list(labels),
        "values": [list(row) for row in values], "left_out": list(left_out),
    }  # fmt: skip


def foreseen(valence="positive", *, before=0.6, after=0.3, name="P", **more):
    made = forecast(before, after, name=more.pop("word", "love"))
    title = more.pop("title", f"{name} optimised against m")
    more |= {"role": "forecast", "reference": name, "forecast": made}
    return record(title, valence=valence, estimate=after - before, **more)


def steps(*estimates, half=0.1):
    return [
        {"step": 100 * i, "pairs": None, "estimate": e, "low": e - half, "high": e + half,
         "tau": None}
        for i, e in enumerate(estimates)
    ]  # fmt: skip


def everything():
    names = ["one", "two"]
    verdicts = [
        *(record(n, valence=v, estimate=e) for n, e in zip(names, (0.1, -0.3), strict=True)
          for v in ("positive", "negative")),
        *(record("run (training run)", c, v, role="drift", kind="training run", margin=None,
                 gated=False, verdict="NO MARGIN", lexicon="mfd2", sides=(c, "the others"),
                 trajectory=steps(0.2, 0.1, -0.1))
          for c in MFD2 for v in ("positive", "negative")),
    ]  # fmt: skip
    ranked = [ranks(n) for n in names] + [ranks(n, "mfd2", MFD2) for n in names]
    ranked.append(ranks("one", kind="language model"))
    return document(verdicts, ranked, [matrix()])


def drawn(found, *lexicons):
    return [f for name in lexicons for f in figures.of_lexicon(found, name)] + figures.matrices(
        found
    )


def texts(svg):
    """Every text with its place, and what its group and itself say of its anchor."""
    return [(float(t.get("x")), float(t.get("y")), t.text) for t in root(svg).iter(f"{SVG}text")]


def root(svg):
    return ET.fromstring(svg)


def part(element, name):
    return [g for g in element.iter() if g.get("data-part") == name]


def moves(element):
    """The points of all paths, one list for each that begins with a move."""
    found: list[list[tuple[float, float]]] = []
    for path in element.iter(f"{SVG}path"):
        x = y = 0.0
        for command, rest in re.findall(r"([MLHVhz])([^MLHVhz]*)", path.get("d", "")):
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", rest)]
            if command == "M":
                found.append([])
            if command in "ML":
                x, y = numbers
            elif command == "H":
                x = numbers[0]
            elif command == "V":
                y = numbers[0]
            if command != "z":
                found[-1].append((x, y))
    return found


def axis(labels, shown=float):
    """The line through an axis's labels: place -> value."""
    places = [place for place, _ in labels]
    slope, start = np.polyfit(places, [shown(text) for _, text in labels], 1)
    return lambda place: slope * place + start


def test_figures_come_in_the_order_of_a_page_and_only_those_that_there_are(page):
    ids = [f.id for f in page]
    assert ids[:-1] == [
        *(f"fig-two-{part}" for part in ("ranks", "ranks-2", "forest", "prompts")),
        *(f"fig-mfd2-{part}" for part in ("ranks", "forest", "prompts", "drift")),
    ]
    assert ids[-1].startswith("fig-matrix-1-")
    assert figures.of_lexicon(everything(), "another") == []
    assert figures.matrices(document()) == []


def check(found):
    """What holds for every figure of a page, together."""
    ids = Counter(i for f in found for i in re.findall(r'\bid="([^"]*)"', f.svg))
    ids += Counter(f.id for f in found)
    assert [i for i, n in ids.items() if n > 1] == []
    for f in found:
        top = root(f.svg)
        assert f.svg.startswith("<svg ")
        assert top.get("role") == "img"
        assert top.get("viewBox")
        assert f.title
        assert f.description
        assert f.caption
        inside = {e.get("id") for e in top.iter()}
        for e in top.iter():
            assert e.tag.removeprefix(SVG) in {
                "svg", "g", "path", "use", "text", "title", "desc", "defs", "pattern", "rect",
            }  # fmt: skip
            for name, value in e.attrib.items():
                assert not name.startswith("on")
                if name.endswith("href"):
                    assert value[0] == "#"
                    assert value[1:] in inside
                for url in re.findall(r"url\(([^)]*)\)", value) if name != "aria-label" else ():
                    assert url[1:] in inside
        named = top.get("aria-labelledby")
        if named is not None:
            told = {e.get("id"): e.text for e in top.iter() if e.get("id")}
            assert [told[i] for i in named.split()] == [visible(f.title), visible(f.description)]
        assert "f00b0d" not in f.svg  # a stand-in that was not replaced
        assert not re.search(r"#f[0-9a-f]{2}b0d", f.svg)


@pytest.fixture(scope="module")
def page():
    return drawn(everything(), "two", "mfd2")


def test_every_figure_stands_alone(page):
    check(page)


def test_the_same_document_gives_the_same_bytes_whatever_matplotlib_is_set_to(page):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "lines.linewidth": 9}):
        mine = dict(matplotlib.rcParams)
        assert drawn(everything(), "two", "mfd2") == page
        assert dict(matplotlib.rcParams) == mine


def test_the_forest_holds_every_verdict_where_its_numbers_say():
    rng = np.random.default_rng(1)
    words = ("PASS", "FAIL", "INCONCLUSIVE", "NO MARGIN")
    records = [
        record(f"model {m}", c, v, estimate=float(rng.uniform(-0.7, 0.7)),
               half=float(rng.uniform(0.05, 0.3)), verdict=(w := words[int(rng.integers(4))]),
               gated=w != "NO MARGIN", margin=None if w == "NO MARGIN" else (-0.4, 0.3))
        for m in range(10) for c in (f"c{i}.virtue" for i in range(10))
        for v in ("positive", "negative")
    ]  # fmt: skip
    lost = record(verdict="ERROR", gated=False, margin=None, estimate=0.0) | {"estimate": None}
    pages = figures.of_lexicon(document([*records, lost]), "two")
    assert len(pages) == 2
    assert "1 (ERROR)" in pages[-1].caption
    found = []
    for page in pages:
        top, placed = root(page.svg), texts(page.svg)
        assert float(top.get("viewBox").split()[2]) < 1200
        scales = []
        ticks = [t for t in placed if re.fullmatch(r"[+-]?\d*\.?\d+", t[2])]
        for left, right in ((0, 630), (630, 1200)):
            scales.append(axis([(x, t) for x, _, t in ticks if left < x < right]))
        numbers = {(x > 630, round(y)): t for x, y, t in placed if "[" in t}
        verdicts = Counter(t for _, _, t in placed if t in words)
        marks = [
            (float(u.get("x")), float(u.get("y")))
            for g in part(top, "estimates") for u in g.iter(f"{SVG}use")
        ]  # fmt: skip
        assert len(marks) == len(numbers) == sum(verdicts.values())
        ends: dict[tuple[str, bool, int], list[float]] = {}
        for name in ("ci", "gate", "edges"):
            for g in part(top, name):
                for (x, y), (u, w) in moves(g):
                    ends.setdefault((name, x > 630, round((y + w) / 2)), []).extend({x, u})
        for x, y in marks:
            side = x > 630
            shown = next(t for (s, at), t in numbers.items() if s == side and abs(at - y) < 7)
            own = {
                name: sorted(scales[side](e) for e in values)
                for (name, s, at), values in ends.items() if s == side and abs(at - y) <= 1
            }  # fmt: skip
            found.append((side, shown, scales[side](x), own))
    expected = {
        (r["valence"] == "negative", f"{signed(r['estimate'])} "
         f"{bracketed(r['ci_low'], r['ci_high'])}"): r for r in records
    }  # fmt: skip
    assert Counter((side, shown) for side, shown, _, _ in found) == Counter(expected.keys())
    for side, shown, at, own in found:
        r = expected[side, shown]
        assert at == pytest.approx(r["estimate"], abs=0.002)
        assert own["ci"] == pytest.approx([r["ci_low"], r["ci_high"]], abs=0.002)
        gated = r["verdict"] != "NO MARGIN"
        assert ("gate" in own, "edges" in own) == (gated, gated)
        if gated:
            assert own["gate"] == pytest.approx([r["gate_low"], r["gate_high"]], abs=0.002)
            assert own["edges"] == pytest.approx([-0.4, 0.3], abs=0.002)


def test_a_verdict_that_is_not_gated_is_told_apart_in_word_and_marker():
    gated = record("a", verdict="INCONCLUSIVE")
    loose = record("b", verdict="INCONCLUSIVE", gated=False)
    (forest,) = figures.of_lexicon(document([gated, loose]), "two")
    words = [t for _, _, t in texts(forest.svg)]
    assert "INCONCLUSIVE" in words
    assert "NOT GATED" in words
    uses = [u.get("href") for g in part(root(forest.svg), "estimates") for u in g.iter(f"{SVG}use")]
    assert len(set(uses)) == 2
    assert "1 NOT GATED" in forest.description


def test_a_one_sided_margin_reaches_the_end_of_the_axis():
    (forest,) = figures.of_lexicon(document([record(margin=(-0.3, None))]), "two")
    top = root(forest.svg)
    (band,) = moves(part(top, "margins")[0])
    (edge,) = moves(part(top, "edges")[0])
    (zero,) = moves(part(top, "zero")[0])
    left, right = min(x for x, _ in band), max(x for x, _ in band)
    assert edge[0][0] == left
    assert right - zero[0][0] > zero[0][0] - left


def test_effects_of_both_valences_and_of_other_kinds_have_axes_of_their_own():
    verdicts = [
        record(valence="positive"), record(valence="positive-negative", estimate=1.4, half=0.3),
        record("l (language model)", role="logprob", kind="language model"),
    ]  # fmt: skip
    (forest,) = figures.of_lexicon(document(verdicts), "two")
    shown = [t for _, _, t in texts(forest.svg)]
    assert any("positive minus negative" in t for t in shown)
    assert any("language model" in t for t in shown)
    assert len(part(root(forest.svg), "zero")) == 3


def test_captions_say_what_above_zero_means_of_what_they_draw():
    run = {"reference": "old", "trajectory": steps(0.1, 0.2)}
    verdicts = [record(), record(role="regression", reference="old", contrast="other"),
                record(role="gap", **run), record(role="drift", **run)]  # fmt: skip
    forest, drift, gap = figures.of_lexicon(document(verdicts), "two")
    if "gap" in drift.title.lower():
        drift, gap = gap, drift
    for said in ("range: agency preferred;", "regression: further from zero than old, or across it",
                 "gap: the runs are further apart"):  # fmt: skip
        assert said in forest.caption
    assert "above zero: agency preferred) at each" in drift.caption
    assert "above zero: agency moved up" in drift.caption
    assert "above zero: agency preferred more than by old) at each" in gap.caption
    assert "above zero: the runs are further apart" in gap.caption
    assert "agency preferred" in figures.verdict(verdicts[0]).caption
    assert "above zero: further from zero than old" in figures.verdict(verdicts[1]).caption


def test_a_strip_is_the_same_drawing_on_a_given_axis():
    r = record(estimate=0.5, half=0.25, margin=(-0.1, None))
    svg = figures.strip(r, 1.0)
    assert "M99.5 10H138.5" in svg  # [.25, .75] of an axis from -1 at 2 to 1 at 158
    assert "translate(119.0 10) " in svg
    (band,) = re.findall(r'<rect x="(.*?)" y=".*?" width="(.*?)"', svg)
    assert (float(band[0]), float(band[0]) + float(band[1])) == pytest.approx((72.2, 158), abs=0.1)
    error = cast(Record, {"verdict": "ERROR", "gated": False})
    assert "translate" not in figures.strip(error, 1.0)


def test_a_verdict_asserted_twice_is_drawn_twice():
    (forest,) = figures.of_lexicon(document([record(), record(margin=(-0.2, 0.2))]), "two")
    assert len([t for _, _, t in texts(forest.svg) if t == "PASS"]) == 2


def test_ranks_show_each_models_mean_and_the_grand_mean_with_the_preferred_at_the_top():
    models = [ranks(f"model {i}", seed=i) for i in range(6)]
    first, *_ = figures.of_lexicon(document(ranked=models), "two")
    top = root(first.svg)
    labels = [(x, y, t) for x, y, t in texts(first.svg) if re.fullmatch(r"\d+", t)]
    middle = float(top.get("viewBox").split()[3]) / 2
    for v, valence in enumerate(("positive", "negative")):
        own = [(y - 3.6, t) for _, y, t in labels if (y > middle) == bool(v)]
        rank = axis(own)
        assert rank(0) < rank(100)
        rows = [p.valence == valence for p in PAPER_PROMPTS]
        means = np.array([np.array(m["medians"])[rows].mean(axis=0) for m in models])
        shown = [rank(moves(g)[0][0][1]) for g in part(top, f"mean-{valence}")]
        assert shown == pytest.approx(means.mean(axis=0), abs=1.5)
        for i in range(6):
            at = [
                rank(float(u.get("y"))) for g in part(top, f"model-{i}-{valence}")
                for u in g.iter(f"{SVG}use")
            ]  # fmt: skip
            assert at == pytest.approx(means[i], abs=1.5)
    assert "does not measure uncertainty" in first.caption


def test_a_single_models_dots_are_its_prompts():
    first, *_ = figures.of_lexicon(document(ranked=[ranks("m")]), "two")
    top = root(first.svg)
    assert [len(moves(g)) for g in part(top, "prompts-positive")] == [27, 27]
    assert "A dot is a prompt" in first.caption


def test_models_of_two_bases_are_two_violins_in_a_category():
    models = [ranks(f"model {i}", seed=i) for i in range(6)]
    bases = {f"model {i}": "gemma" if i < 3 else "llama" for i in range(6)}
    first, *_ = figures.of_lexicon(document(ranked=models, bases=bases), "two")
    assert len(part(root(first.svg), "mean-positive")) == 4
    assert {"base gemma", "base llama"} <= {t for _, _, t in texts(first.svg)}


def test_kinds_are_never_one_sample():
    kinds = ("reward model", "language model", "implicit reward", "reference", "checkpoint")
    found = document(ranked=[ranks("m", kind=kind) for kind in kinds])
    shown = [f for f in figures.of_lexicon(found, "two") if "-ranks" in f.id]
    assert [f.title.rpartition(": ")[2] for f in shown] == [f"{kind}s" for kind in kinds]


def test_kinds_are_drawn_on_one_scale():
    wide, narrow = ranks("m"), ranks("r", kind="reference")
    near = 50 + 0.05 * (np.array(narrow["medians"]) - 50)
    found = document(ranked=[wide, {**narrow, "medians": near.tolist()}])
    first, second = (f for f in figures.of_lexicon(found, "two") if "-ranks" in f.id)
    ticks = [
        [(y, t) for _, y, t in texts(f.svg) if re.fullmatch(r"\d+", t)] for f in (first, second)
    ]
    assert ticks[0] == ticks[1]


def test_models_that_ranked_different_numbers_of_words_are_compared_in_shares():
    models = [ranks("a", n_words=100), ranks("b", n_words=300)]
    first, *_ = figures.of_lexicon(document(ranked=models), "two")
    assert "0% = most preferred" in first.svg
    assert "shares of the words" in first.description


@pytest.mark.parametrize("count", [1, 25])
def test_any_number_of_models_is_drawn_in_full(count):
    models = [ranks(f"m{i}", seed=i) for i in range(count)]
    models += [ranks(f"m{i}", "mfd2", MFD2, seed=i) for i in range(count)]
    found = drawn(document(ranked=models), "two", "mfd2")
    check(found)
    for lexicon in ("two", "mfd2"):
        shown = [t for f in found if f"{lexicon}-prompts" in f.id for _, _, t in texts(f.svg)]
        assert {f"m{i}" for i in range(count)} <= set(shown)


def test_every_prompt_of_every_model_has_its_place_in_a_panel():
    model = ranks("m")
    prompts = figures.of_lexicon(document(ranked=[model]), "two")[1]
    top = root(prompts.svg)
    labels = [(y - 3.6, t) for _, y, t in texts(prompts.svg) if t.endswith("%")]
    share = axis(labels, lambda t: float(t[:-1]) / 100)
    values = (np.array(model["medians"]) - 0.5) / model["n_words"]
    for c in range(2):
        (g,) = part(top, f"category-{c}")
        shown = [share(points[0][1]) for points in moves(g)]
        assert shown == pytest.approx(values[:, c], abs=0.006)


def test_a_map_has_every_prompt_of_every_model_at_its_level():
    models = [ranks(f"m{i}", "mfd2", MFD2, seed=i) for i in range(3)]
    prompts = figures.of_lexicon(document(ranked=models), "mfd2")[1]
    area: Counter[int] = Counter()
    for element in root(prompts.svg).iter():
        name = element.get("data-part", "")
        if name.startswith("level-"):
            for points in moves(element):
                xs = [x for x, _ in points]
                area[int(name.removeprefix("level-"))] += round((max(xs) - min(xs)) / 5)
    shares = np.concatenate([(np.array(m["medians"]) - 0.5).ravel() / 300 for m in models])
    bounds = np.linspace(shares.min(), shares.max(), 10)
    expected, _ = np.histogram(shares, bounds)
    assert [area[k] for k in range(9)] == expected.tolist()


def test_drift_shows_each_runs_checkpoints():
    verdicts = [
        record(f"{n} (training run)", kind="training run", role="drift",
               trajectory=steps(*values))
        for n, values in (("a", (0.4, 0.2, 0.1)), ("b", (-0.4, -0.3, 0.0)))
    ]  # fmt: skip
    drift = figures.of_lexicon(document(verdicts), "two")[-1]
    top = root(drift.svg)
    ticks = [t for t in texts(drift.svg) if re.fullmatch(r"[+-]\.\d+|0", t[2]) and t[0] < 45]
    value = axis([(y - 3.6, t) for _, y, t in ticks])
    for i, expected in enumerate(((0.4, 0.2, 0.1), (-0.4, -0.3, 0.0))):
        (g,) = part(top, f"run-{i}")
        line = max(moves(g), key=lambda points: max(x for x, _ in points))
        assert [value(y) for _, y in line] == pytest.approx(expected, abs=0.01)
    styles = [e.get("style", "") for e in top.iter()]
    assert any("stroke-dasharray" in s for s in styles)


def test_drift_says_what_it_leaves_out():
    contrasts = [f"c{i}" for i in range(9)]
    verdicts = [
        record("a (training run)", c, v, kind="training run", role="drift", gated=False,
               verdict="NO MARGIN", margin=None, estimate=0.01 * i, trajectory=steps(0, 0.01 * i))
        for i, c in enumerate(contrasts) for v in ("positive", "negative")
    ]  # fmt: skip
    drift = figures.of_lexicon(document(verdicts), "two")[-1]
    shown = {t for _, _, t in texts(drift.svg)}
    for i, c in enumerate(contrasts):
        for v in ("positive", "negative"):
            assert (f"{c}, {v}" in shown) == (i >= 3)
            assert (f"{c}, {v}" in drift.caption) == (i < 3)


def test_a_matrix_says_each_number_and_hatches_what_is_missing():
    found = matrix(
        "abc", ((0.0, 0.25, None), (-0.25, 0.0, None), (None, None, 0.0)), ["too little shared"]
    )
    (f,) = figures.matrices(document(matrices=[found]))
    check([f])
    shown = Counter(t for _, _, t in texts(f.svg))
    assert (shown["+.250"], shown["-.250"], shown["none"], shown["0"]) == (1, 1, 4, 3)
    assert f.svg.count("<pattern") == 1
    assert f.svg.count("url(#") >= 1
    assert "too little shared" in f.caption
    assert "a to b +.250" in f.description


@pytest.mark.parametrize("lexicon", ["</svg><script>", "$x^2$ 模型"])
def test_hostile_strings_are_text_and_nothing_else(lexicon):
    verdicts = [
        record(name, name, sides=(name, "the others"), lexicon=lexicon) for name in HOSTILE
    ] + [
        record(name, HOSTILE[i - 1], role="drift", kind=name, lexicon=lexicon,
               trajectory=steps(0.1, 0.2))
        for i, name in enumerate(HOSTILE)
    ]  # fmt: skip
    verdicts += [foreseen(name=n, word=n, title=n, lexicon=lexicon) for n in HOSTILE[:6]]
    names = [*HOSTILE, HOSTILE[0]]
    ranked = [ranks(n, lexicon, HOSTILE, prompts=PAPER_PROMPTS[::5]) for n in names]
    ranked += [ranks(n, "two", HOSTILE[:2], prompts=PAPER_PROMPTS[::5]) for n in HOSTILE[:3]]
    bases = dict(pairwise(HOSTILE))
    shown = drawn(document(verdicts, ranked, [matrix(HOSTILE[:2])], bases), lexicon, "two")
    shown += [figures.verdict(r) for r in verdicts]
    check(shown)
    written = {t for f in shown for _, _, t in texts(f.svg)}
    assert {text for text in HOSTILE if len(text) < 100} <= written
    assert max(map(len, written)) < 150


@given(st.text(min_size=1, max_size=60))
def test_a_verdicts_figure_is_well_formed_whatever_it_is_called(text):
    f = figures.verdict(record(visible(text)))
    assert visible(text) in root(f.svg).get("aria-label")


@pytest.mark.parametrize(
    "r",
    [
        record(), record(verdict="FAIL", estimate=0.9, half=0.05), record(estimate=0, half=0),
        record(margin=(None, 0.2)), record(margin=None, verdict="NO MARGIN", gated=False),
        record(valence="positive-negative", estimate=-1.6, half=0.3, verdict="INCONCLUSIVE"),
        record(verdict="REPRODUCTION ONLY"),
    ],
)  # fmt: skip
def test_a_verdicts_figure_is_small_and_says_its_numbers(r):
    f = figures.verdict(r)
    check([f])
    assert len(f.svg) < 2000
    told = root(f.svg).get("aria-label")
    assert f"{signed(r['estimate'])} {bracketed(r['ci_low'], r['ci_high'])}" in told
    assert r["verdict"] in told


def test_a_verdict_that_could_not_be_measured_says_why():
    f = figures.verdict(record(verdict="ERROR") | {"estimate": None, "reason": "no such model"})
    root(f.svg)
    assert f.description == "no such model"


def test_a_verdicts_figure_needs_no_matplotlib_and_no_figure_needs_pyplot():
    code = (
        "import sys, json; from valuebias.report import figures;"
        "d = json.load(sys.stdin); figures.verdict(d['verdicts'][0]);"
        "assert 'matplotlib' not in sys.modules;"
        "figures.of_lexicon(d, 'two'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    import json

    text = json.dumps(document([record()], [ranks("m")]))
    subprocess.run([sys.executable, "-c", code], input=text, text=True, check=True)


def test_ten_models_on_two_lexicons_stay_small():
    names = [f"org/a-reward-model-of-{i}-billion" for i in range(10)]
    big = [f"{f}.{p}" for f in "abcde" for p in ("virtue", "vice")]
    ranked = [ranks(n, seed=i) for i, n in enumerate(names)]
    ranked += [ranks(n, "mfd2", big, seed=i) for i, n in enumerate(names)]
    verdicts = [
        record(n, c, v, lexicon="mfd2" if "." in c else "two") for n in names
        for c in ("agency~communion", *big) for v in ("positive", "negative")
    ]  # fmt: skip
    shown = drawn(document(verdicts, ranked), "two", "mfd2")
    assert sum(len(f.svg.encode()) for f in shown) < 600_000


def test_labels_that_look_alike_when_shortened_are_numbered():
    found = distinct(["a" * 100, "a" * 101, "b"], 100)
    assert len(set(found)) == 3
    assert found[2] == "b"


@given(st.lists(st.text(max_size=30), unique=True, max_size=8))
def test_ids_differ_wherever_names_do(names):
    found = [slug(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", s) for s in found)


def test_a_forecast_is_drawn_by_nats_and_its_words_by_their_change():
    there = [foreseen(), foreseen("negative", before=0.2, after=0.7)]
    shares, movers, *_ = figures.of_lexicon(document(there), "two")
    check([shares, movers])
    assert (shares.id, movers.id) == ("fig-two-forecast-shares", "fig-two-forecast-words")
    assert shares.title == "What P would say of two"
    assert "agency 0 nats .60, " in shares.description
    assert ", .5 nats .45, 1 nat .30, 2 nats .15, best of 4 .42, " in shares.description
    top = root(shares.svg)
    ticks = [(y, t) for x, y, t in texts(shares.svg) if x < 40 and re.fullmatch(r"\.?\d+", t)]
    height = axis([(y - 3.6, t) for y, t in ticks])  # of the left panel, level with the right one
    for side in (0, 1):
        first, second = part(top, f"side-{side}")
        drawn_at = [height(float(u.get("y"))) for u in first.iter(f"{SVG}use")]
        assert (drawn_at[0], drawn_at[3]) == pytest.approx(
            (abs(side - 0.6), abs(side - 0.3)), abs=0.02
        )
        assert len(drawn_at) == len([*second.iter(f"{SVG}use")]) == 5
        best = [
            height(float(u.get("y"))) for u in part(top, f"best-of-{side}")[0].iter(f"{SVG}use")
        ]
        shown = [s["share"] for s in there[0]["forecast"]["steps"][5:]]
        assert best == pytest.approx([abs(side - x) for x in shown], abs=0.02)
    rows = [t for _, _, t in texts(movers.svg)]
    for word in ("love 0", "love 7", "+.100", "-.100", "+.013"):
        assert rows.count(word) >= 2, word
    assert "love 9" not in rows, "the ten that moved most are in the document, eight are drawn"
