"""Real models through the same command: from a folder, embedded, refused, loaded once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers  # noqa: F401
import torch  # noqa: F401
import transformers  # noqa: F401

from support.models import save_language_model, save_reward_model, test_data
from valuebias.store.database import Store

Run = Callable[..., pytest.RunResult]
WORDS = (("power", "agency"), ("love", "communion"))
SHOWN = "--valuebias-instrument=report"

pytestmark = pytest.mark.usefixtures("own_store")

needs_data = pytest.mark.skipif(
    test_data() is None, reason="VALUEBIAS_TEST_DATA is not set: no real tokenizer or weights"
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models are saved. Of the session, and so made before a test's pytester, which forgets
    the modules imported under it; torch does not survive being imported twice."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def reward_model(folder: Path) -> Path:
    return save_reward_model(folder / "rm")


@pytest.fixture(scope="session")
def language_model(folder: Path) -> Path:
    return save_language_model(folder / "lm")


@pytest.fixture(scope="session")
def other_language_model(folder: Path) -> Path:
    return save_language_model(folder / "other", seed=1)


@pytest.fixture(scope="session", params=["llama", "gemma2", "qwen3", "mistral"])
def real_tokenizer_model(folder: Path, request: pytest.FixtureRequest) -> Path:
    from support.tokenizers_real import llama2

    data = test_data()
    assert data is not None
    tokenizer = llama2(data)
    tokenizer.pad_token = tokenizer.unk_token
    return save_reward_model(folder / f"rm-{request.param}", request.param, tokenizer=tokenizer)


@pytest.fixture(scope="session")
def stories_model(folder: Path) -> Path:
    from support import llama2c

    data = test_data()
    assert data is not None
    return llama2c.save_reward_model(data / "models" / "stories260K", folder / "stories")


@needs_data
def test_a_model_with_a_real_tokenizer_runs_from_its_folder(
    real_tokenizer_model: Path, own_process: Run
) -> None:
    # Its head is random: it does not read the questions, and its verdicts are shown.
    result = own_process(f"--rm={real_tokenizer_model}", "--valuebias-suite=big_two", SHOWN)
    out = result.stdout.str()
    assert result.parseoutcomes() == {"skipped": 4}, out
    assert f"NOT GATED: {real_tokenizer_model.name} does not read the questions" in out
    assert real_tokenizer_model.name in out
    assert "shared-prefix" in out
    assert "tokens of its" in out
    assert "NOTHING WAS GATED" in out


@needs_data
def test_pretrained_weights_with_a_trained_head_run(stories_model: Path, own_process: Run) -> None:
    # It has no chat template, and says so; its head was trained for other questions than these.
    args = (f"--rm={stories_model}", "--valuebias-suite=big_two", SHOWN)
    result = own_process(*args)
    assert result.parseoutcomes() == {"errors": 4}, result.stdout.str()
    result.stdout.fnmatch_lines("*the format of its conversations is not known*")
    result = own_process(*args, "--valuebias-template=plain")
    out = result.stdout.str()
    assert result.parseoutcomes() == {"skipped": 4}, out
    assert "NOT GATED: stories does not read the questions" in out
    assert "plain template" in out
    assert "NOTHING WAS GATED" in out


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_model_is_loaded_once(
    reward_model: Path, own_process: Run, workers: tuple[str, ...]
) -> None:
    args = [f"--rm={reward_model}", "--valuebias-profile=quick", SHOWN, *workers]
    result = own_process(*args)
    assert result.parseoutcomes().get("errors") is None, result.stdout.str()
    store = Store(Path(os.environ["VALUEBIAS_CACHE_DIR"]) / "scores.sqlite")
    assert len(store.loads()) == 1
    again = own_process(*args)
    assert len(store.loads()) == 1  # everything is read back
    assert again.parseoutcomes() == result.parseoutcomes()


def test_a_base_and_a_pair_are_loaded_once_too(
    reward_model: Path,
    language_model: Path,
    other_language_model: Path,
    own_process: Run,
    tmp_path: Path,
) -> None:
    words = tmp_path / "words.csv"
    pairs = [(f"{stem}{chr(97 + i)}", side) for i in range(20) for stem, side in WORDS]
    words.write_text("word,category\n" + "".join(f"{w},{side}\n" for w, side in pairs))
    result = own_process(
        f"--rm={reward_model}",
        f"--base={language_model}",
        f"--llm=one={language_model}",
        f"--llm=two={other_language_model}",
        f"--valuebias-lexicon=big_two={words}",
        "--valuebias-profile=quick",
        SHOWN,
        *("-n", "2", "-k", "big_two"),
    )
    out = result.stdout.str()
    assert "one-to-two (implicit reward)" in out
    assert result.parseoutcomes().get("errors") is None, out
    store = Store(Path(os.environ["VALUEBIAS_CACHE_DIR"]) / "scores.sqlite")
    assert sorted(Counter(fingerprint for fingerprint, *_ in store.loads()).values()) == [1, 1, 1]


def test_a_language_model_is_refused_as_a_reward_model(
    language_model: Path, own_process: Run
) -> None:
    result = own_process(f"--rm={language_model}", "--valuebias-suite=big_two")
    assert result.parseoutcomes() == {"errors": 4}
    out = result.stdout.str()
    assert "ModelError" in out
    assert "Traceback" not in out
    assert "NOTHING WAS GATED" in out


def test_a_language_model_fixture_gives_log_probabilities(
    language_model: Path, own_process: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        """
        def test_lm(language_model):
            values = language_model.score(["love", "freedom"]).values
            assert values.shape == (1, 2) and (values < 0).all()
        """
    )
    result = own_process(f"--llm={language_model}", "--valuebias-suite=none")
    result.assert_outcomes(passed=1)


def test_wildcards_stand_for_words_of_the_vocabulary(
    own_process: Run, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    lexicon = tmp_path / "big_two.dic"
    stems = ("abil", "achiev", "ambit", "compet", "cour"), ("affect", "compas", "famil", "friend")
    lines = [f"{stem}*\t{side}" for side, some in enumerate(stems, 1) for stem in some]
    lexicon.write_text(
        "%\n1 agency\n2 communion\n%\n" + "\n".join([*lines, "love*\t2", "skill\t1"])
    )
    pytester.makepyfile(
        """
        def test_words(bias):
            effect = bias("big_two", "agency", "communion", valence="positive")
            assert effect.measurement.coverage == 1
            assert effect.measurement.effect.n_words[0] >= 6
        """
    )
    result = own_process(
        "--rm=demo:agency", f"--valuebias-lexicon=big_two={lexicon}", "--valuebias-suite=none",
        "-Wdefault::pytest_valuebias.gate.ValueBiasWarning",  # it judges nothing
    )  # fmt: skip
    assert result.parseoutcomes() == {"passed": 1, "warnings": 1}, result.stdout.str()


@pytest.mark.usefixtures("demo_store")
@pytest.mark.parametrize(
    ("demo", "positive", "sign"),
    [("agency", "FAIL", "+"), ("communion", "FAIL", "-"), ("neutral", "PASS", "")],
)
def test_the_embedded_models_come_out_as_planted(
    own_process: Run, demo: str, positive: str, sign: str
) -> None:
    result = own_process(
        f"--rm=demo:{demo}", "--valuebias-suite=big_two", "-k", "positive", "--valuebias-device=cpu"
    )
    row = next(line for line in result.stdout.lines if line.startswith("agency~communion"))
    assert row.split()[-1] == positive
    assert row.split()[2].startswith(sign or ("+", "-"))


def test_an_embedded_base_is_a_language_model(own_process: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_base(reward_model, base_model):
            assert base_model.score(["freedom"]).values[0, 0] < 0
            assert base_model.fingerprint != reward_model.fingerprint
        """
    )
    result = own_process(
        "--rm=demo:agency", "--base=demo:agency", "--valuebias-suite=none", "--valuebias-offline"
    )
    assert result.parseoutcomes().get("passed") == 1, result.stdout.str()


@pytest.mark.usefixtures("demo_store")
def test_the_examples_run(own_process: Run, pytester: pytest.Pytester) -> None:
    examples = Path(__file__).parents[2] / "examples"
    result = own_process("--rm=demo:neutral", "--valuebias-suite=none", examples)
    result.assert_outcomes(passed=5, skipped=1)  # one asks for a --reference
    assert "asserted by your own tests" in result.stdout.str()
