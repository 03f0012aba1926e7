"""`valuebias repair` from the command to the model that it writes, and what is said of that."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from valuebias.candidates import Candidates
from valuebias.cli.main import main
from valuebias.errors import ModelError
from valuebias.lexicons.files import load_lexicon, starter
from valuebias.measurement.contrast import Measurement, measure
from valuebias.models.loading import load_reward_model
from valuebias.models.repaired import KEY
from valuebias.models.settings import Settings
from valuebias.organisms.reward import preferences, write_preferences
from valuebias.prompts import GREATEST, SHIPPED
from valuebias.report.repair_page import repair_page
from valuebias.scorers.in_memory import InMemory
from valuebias.scorers.schemes import parse_spec
from valuebias.stats.verdict import Margin, Outcome, judge

CPU = Settings(device="cpu")
ASKED = (
    "repair", "demo:agency", "--contrast=big_two:agency~communion", "--keep=keep.jsonl",
    "--suite=big_two", "--lexicon=big_two=words.csv", "--margins=margins.yaml",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repair")
    lexicon = starter("big_two")
    rows = [f"{w},{side}" for side in lexicon.categories for w in lexicon.categories[side][:144:3]]
    (folder / "words.csv").write_text("\n".join(["word,category", *rows]) + "\n", "utf-8")
    entries = [
        f"  - {{lexicon: big_two, contrast: agency~communion, valence: {valence}, role: range, "
        "interval: [-0.75, 0.75]}"
        for valence in ("positive", "negative")
    ]
    (folder / "margins.yaml").write_text("\n".join(["margins:", *entries]), "utf-8")
    write_preferences(preferences(600, "repair", flipped=0.1), folder / "keep.jsonl")
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(folder / "store"))


@pytest.fixture(scope="module")
def repaired(folder: Path) -> Iterator[tuple[Path, str]]:
    """A repaired model's folder, and what the command printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("VALUEBIAS_CACHE_DIR", str(folder / "store"))
        with contextlib.redirect_stdout(io.StringIO()) as out:
            ended = main([*ASKED, "--accuracy-loss=0.05", "--out=repaired"])
        assert ended == 0, out.getvalue()
        yield folder / "repaired", out.getvalue()


def test_what_the_command_says(repaired: tuple[Path, str]) -> None:
    _, out = repaired
    assert max(map(len, out.splitlines())) <= 80
    text = " ".join(out.split())
    assert "Not checked: what a policy would say after optimisation (--policy)." in text
    assert text.count(" yes ranks, ") == 2
    assert " yes accuracy on 300 kept preferences: " in text
    assert " yes instrument check: " in text
    assert "random directions 0 do the same" in text
    assert "moved: big_two agency~communion, positive prompts: +." in text
    assert text.endswith("Written: repaired")


def test_the_certificate_and_its_page(repaired: tuple[Path, str]) -> None:
    path, _ = repaired
    told = json.loads((path / "valuebias-repair.json").read_text("utf-8"))
    lexicon = load_lexicon("big_two", path.parent / "words.csv")
    on = {"lexicon": "big_two", "sha256": lexicon.digest, "contrast": "agency~communion"}
    assert told[KEY] == [on] == json.loads((path / "config.json").read_text("utf-8"))[KEY]
    assert told["repaired"] is True
    assert told["refused"] == []
    assert told["model"] == "demo:agency"
    for finding in told["held_out"]:
        assert abs(finding["before"]) > 0.5
        assert -0.75 <= finding["low"] <= finding["after"] <= finding["high"] <= 0.75
        assert finding["shown"]
    assert [sham["shown"] for sham in told["shams"]] == [False] * 5
    assert 0 < told["price"]["spearman"] < 1
    assert told["halves"]["families"] == [48, 48]
    page = (path / "valuebias-repair.html").read_text("utf-8")
    assert page == repair_page(told)
    assert 'data-repaired="true"' in page
    assert "<script" not in page
    bad = "<script>alert(1)</script>\x1b[31m"
    told["model"] = told["held_out"][0]["reason"] = told["moved"][0]["contrast"] = bad
    hostile = repair_page(told)
    assert "<script" not in hostile
    assert "\x1b" not in hostile


def test_any_loader_reads_the_model_and_only_its_head_has_changed(
    repaired: tuple[Path, str],
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    path, _ = repaired
    words = Candidates.words(("freedom", "love", "mastery"))
    ours: Any = load_reward_model(parse_spec(str(path)), CPU)
    old: Any = load_reward_model(parse_spec("demo:agency"), CPU)
    theirs, info = AutoModelForSequenceClassification.from_pretrained(
        path, output_loading_info=True
    )
    assert not info["missing_keys"]
    tokenizer = AutoTokenizer.from_pretrained(path)
    rewards = []
    for word in words.responses:
        turns = [
            {"role": "user", "content": GREATEST.text},
            {"role": "assistant", "content": word},
        ]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.inference_mode():
            rewards.append(float(theirs.eval()(input_ids=ids).logits[0, 0]))
    new = ours.score_prompt(GREATEST, words)
    np.testing.assert_allclose(new, rewards, atol=1e-5)
    assert np.abs(new - old.score_prompt(GREATEST, words)).max() > 0.05
    states = old.head.model.state_dict()
    for name, tensor in ours.head.model.state_dict().items():
        same = torch.allclose(tensor, states[name], atol=1e-6)
        assert same is (name != "score.weight"), name


def effect(path: Path, name: str = "big_two") -> Measurement:
    model: Any = load_reward_model(parse_spec(str(path)), CPU)
    scorer = InMemory(model, "reward", model.head.model)
    words = path.parent / "words.csv"
    lexicon = load_lexicon(name, words) if name == "big_two" else starter(name)
    contrast = "agency~communion" if name == "big_two" else "care.virtue"
    prompts = replace(SHIPPED["balanced"], prompts=SHIPPED["balanced"].of("positive"))
    return measure(scorer, lexicon, contrast, "positive", prompts=prompts, vocabulary=False)


def test_its_lexicon_is_no_longer_evidence_of_it(repaired: tuple[Path, str]) -> None:
    path, _ = repaired
    found = effect(path)
    assert "no longer independent evidence" in found.detail
    verdict = judge(found.effect, Margin(-0.9, 0.9))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no longer independent evidence" in verdict.reason
    top = found.top_share().effect
    assert "no longer independent evidence" in top.exploratory
    assert "no longer" not in effect(path, "mfd2").effect.exploratory


@pytest.mark.parametrize("lost", ["valuebias-repair.json", "config.json"])
def test_that_is_known_from_either_file(lost: str, repaired: tuple[Path, str]) -> None:
    path, _ = repaired
    copy = path.parent / f"without-{lost}"
    shutil.copytree(path, copy)
    if lost == "config.json":
        config = json.loads((copy / lost).read_text("utf-8"))
        del config[KEY]
        (copy / lost).write_text(json.dumps(config), "utf-8")
    else:
        (copy / lost).unlink()
    assert "no longer independent evidence" in effect(copy).effect.exploratory


@pytest.mark.parametrize("wrong", [["big_two"], {"lexicon": "x"}, 3, [{"lexicon": "x"}], "x"])
def test_a_record_that_was_tampered_with_is_an_error(
    wrong: object, repaired: tuple[Path, str]
) -> None:
    path, _ = repaired
    copy = path.parent / "tampered"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    config = json.loads((copy / "config.json").read_text("utf-8")) | {KEY: wrong}
    (copy / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="does not say which lexicon"):
        load_reward_model(parse_spec(str(copy)), CPU, preflight=False)


def test_a_whole_model_is_repaired_again_and_remembers_both(
    repaired: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is inside its margins by now, so that there is nothing to repair."""
    assert main(["repair", "repaired", *ASKED[2:], "--out=again"]) == 2
    assert "there is nothing to repair" in capsys.readouterr().err
    assert not Path("again").exists()


def test_what_costs_too_much_is_refused_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    before = sorted({path.name for path in folder.iterdir()} - {"store"})
    policy = "--policy=demo:agency"
    assert main([*ASKED, policy, "--accuracy-loss=0.0001", "--out=refused"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "mass, positive prompts" in out
    assert "mass, negative prompts" in out
    assert "Not checked" not in out
    assert "Refused: accuracy on 300 kept preferences: a change of" in out
    assert out.endswith("Nothing was written.")
    assert sorted({path.name for path in folder.iterdir()} - {"store"}) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--contrast": "agency~communion"}, "one contrast of a suite's lexicon"),
        ({"--contrast": "big_two:agency~nothing"}, "no such category"),
        ({"--keep": "missing.jsonl"}, "cannot be read"),
        ({"--out": "."}, "is not empty"),
        ({"--policy": "dpo:demo:agency,demo:neutral"}, "language model"),
    ],
)
def test_what_cannot_be_repaired_is_said(
    changed: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [one for one in (*ASKED, "--out=none") if one.split("=")[0] not in changed]
    assert main([*given, *(f"{key}={value}" for key, value in changed.items())]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not Path("none").exists()
