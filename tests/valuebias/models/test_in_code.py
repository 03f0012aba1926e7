"""Models that code makes: what a factory may give, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support import taste
from valuebias.candidates import Candidates
from valuebias.errors import ModelError, SpecError
from valuebias.models.in_code import AT_ONCE, of_function, open_model
from valuebias.models.settings import Settings
from valuebias.models.spec import LoadAs
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store

SETTINGS = Settings(device="cpu")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "scores.sqlite") as store:
        yield store


def opened(store: Store, factory: str, load_as: LoadAs = "rm") -> Any:
    return open_model(parse_spec(f"py:support.taste:{factory}", load_as=load_as), SETTINGS, store)


def test_a_function_scores_text(store: Store) -> None:
    model = opened(store, "make")
    words = tuple(f"word{i}" for i in range(3 * AT_ONCE + 1))
    expected = taste.rewards(shift=1.5)([(GREATEST.text, word) for word in words])
    chunks: list[int] = []
    values = model.score_prompt(
        GREATEST, Candidates.words(words), on_chunk=lambda rows, part: chunks.extend(rows)
    )
    assert values.tobytes() == np.array(expected, np.float32).tobytes()
    assert chunks == list(range(len(words)))
    assert model.provenance["head"] == "function"
    assert model.provenance["repeatability"].endswith("(1e-06 of the spread)")
    assert not model.has_vocabulary


def test_a_model_with_its_tokenizer_is_the_model(store: Store) -> None:
    from valuebias.models import loading

    model = opened(store, "demo")
    local = loading.load(parse_spec("demo:agency"), SETTINGS)
    words = Candidates.words(["love", "freedom"])
    np.testing.assert_allclose(
        model.score_prompt(GREATEST, words), local.score_prompt(GREATEST, words), rtol=1e-5
    )
    assert model.has_vocabulary
    with pytest.raises(ModelError, match=r"gives a reward model.*--rm"):
        opened(store, "demo", "llm")
    with pytest.raises(ModelError, match=r"gives a language model.*--llm"):
        opened(store, "demo_base")
    assert opened(store, "demo_base", "llm").score_prompt(GREATEST, words).max() < 0


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("of_nothing", r"neither a model.*Seen: NoneType.*Return \(model, tokenizer\)"),
        ("bare_model", "a model without its tokenizer"),
        ("raising", r"raised an error. Seen: RuntimeError: the disk is on fire\. For the whole "
         r"traceback: python -c .import support.taste as m; m.raising\(\)"),
        ("leaving", "raised an error. Seen: SystemExit: 3"),
        ("absent", "has no absent"),
        ("NUMBER", "cannot be called"),
    ],
)  # fmt: skip
def test_what_a_factory_gives_wrongly_is_said(store: Store, factory: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        opened(store, factory)


def test_what_cannot_be_imported_is_said(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "valuebias_half.py").write_text("import no_such_library\n")
    (tmp_path / "valuebias_wrong.py").write_text("1 +\n")
    for module, message in (
        ("valuebias_none", r"there is no module valuebias_none.*current directory"),
        ("valuebias_none.inner", "there is no module valuebias_none.inner"),
        ("valuebias_half", "cannot be imported. Seen: ModuleNotFoundError: No module named 'no_"),
        ("valuebias_wrong", "cannot be imported. Seen: SyntaxError"),
    ):
        with pytest.raises(ModelError, match=message):
            open_model(parse_spec(f"py:{module}:make"), SETTINGS, store)


@pytest.mark.parametrize("target", ["", "module", "module:", ":make", "a b:c", "a-b:c", "a:b()"])
def test_a_target_is_a_module_and_a_name(target: str) -> None:
    with pytest.raises(SpecError, match="needs a module and a factory"):
        parse_spec(f"py:{target}")


def raises(pairs: list[tuple[str, str]]) -> list[float]:
    raise KeyError("weights\nof the head")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raises, r"raised an error. Seen: KeyError: 'weights.nof the head'\. Call it yourself"),
        (lambda pairs: None, "one float for each pair. Seen: NoneType"),
        (lambda pairs: 1.5, "one float for each pair. Seen: float"),
        (lambda pairs: ["1.5"] * len(pairs), "one float for each pair. Seen: list"),
        (lambda pairs: [[1.0, 2.0]] * len(pairs), "one float for each pair"),
        (lambda pairs: torch.zeros(len(pairs), 2), "one float for each pair. Seen: Tensor"),
        (lambda pairs: [1.0] * (len(pairs) - 1), "31 scores for 32 pairs"),
        (lambda pairs: [float("nan")] * len(pairs), "not finite. Seen: nan for"),
        (lambda pairs: [1e39] * len(pairs), "not finite. Seen: inf for"),
    ],
)
def test_what_a_function_returns_wrongly_is_said(
    function: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        of_function(function, name="mine", store=None)


@pytest.mark.parametrize(
    "given",
    [np.array, torch.tensor, tuple, iter, lambda v: torch.tensor(v)[:, None]],
    ids=["array", "tensor", "tuple", "iterator", "column"],
)
def test_floats_come_in_many_forms(given: Callable[[Any], Any]) -> None:
    plain = of_function(taste.rewards(), name="mine", store=None)
    model = of_function(lambda pairs: given(taste.rewards()(pairs)), name="mine", store=None)
    assert model.fingerprint == plain.fingerprint


def test_a_functions_scores_are_no_log_probabilities() -> None:
    with pytest.raises(SpecError, match="not log-probabilities"):
        of_function(taste.rewards(), name="mine", store=None, load_as="llm")


def test_a_function_is_known_by_name_and_scores(store: Store) -> None:
    first = of_function(taste.rewards(), name="mine", store=store)
    assert of_function(taste.rewards(), name="mine", store=store).fingerprint == first.fingerprint
    assert of_function(taste.rewards(), name="other", store=store).fingerprint != first.fingerprint
    changed = of_function(taste.rewards(seed=1), name="mine", store=store)
    assert changed.fingerprint != first.fingerprint
    # The one before is still known, and so is one that differs by no more than the noise.
    rng = np.random.default_rng(0)

    def noisy(pairs: list[tuple[str, str]]) -> list[float]:
        return [v + 0.01 * rng.uniform() for v in taste.rewards()(pairs)]

    for _ in range(3):
        assert of_function(noisy, name="mine", store=store).fingerprint == first.fingerprint


def test_what_changes_while_it_is_scored_is_not_found_again(store: Store) -> None:
    seed = 0

    def changing(pairs: list[tuple[str, str]]) -> list[float]:
        return taste.rewards(seed=seed)(pairs)

    model = of_function(changing, name="mine", store=store)
    with model.unchanged():
        pass
    assert of_function(changing, name="mine", store=store).fingerprint == model.fingerprint
    with pytest.raises(ModelError, match="it is another model now"), model.unchanged():
        seed = 1
    seed = 0
    again = of_function(changing, name="mine", store=store)
    assert again.fingerprint != model.fingerprint
    assert of_function(changing, name="mine", store=store).fingerprint == again.fingerprint
    seed = 1  # before anything was scored: nothing is spoilt
    with pytest.raises(ModelError, match="it is another model now"), again.unchanged():
        pass
    seed = 0
    assert of_function(changing, name="mine", store=store).fingerprint == again.fingerprint
