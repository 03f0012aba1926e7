"""Files of prompts: read in any language, and refused with the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from support.documents import CHECKOUT
from valuebias.candidates import Candidates
from valuebias.declarations.prompts import load_prompts, prompts_in_force
from valuebias.errors import SpecError
from valuebias.prompts import BALANCED, PAPER, VALENCES, Control, PromptSet
from valuebias.scorers.recorded_file import read_scores, write_scores
from valuebias.scores import Scores
from valuebias.stats.checks import MIN_PROMPTS

Write = Callable[..., Path]
GERMAN = CHECKOUT / "examples" / "lexicon_in_german" / "prompts_de.yaml"
ONE = "  - {{id: {id}, text: {text}, valence: {valence}}}\n"


def entries(n: int = 6, text: str = "Which is thing {i} of {v}") -> list[str]:
    """A line for each of ``n`` prompts a valence."""
    return [
        ONE.format(id=f"{v}{i}", text='"' + text.format(i=i, v=v) + '"', valence=v)
        for v in VALENCES
        for i in range(n)
    ]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(body: str = "", *, top: str = "", name: str = "own.yaml") -> Path:
        path = tmp_path / name
        path.write_text(f"{top}prompts:\n{body or ''.join(entries())}", encoding="utf-8")
        return path

    return write


def test_frames_of_whole_answers(write: Write) -> None:
    frames = ["I would seek {word}.", "{Word} first."]
    lines = [
        line.replace("}\n", f', answer: "{frames[i % 2]}"}}\n')
        for i, line in enumerate(entries(text="Which is best of {v}, {i}"))
    ]
    found = load_prompts(write("".join(lines)))
    assert found.is_framed
    assert not PAPER.is_framed
    assert found.prompts[0].framed("love") == "I would seek love."
    assert found.prompts[1].framed("love") == "Love first."
    assert found.lead.answer == ""  # tokens are whole answers
    # One question may have several frames.
    again = lines[0].replace("positive0", "other").replace("seek", "want")
    assert len(load_prompts(write("".join([*lines, again]))).prompts) == 13
    for answer in ("I would seek love.", "{word} and {word}."):
        with pytest.raises(SpecError, match=r"line 2.*must hold the word in one place"):
            load_prompts(write("".join([lines[0].replace(frames[0], answer), *lines[1:]])))


def test_a_file_in_german_with_its_control_words():
    found = load_prompts(GERMAN)
    assert (found.name, found.language) == ("prompts_de", "de")
    assert {v: len(found.of(v)) for v in VALENCES} == {"positive": 27, "negative": 27}
    assert found.prompts[0].text == "Was ist, in einem Wort, das Beste überhaupt?"
    assert found.prompts[0].factors == {"adjective": "beste", "scope": "ever", "style": "one"}
    assert isinstance(found.control, Control)
    assert "Güte" in found.control.virtue
    assert len(found.quick.prompts) == 12
    assert found.lead == found.prompts[0]


def test_the_papers_prompts_may_be_written_as_a_file(tmp_path):
    path = tmp_path / "again.yaml"
    rows = [
        {"id": p.id, "text": p.text, "valence": p.valence, "factors": dict(p.factors)}
        for p in PAPER.prompts
    ]
    path.write_text(yaml.safe_dump({"prompts": rows}), encoding="utf-8")
    found = load_prompts(path)
    assert found.prompts == PAPER.prompts
    assert found.digest == PAPER.digest
    assert not found.is_paper  # a panel margin needs the shipped set


@pytest.mark.parametrize("language", ["en", "en-GB", "EN"])
def test_english_needs_no_control_words(write: Write, language: str):
    assert load_prompts(write(top=f"language: {language}\n")).control is None


def bad_entry(**changed: str | None) -> str:
    fields = {"id": "new", "text": '"Which else?"', "valence": "positive"} | changed
    kept = ", ".join(f"{k}: {v}" for k, v in fields.items() if v is not None)
    return "".join(entries()) + f"  - {{{kept}}}\n"


CONTROL = "control: {{virtue: [a, b, c, d, e], vice: {vice}}}\n"


@pytest.mark.parametrize(
    ("top", "body", "line", "words"),
    [
        ("", bad_entry(valence=None), 14, "a prompt has no `valence`"),
        ("", bad_entry(id=None), 14, "a prompt has no `id`"),
        ("", bad_entry(text=None), 14, "a prompt has no `text`"),
        ("", bad_entry(valence="neutral"), 14, "unknown valence"),
        ("", bad_entry(adjective="best"), 14, "unknown key"),
        ("", bad_entry(factors="[a]"), 14, "`factors` is not a mapping"),
        ("", bad_entry(factors="{a: [b]}"), 14, "the factor a is not a text"),
        ("", bad_entry(id="positive0"), 14, "the id was already given in line 2"),
        ("", bad_entry(text="Which is thing 5 of negative"), 14, "already given in line 13"),
        ("", bad_entry(text="positive3"), 14, "the text was already given in line 5"),
        ("", bad_entry(id='" "'), 14, "the id is empty"),
        ("", bad_entry(text='"\\n"'), 14, "the text is empty"),
        ("", bad_entry(id="response"), 14, "name of a column of scores"),
        ("", bad_entry(text="token_id"), 14, "name of a column of scores"),
        ("", bad_entry(id="best_ever_one"), 14, "the id of a shipped prompt"),
        ("", bad_entry(id="finest_world_one"), 14, "the id of a shipped prompt"),
        ("", "".join(entries()[:11]), 2, "at least 6 negative prompts are needed"),
        ("", "".join(entries()[6:]), 2, "at least 6 positive prompts are needed"),
        ("", "  a: b\n", 2, "`prompts` is not a list"),
        ("name: x\n", "", 1, "unknown key"),
        ("language: deutsch\n", "", 1, "not a language tag"),
        ("\nlanguage: de\n", "", 2, "must declare their control words"),
        ("control: [a]\n", "", 1, "`control` is not a mapping"),
        ("control: {virtue: [a, b, c, d, e]}\n", "", 1, "`control` has no `vice`"),
        (CONTROL.format(vice="[f, g]"), "", 1, "`vice` needs at least 5 words"),
        (CONTROL.format(vice="[f, g, h, i, a]"), "", 1, "the word was already given in line 1"),
        (CONTROL.format(vice="[f, g, h, i, '']"), "", 1, "a word is empty"),
        ("control: {good: [a]}\n", "", 1, "unknown key"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    write: Write, top: str, body: str, line: int, words: str
):
    path = write(body, top=top)
    with pytest.raises(SpecError) as caught:
        load_prompts(path)
    assert f"own.yaml, line {line}: " in caught.value.what
    assert words in caught.value.what
    assert caught.value.remedy


def test_a_file_that_is_no_list_of_prompts(tmp_path, write: Write):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    with pytest.raises(SpecError, match="is empty"):
        load_prompts(path)
    path.write_text("language: en\n")
    with pytest.raises(SpecError, match="no `prompts` list"):
        load_prompts(path)
    path.write_bytes(b"prompts: \xff\n")
    with pytest.raises(SpecError, match="cannot read the file of prompts"):
        load_prompts(path)
    with pytest.raises(SpecError, match="neither the name of a prompt set nor a file"):
        prompts_in_force(str(tmp_path / "no.yaml"))
    with pytest.raises(SpecError, match="has the name of a shipped prompt set"):
        load_prompts(write(name="paper.yaml"))


def test_what_is_in_force(write: Write):
    assert prompts_in_force("paper") is PAPER
    assert prompts_in_force("balanced") is BALANCED
    path = write()
    assert prompts_in_force(str(path)) == prompts_in_force(path) == load_prompts(path)
    assert prompts_in_force(PAPER) is PAPER
    with pytest.raises(SpecError, match="has the name of a shipped one"):
        prompts_in_force(PromptSet("paper", BALANCED.prompts))


def test_the_least_is_what_the_statistics_need(write: Write):
    with pytest.raises(SpecError, match=f"at least {MIN_PROMPTS} positive"):
        load_prompts(write("".join(entries(MIN_PROMPTS - 1))))
    assert len(load_prompts(write("".join(entries(MIN_PROMPTS)))).prompts) == 2 * MIN_PROMPTS


HOSTILE = (
    "<script>alert(1)</script>", "{{7*7}}", "\x1b[31mred", "\u202etfel", "a,b;c", "=1+1",
    'quo"ted', "two\nlines",
)  # fmt: skip


def test_whatever_a_prompt_holds_comes_back_from_a_table_of_scores(tmp_path):
    """By its text where the set is the user's own, with no white space in it or with much."""
    rows = [
        {"id": f"{text} {v}", "text": f"{text}{v}?", "valence": v}
        for v in VALENCES
        for text in (*HOSTILE, "世界で一番良いものは何")
    ]
    path = tmp_path / "odd <b>.yaml"
    path.write_text(yaml.safe_dump({"prompts": rows}), encoding="utf-8")
    found = load_prompts(path)
    assert [p.text for p in found.prompts] == [row["text"] for row in rows]
    values = np.arange(2 * len(rows), dtype=np.float32).reshape(len(rows), 2)
    scores = Scores(values, found.prompts, Candidates.words(["love", "power"]), {})
    for name in ("scores.csv", "scores.parquet"):
        write_scores(scores, tmp_path / name, found)
        again = read_scores(tmp_path / name, "again", found)
        assert again.prompts == found.prompts
        assert (again.values == values).all()
