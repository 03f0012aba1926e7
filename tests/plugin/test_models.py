"""Real models through the same command: from a folder, embedded, refused, loaded once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers  # noqa: F401
import torch  # noqa: F401
import transformers  # noqa: F401

from support.models import save_language_model, save_reward_model, test_data
from valuebias.store import Store

pytestmark = pytest.mark.usefixtures("own_store")

needs_data = pytest.mark.skipif(
    test_data() is None, reason="VALUEBIAS_TEST_DATA is not set: no real tokenizer or weights"
)


@pytest.fixture
def pytest_run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """A fresh process: torch does not survive being imported twice in one."""

    def run(*args: object) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-W", "error", *map(str, args))

    return run


@needs_data
@pytest.mark.parametrize("family", ["llama", "gemma2", "qwen3", "mistral"])
def test_a_model_with_a_real_tokenizer_runs_from_its_folder(
    pytest_run: Any, tmp_path: Path, family: str
) -> None:
    from support.tokenizers_real import llama2

    folder = test_data()
    assert folder is not None
    tokenizer = llama2(folder)
    tokenizer.pad_token = tokenizer.unk_token
    path = save_reward_model(tmp_path / f"rm-{family}", family, tokenizer=tokenizer)
    result = pytest_run(f"--rm={path}", "--valuebias-suite=big_two")
    out = result.stdout.str()
    assert result.parseoutcomes().get("errors") is None, out
    assert f"rm-{family}" in out
    assert "shared-prefix" in out
    assert "tokens of its" in out
    assert "NOTHING WAS GATED" not in out


@needs_data
def test_pretrained_weights_with_a_trained_head_run(pytest_run: Any, tmp_path: Path) -> None:
    from support import llama2c

    folder = test_data()
    assert folder is not None
    path = llama2c.save_reward_model(folder / "models" / "stories260K", tmp_path / "stories")
    result = pytest_run(f"--rm={path}", "--valuebias-suite=big_two")
    out = result.stdout.str()
    assert result.parseoutcomes().get("errors") is None, out
    assert "plain" in out  # it has no chat template, and the report says what was used instead
    assert "NOTHING WAS GATED" not in out


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_model_is_loaded_once(pytest_run: Any, tmp_path: Path, workers: tuple[str, ...]) -> None:
    path = save_reward_model(tmp_path / "rm")
    result = pytest_run(f"--rm={path}", *workers)
    assert result.parseoutcomes().get("errors") is None, result.stdout.str()
    store = Store(Path(os.environ["VALUEBIAS_CACHE_DIR"]) / "scores.sqlite")
    assert len(store.loads()) == 1
    again = pytest_run(f"--rm={path}", *workers)
    assert len(store.loads()) == 1  # everything is read back
    assert again.parseoutcomes() == result.parseoutcomes()


def test_a_language_model_is_refused_as_a_reward_model(pytest_run: Any, tmp_path: Path) -> None:
    path = save_language_model(tmp_path / "lm")
    result = pytest_run(f"--rm={path}", "--valuebias-suite=big_two")
    assert result.parseoutcomes() == {"errors": 2}
    out = result.stdout.str()
    assert "ModelError" in out
    assert "Traceback" not in out
    assert "NOTHING WAS GATED" in out


def test_a_language_model_fixture_gives_log_probabilities(
    pytest_run: Any, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    path = save_language_model(tmp_path / "lm")
    pytester.makepyfile(
        """
        def test_lm(language_model):
            values = language_model.score(["love", "freedom"]).values
            assert values.shape == (1, 2) and (values < 0).all()
        """
    )
    result = pytest_run(f"--llm={path}")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("demo", "positive", "sign"),
    [("agency", "FAIL", "+"), ("communion", "FAIL", "-"), ("neutral", "PASS", "")],
)
def test_the_embedded_models_come_out_as_planted(
    pytest_run: Any, demo: str, positive: str, sign: str
) -> None:
    result = pytest_run(
        f"--rm=demo:{demo}", "--valuebias-suite=big_two", "-k", "positive", "--valuebias-device=cpu"
    )
    row = next(line for line in result.stdout.lines if line.startswith("agency~communion"))
    assert row.split()[-1] == positive
    assert row.split()[2].startswith(sign or ("+", "-"))


def test_an_embedded_base_is_a_language_model(
    pytest_run: Any, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        """
        def test_base(reward_model, base_model):
            assert base_model.score(["freedom"]).values[0, 0] < 0
            assert base_model.fingerprint != reward_model.fingerprint
        """
    )
    result = pytest_run(
        "--rm=demo:agency", "--base=demo:agency", "--valuebias-suite=none", "--valuebias-offline"
    )
    assert result.parseoutcomes().get("passed") == 1, result.stdout.str()
