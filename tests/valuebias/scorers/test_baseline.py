"""Baselines: what is recorded is what is compared with, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.scores import write_scores
from valuebias.candidates import Candidates
from valuebias.errors import ScoresError, SpecError
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure
from valuebias.measurement.record_baseline import effect_of, record
from valuebias.measurement.tokens import top_tokens
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.prompts import GREATEST, PAPER_PROMPTS, Valence
from valuebias.scorers.baseline_file import read_baseline, write_baseline
from valuebias.scorers.baseline_record import Baseline, Ranking, check_pair
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.scores import Scores
from valuebias.stats.verdict import Margin
from valuebias.store.database import Store

BIG_TWO = "agency~communion"
VALENCES: tuple[Valence, ...] = ("positive", "negative")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(Store(tmp_path / "scores.sqlite"), Settings()) as bench:
        yield bench


def recorded(path: Path, **how: Any) -> ModelSpec:
    how.setdefault("lexicons", ("big_two",))
    return parse_spec(f"scores:{write_scores(path, **how)}")


def made(bench: Bench, spec: ModelSpec, lexicon: Lexicon | None = None) -> Baseline:
    lexicon = lexicon or starter("big_two")
    margin = Margin(-0.3, 0.3)
    effects = [
        effect_of(
            measure(bench.scorer(spec), lexicon, BIG_TWO, v),
            margin,
            suite="big_two",
            test="test_range",
        )
        for v in VALENCES
    ]
    return record(bench.scorer(spec), [lexicon], effects)


def written(bench: Bench, spec: ModelSpec, path: Path) -> ModelSpec:
    write_baseline(made(bench, spec), path)
    return parse_spec(f"baseline:{path}")


@pytest.fixture
def file(bench: Bench, tmp_path: Path) -> Path:
    """The baseline of a release."""
    written(bench, recorded(tmp_path / "old.csv", shift=0.4, seed=1), tmp_path / "last.json")
    return tmp_path / "last.json"


@pytest.fixture
def changed(file: Path) -> Callable[[Callable[[Any], None]], Path]:
    """The file with one change made to its content."""

    def changed(change: Callable[[Any], None]) -> Path:
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))
        return file

    return changed


@pytest.mark.parametrize("valence", VALENCES)
@pytest.mark.parametrize("ties", [False, True])
def test_ranks_give_the_paired_interval_of_the_scores_to_the_bit(
    bench: Bench, tmp_path: Path, valence: Valence, ties: bool
) -> None:
    old, new = recorded(tmp_path / "old.csv", shift=0.4, seed=1), recorded(tmp_path / "new.csv")
    if ties:
        for spec in (old, new):
            head, *rows = Path(spec.target).read_text().splitlines()
            cells = [row.split(",") for row in rows]
            lines = [",".join([c[0], *(f"{float(x):.1f}" for x in c[1:])]) for c in cells]
            Path(spec.target).write_text("\n".join([head, *lines]))
    against = written(bench, old, tmp_path / "last.json")
    lexicon = starter("big_two")
    scores = measure(bench.scorer(new), lexicon, BIG_TWO, valence, against=bench.scorer(old))
    ranks = measure(bench.scorer(new), lexicon, BIG_TWO, valence, against=bench.scorer(against))
    assert ranks.effect == scores.effect
    assert ranks.raised_by == scores.raised_by
    assert ranks.coverages == scores.coverages
    assert (ranks.role, ranks.reference) == ("shift", "last.json")
    assert ranks.reference_fingerprint == bench.scorer(against).fingerprint
    turned = measure(bench.scorer(against), lexicon, BIG_TWO, valence, against=bench.scorer(new))
    assert turned.effect.estimate == -ranks.effect.estimate


def test_what_is_read_is_what_was_written(bench: Bench, tmp_path: Path) -> None:
    old = recorded(tmp_path / "old.csv", shift=0.4)
    baseline, path = made(bench, old), tmp_path / "last.json"
    write_baseline(baseline, path)
    back = read_baseline(path)
    assert back.model == "old.csv"
    assert back.about == baseline.about == {"fingerprint": bench.scorer(old).fingerprint}
    ranking, again = baseline.lexicons["big_two"], back.lexicons["big_two"]
    assert again.words == ranking.words == starter("big_two").words()
    assert np.array_equal(again.ranks, ranking.ranks)
    assert [e.verdict for e in back.effects] == [e.verdict for e in baseline.effects]
    assert back.effects[0].estimate == pytest.approx(baseline.effects[0].estimate, abs=1e-6)
    assert back.source == str(path)


def test_one_release_gives_the_same_bytes_a_line_a_word(bench: Bench, tmp_path: Path) -> None:
    old, path = recorded(tmp_path / "old.csv", shift=0.4), tmp_path / "last.json"
    written(bench, old, path)
    first = path.read_bytes()
    lines = Path(old.target).read_text().splitlines()
    Path(old.target).write_text("\n".join([lines[0], *lines[:0:-1]]))  # other order of the rows
    with Bench(Store(tmp_path / "other.sqlite"), Settings()) as fresh:
        written(fresh, old, path)
        fingerprint = fresh.scorer(old).fingerprint
    second = path.read_bytes().decode().replace(fingerprint, bench.scorer(old).fingerprint)
    assert second.encode() == first
    text = first.decode().splitlines()
    assert sum(line.startswith('"') and line.count(",") >= 53 for line in text) >= 120
    assert [p.name for p in tmp_path.glob(".last*")] == []


def test_the_model_may_be_renamed_and_the_lexicon_too(bench: Bench, tmp_path: Path) -> None:
    old, new = recorded(tmp_path / "old.csv", seed=1), recorded(tmp_path / "new.csv")
    against = written(bench, old, tmp_path / "last.json")
    renamed = replace(starter("big_two"), name="mine")
    under_new_names = measure(
        bench.scorer(replace(new, label="release-9")),
        renamed,
        BIG_TWO,
        "positive",
        against=bench.scorer(against),
    )
    assert (
        under_new_names.effect
        == measure(
            bench.scorer(new), starter("big_two"), BIG_TWO, "positive", against=bench.scorer(old)
        ).effect
    )


@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=54, max_size=54))
def test_ranks_order_as_the_scores_do(values: list[list[int]]) -> None:
    words = ("skill", "power", "friend", "care")
    lexicon = Lexicon("four", {"agency": words[:2], "communion": words[2:]})
    scores = Scores(np.array(values, np.float32), PAPER_PROMPTS, Candidates.words(words))
    ranks = Ranking.of(scores, lexicon).ranks
    for row, ranked in zip(values, ranks.tolist(), strict=True):
        assert set(ranked) == set(range(1, max(ranked) + 1))
        for i in range(4):
            for j in range(4):
                assert (row[i] < row[j]) == (ranked[i] < ranked[j])


HOSTILE = "\x1b[31mred\u202e “naïve”, \\ and \n"


def test_hostile_names_come_back_and_none_is_raw_in_the_file(tmp_path: Path) -> None:
    words = (HOSTILE, "freedom", "日本")
    lexicon = Lexicon("odd", {"a": words[:2], "b": words[2:]})
    values = np.arange(54 * 3, dtype=np.float32).reshape(54, 3)
    ranking = Ranking.of(Scores(values, PAPER_PROMPTS, Candidates.words(words)), lexicon)
    path = tmp_path / "odd.json"
    write_baseline(Baseline(f"{HOSTILE}\ud800", {}, {"odd": ranking}, (), "0"), path)
    text = path.read_bytes().decode("utf-8")
    assert "日本" in text
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "red" in text
    assert (read_baseline(path).model, read_baseline(path).lexicons["odd"].words) == (
        f"{HOSTILE}\ud800",
        words,
    )


# What is refused


def compare(bench: Bench, file: Path, tmp_path: Path, lexicon: Lexicon | None = None) -> None:
    new = recorded(tmp_path / "new.csv")
    against = parse_spec(f"baseline:{file}")
    measure(
        bench.scorer(new),
        lexicon or starter("big_two"),
        BIG_TWO,
        "positive",
        against=bench.scorer(against),
    )


def test_a_changed_lexicon_is_refused(bench: Bench, file: Path, tmp_path: Path) -> None:
    lexicon = starter("big_two")
    fewer = {name: words[:-1] for name, words in lexicon.categories.items()}
    with pytest.raises(ScoresError, match=r"last\.json: the lexicon big_two has changed"):
        compare(bench, file, tmp_path, replace(lexicon, categories=fewer))
    with pytest.raises(ScoresError, match="does not contain the lexicon other"):
        compare(bench, file, tmp_path, Lexicon("other", fewer))


@pytest.mark.parametrize("where", ["ids", "sha256"])
def test_other_prompts_are_refused(bench: Bench, changed: Any, tmp_path: Path, where: str) -> None:
    def change(content: Any) -> None:
        content["prompts"][where] = content["prompts"][where][:-1]

    with pytest.raises(ScoresError, match="other prompts than the prompt set paper"):
        compare(bench, changed(change), tmp_path)


def test_another_template_is_refused(bench: Bench, changed: Any, tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["recorded"] |= {"template": "chat_template", "template_sha256": "0123456789abcdef"}

    with pytest.raises(ScoresError, match=r"another chat template.*none \(recorded scores\) now"):
        compare(bench, changed(change), tmp_path)


def test_templates_are_compared_by_digest_and_only_for_baselines() -> None:
    def chat(digest: str) -> dict[str, str]:
        return {"template": "chat_template", "template_sha256": digest, "model": "m"}

    last = {**chat("a"), "baseline": "last.json"}
    check_pair(chat("a"), chat("b"))  # two models, each asked in its own way
    check_pair(chat("a"), last)
    check_pair(last, chat("a"))
    for other in (chat("b"), {}, {"template": "plain", "template_sha256": "a"}):
        with pytest.raises(ScoresError, match="another chat template"):
            check_pair(other, last)
        with pytest.raises(ScoresError, match="another chat template"):
            check_pair(last, other)
    with pytest.raises(ScoresError, match="stored by an earlier release"):
        check_pair({"template": "chat_template"}, last)


@pytest.mark.parametrize("side", ["new", "old"])
def test_words_that_only_one_side_has_are_refused(
    bench: Bench, file: Path, tmp_path: Path, side: str
) -> None:
    short = write_scores(tmp_path / "short.csv", lexicons=("big_two",), seed=2)
    lines = short.read_text().splitlines()
    short.write_text("\n".join(lines[:-1]))
    new, against = parse_spec(f"scores:{short}"), parse_spec(f"baseline:{file}")
    if side == "old":
        against = written(bench, new, tmp_path / "short.json")
        new = recorded(tmp_path / "new.csv")
    with pytest.raises(ScoresError, match="not recorded on the same words") as error:
        measure(
            bench.scorer(new),
            starter("big_two"),
            BIG_TWO,
            "negative",
            against=bench.scorer(against),
        )
    assert lines[-1].split(",")[0] in str(error.value)


def edited(path: tuple[str | int, ...], value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        *above, last = path
        for key in above:
            content = content[key]
        if value is None:
            del content[last]
        else:
            content[last] = value

    return change


RANKS = ("lexicons", "big_two", "ranks")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), "something", "not a baseline"),
        (("version",), 3, "reads versions 1 and 2"),
        (("version",), True, "reads versions 1 and 2"),
        (("recorded",), None, "has no `recorded`"),
        (("recorded", "model"), 3, "`model` of `recorded` is not a text"),
        (("note",), "mine", "unknown entry"),
        ((*RANKS, "skill"), None, "wrong number of words of big_two"),
        ((*RANKS, "zest"), [1] * 54, "wrong number of words of big_two"),
        ((*RANKS, "skill"), [1] * 53, "skill of big_two needs 54 ranks"),
        ((*RANKS, "skill", 3), "12", "a rank of skill of big_two must be an integer"),
        ((*RANKS, "skill", 3), 12.0, "a rank of skill of big_two must be an integer"),
        ((*RANKS, "skill", 3), True, "a rank of skill of big_two must be an integer"),
        ((*RANKS, "skill", 3), 0, "a rank of skill of big_two must be an integer"),
        ((*RANKS, "skill", 3), 10**30, "a rank of skill of big_two must be an integer"),
        (("lexicons",), [], "`lexicons` is not a mapping"),
        (("effects",), {}, "`effects` is not a list"),
        (("effects", 0, "estimate"), "0.1", "`estimate` of effect 1 is not a finite number"),
        (("effects", 1, "margin"), [0.1], "the margin of effect 2 is not two numbers"),
        (("effects", 0, "valence"), "both", "effect 1 has an invalid valence"),
        (("effects", 0, "lexicon"), "mine", "effect 1 has a lexicon that is not recorded"),
        (("effects", 0, "estimate"), 0.25, "does not follow from its ranks"),
        (("effects", 0, "contrast"), "agency~power", "cannot be checked"),
    ],
)
def test_a_file_changed_by_hand_is_refused(
    bench: Bench, changed: Any, tmp_path: Path, path: tuple[str, ...], value: Any, message: str
) -> None:
    file = changed(edited(path, value))
    with pytest.raises(ScoresError, match=r"last\.json: ") as error:
        compare(bench, file, tmp_path)
    assert message in str(error.value)


def test_ranks_exchanged_between_words_are_refused(
    bench: Bench, changed: Any, tmp_path: Path
) -> None:
    lexicon = starter("big_two")
    one, two = lexicon.categories["agency"][0], lexicon.categories["communion"][0]

    def change(content: Any) -> None:
        ranks = content["lexicons"]["big_two"]["ranks"]
        ranks[one], ranks[two] = ranks[two], ranks[one]

    with pytest.raises(ScoresError, match="does not follow from its ranks"):
        compare(bench, changed(change), tmp_path)


def test_a_rank_left_out_is_refused(bench: Bench, changed: Any, tmp_path: Path) -> None:
    def change(content: Any) -> None:
        ranks = content["lexicons"]["big_two"]["ranks"]
        low = next(word for word, row in ranks.items() if row[0] == 1)
        ranks[low][0] = 2

    with pytest.raises(ScoresError, match="on best_ever_one have a gap"):
        compare(bench, changed(change), tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], r"line 1\d\d is not JSON"),
        (lambda data: b"", "line 1 is not JSON"),
        (lambda data: b"\xff" + data, "line 1 is not UTF-8"),
        (lambda data: b"<<<<<<< HEAD\n" + data, "line 1 is not JSON"),
        (lambda data: b"[" * 100_000, "not valid JSON"),
        (lambda data: b"[1, 2]", "not a baseline"),
        (lambda data: data.replace(b'"version": 2', b'"version": NaN'), "not a finite number"),
        (
            lambda data: data.replace(b'"version": 2', b'"version": 2, "version": 2'),
            "duplicate name",
        ),
        (lambda data: data.replace(b'"level": 0.95', b'"level": 1e999'), "not a finite number"),
    ],
    ids=["cut", "empty", "bytes", "merge", "nested", "list", "nan", "twice", "infinite"],
)
def test_a_damaged_file_is_told(file: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ScoresError, match=message):
        read_baseline(file)


def test_a_line_of_another_baseline_is_told(bench: Bench, file: Path, tmp_path: Path) -> None:
    """As a merge in version control would leave it."""
    other = tmp_path / "other.json"
    written(bench, recorded(tmp_path / "other.csv", seed=5), other)
    mine, theirs = file.read_text().splitlines(), other.read_text().splitlines()
    assert len(mine) == len(theirs)
    at = next(i for i, line in enumerate(mine) if line.startswith('"skill"'))
    file.write_text("\n".join([*mine[:at], theirs[at], *mine[at + 1 :]]))
    with pytest.raises(ScoresError, match=r"have a gap|does not follow"):
        compare(bench, file, tmp_path)


def test_a_baseline_is_no_model(bench: Bench, file: Path) -> None:
    spec = parse_spec(f"baseline:{file}")
    with pytest.raises(ScoresError, match="ranks, not scores"):
        bench.scorer(spec).score(PAPER_PROMPTS, Candidates.words(["skill"]))
    assert "ranks" in (top_tokens(bench.scorer(spec), GREATEST, 3).left_out or "")
    with pytest.raises(SpecError, match="not a model"):
        record(bench.scorer(spec), [starter("big_two")], [])


def test_nothing_is_recorded_of_words_without_one_score(bench: Bench, tmp_path: Path) -> None:
    spec = recorded(tmp_path / "a.csv")
    with pytest.raises(ScoresError, match="no word of none was scored"):
        record(bench.scorer(spec), [Lexicon("none", {"a": ("zzz",), "b": ("yyy",)})], [])
    text = Path(spec.target).read_text().splitlines()
    doubled = ["token_id," + text[0], *(f"{i},{line}" for i, line in enumerate(text[1:]))]
    doubled.append(doubled[1].replace("0,", "9999,", 1))
    (tmp_path / "b.csv").write_text("\n".join(doubled))
    with pytest.raises(ScoresError, match="recorded more than once"):
        record(bench.scorer(parse_spec(f"scores:{tmp_path / 'b.csv'}")), [starter("big_two")], [])
