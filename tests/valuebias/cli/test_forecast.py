"""`valuebias forecast` and `Model.forecast`: recorded rewards and an embedded language model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import valuebias as vb
from support.schema import problems
from support.scores import write_scores
from valuebias.cli.main import main
from valuebias.lexicons.files import starter

SIDES = ("agency", "communion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lexicon of few words, as language models take long, and rewards that lean to agency."""
    folder = tmp_path_factory.mktemp("forecast")
    lexicon = starter("big_two")
    rows = [f"{word},{side}" for side in SIDES for word in list(lexicon.categories[side])[:48:4]]
    (folder / "words.csv").write_text("\n".join(["word,category", *rows]) + "\n", "utf-8")
    write_scores(folder / "rewards.csv", shift=1.5)
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(folder / "store"))


BIG_TWO = ("--suite=big_two", "--lexicon=big_two=words.csv")


def test_what_a_policy_would_say(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("scores:rewards.csv", "--policy", "demo:neutral", "--vocabulary")
    ended = main(["forecast", *asked, *BIG_TWO])
    shown = capsys.readouterr()
    assert ended == 0, shown.err
    out = shown.out
    assert max(map(len, out.splitlines())) <= 80
    assert out.startswith("Instrument sound.\n")
    words, *tokens = out.split("\nFirst tokens of ")
    (positive, negative) = words.split("\nagency~communion, ")[1:]
    for part in (positive, negative):  # agency is raised whatever is asked for
        text = " ".join(part.split())
        told = re.search(
            r"Among the 24 words of the lexicon \((\S+)% of what demo:neutral says\), the share of "
            r"agency goes from (\S+) to (\S+) when demo:neutral is optimised by 1 nat against",
            text,
        )
        assert told, text
        assert 0 < float(told[1]) < 100
        assert float(told[3]) > float(told[2])
        assert len(re.findall(r"^  (?:[\d.]+ nats?|best of \d+) +0\.\d{3}|1\.000", part, re.M)) >= 8
        assert "without a word family: " in text
    for part, valence in zip(tokens, ("positive", "negative"), strict=True):
        text = " ".join(part.split())
        assert text.startswith(f"demo:neutral optimised against rewards.csv, {valence} prompts")
        assert re.search(
            r"[\d,]+ of [\d,]+ tokens have a reward, and \S+% of the probability", text
        )
        for category in SIDES:
            assert re.search(rf"^  {category} +\d+( +\S+%){{8}}$", part, re.M), part
        assert re.search(r"gain: \S+ \S+% to \S+%, .* lose: ", text)


def test_the_same_in_a_notebook() -> None:
    rewarded = vb.load("scores:rewards.csv", lexicons={"few": "words.csv"})
    policy = vb.load("demo:neutral", load_as="llm", lexicons={"few": "words.csv"})
    found = vb.forecast(rewarded, policy, "few", *SIDES, valence="positive")
    assert rewarded.forecast(policy, "few", *SIDES, valence="positive").sentence == found.sentence
    assert found.forecast.estimate > 0
    assert found.sentence.startswith("Among the 24 words")
    assert {each.change > 0 for each in found.gain} == {True}
    assert {each.change < 0 for each in found.lose} == {True}
    assert found.forecast.n_prompts == 27
    document = vb.report([found], html="out.html")
    assert problems(document) == []
    assert document["verdicts"][0]["forecast"]["sentence"] == found.sentence
    assert found.sentence[1:] in Path("out.html").read_text("utf-8")
    with pytest.raises(vb.ValueBiasError, match="must be a language model"):
        policy.forecast(rewarded, "few", *SIDES, valence="positive")


def test_a_model_that_does_not_read_the_questions_is_not_forecast(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_scores(Path("deaf.csv"), shift=1.5, control=None)
    assert main(["forecast", "scores:deaf.csv", "--policy", "demo:neutral", *BIG_TWO]) == 1
    out = capsys.readouterr().out
    assert "Instrument failed: deaf.csv does not read the questions" in " ".join(out.split())
    assert "Among the" not in out


def test_a_policy_must_be_a_language_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", "demo:agency", "--policy", "dpo:demo:agency,demo:neutral"]) == 2
    assert "Traceback" not in capsys.readouterr().err
