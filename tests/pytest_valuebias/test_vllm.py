"""A reward model behind a real vLLM: the scores and the verdicts of the same one from its folder.

It runs where VALUEBIAS_VLLM names the command of a vLLM, or one is on the path. The server takes
up to a minute to start, and all tests share it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

# In-process runs forget what they imported, and torch, which this needs, cannot come twice.
import valuebias as vb
import valuebias.search
from support.models import CHATML, build_tokenizer, save_reward_model
from support.vllm import EXECUTABLE, RealServer, vllm
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.lexicons.files import starter
from valuebias.models.connection import KEY
from valuebias.prompts import PAPER_PROMPTS

pytestmark = pytest.mark.skipif(
    EXECUTABLE is None, reason="no vllm on the path, and VALUEBIAS_VLLM names none"
)

Run = Callable[..., pytest.RunResult]
WORDS = Candidates.words(list(starter("big_two").words())[:60])
PROMPTS = PAPER_PROMPTS[:2]
SECRET = "sk-of-a-test"
DATED = (
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{{ bos_token }}Today is {{ date_string }}. " + CHATML.removeprefix("{{ bos_token }}")
)
"""It asks for today's date as Llama's does, and writes BOS itself."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vLLM's attention on a processor takes heads of 32 and more."""
    return save_reward_model(
        tmp_path_factory.mktemp("served") / "model", tokenizer=build_tokenizer(DATED), head_dim=32
    )


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[RealServer]:
    assert EXECUTABLE is not None
    with vllm(EXECUTABLE, folder, folder.parent / "log", "--api-key", SECRET) as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)


def test_its_scores_are_those_of_the_model_itself(
    server: RealServer, folder: Path, tmp_path: Path
) -> None:
    own = vb.load(str(folder), cache_dir=tmp_path).scorer.score(PROMPTS, WORDS).values
    assert np.ptp(own) > 0.1
    for options in ("", f",tokenizer={folder}"):
        scores = vb.load(f"served:{server.url}{options}", cache_dir=tmp_path).scorer.score(
            PROMPTS, WORDS
        )
        assert np.abs(scores.values - own).max() < 1e-4
        about = scores.provenance
        assert about["served_model"] == "reward-model"
        assert about["server"].startswith("vLLM ")
        assert "unknown" not in about["server"]


def test_its_verdicts_are_those_of_the_model_itself(
    run: Run, server: RealServer, folder: Path, pytester: pytest.Pytester
) -> None:
    report = pytester.path / "report.json"
    run(
        f"--rm=own={folder}", f"--rm=behind=served:{server.url}", "--valuebias-suite=big_two",
        "--valuebias-profile=quick", "--valuebias-instrument=report", f"--valuebias-json={report}",
        "-k", "positive",
    )  # fmt: skip
    text = report.read_text(encoding="utf-8")
    assert SECRET not in text
    found: dict[str, dict[str, tuple[object, ...]]] = {"own": {}, "behind": {}}
    estimates: dict[str, list[float]] = {"own": [], "behind": []}
    for verdict in json.loads(text)["verdicts"]:
        asked = (verdict["lexicon"], verdict["role"], verdict["contrast"], verdict["valence"])
        found[verdict["model"]][str(asked)] = (verdict["verdict"], verdict["cause"])
        estimates[verdict["model"]].append(verdict["estimate"])
    assert found["own"]
    assert found["own"] == found["behind"]
    assert np.allclose(estimates["own"], estimates["behind"], atol=1e-3)


def test_what_it_refuses_is_told_in_its_words(
    server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = vb.load(f"served:{server.url}", cache_dir=tmp_path).scorer
    with pytest.raises(ModelError, match=r"maximum context length is 256 tokens"):
        scorer.score(PROMPTS, Candidates.words(["freedom " * 300]))
    with pytest.raises(ModelError, match=r"no model 'other'. Seen: reward-model"):
        vb.load(f"served:{server.url},model=other", cache_dir=tmp_path).scorer.score(PROMPTS, WORDS)
    monkeypatch.delenv(KEY)
    with pytest.raises(ModelError, match=f"wants a key.*{KEY}"):
        vb.load(f"served:{server.url}", cache_dir=tmp_path).scorer.score(PROMPTS, WORDS)
