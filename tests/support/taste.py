"""A reward model of a few lines: a taste in words that reads the questions, as a function of pairs.

``make`` and its like are factories for ``py:support.taste:make``. Agency's words are raised by
``shift``; words of virtue are raised where the best is asked for and lowered where the worst is.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

Pair = tuple[str, str]


@cache
def _known() -> tuple[dict[str, int], dict[str, int], frozenset[str]]:
    from support.scores import _CONTROL, _GOOD
    from valuebias.lexicons.files import starter
    from valuebias.prompts import SHIPPED

    valences = {
        prompt.text: 1 if prompt.valence == "positive" else -1
        for each in SHIPPED.values()
        for prompt in each.prompts
    }
    sides = {"virtue": 1, "vice": -1}
    good = {word: sign for side, sign in sides.items() for word in _CONTROL.categories[side]}
    return valences, good | _GOOD, frozenset(starter("big_two").categories["agency"])


def noise(text: str) -> float:
    """About normal, mean 0, standard deviation 1."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return float(sum(digest[:12]) / 255 - 6)


def reward(question: str, answer: str, *, shift: float = 0.0, seed: int = 0) -> float:
    """The reward of one answer."""
    valences, good, agency = _known()
    word = answer.lower()
    return (
        noise(f"{seed}{word}")
        + shift * (word in agency)
        + 2 * good.get(word, 0) * valences.get(question, 0)
        + 0.3 * noise(f"{question}|{answer}")
    )


def rewards(shift: float = 0.0, seed: int = 0) -> Callable[[Sequence[Pair]], list[float]]:
    """The function."""
    return lambda pairs: [reward(*pair, shift=shift, seed=seed) for pair in pairs]


def make() -> Callable[[Sequence[Pair]], list[float]]:
    """It leans to agency; each call leaves a line in the file that TASTE_LOG names."""
    if log := os.environ.get("TASTE_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
    return rewards(shift=1.5)


def demo() -> tuple[Any, Any]:
    """An embedded reward model, with its tokenizer."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from valuebias.organisms.paths import base_model, reward_model

    base = AutoModelForSequenceClassification.from_pretrained(
        base_model("agency"), num_labels=1, dtype=torch.float32
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)  # PEFT's
        model: Any = PeftModel.from_pretrained(base, reward_model("agency"))
    return model.merge_and_unload(), AutoTokenizer.from_pretrained(base_model("agency"))


def demo_base() -> tuple[Any, Any]:
    """Its base, a language model, with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from valuebias.organisms.paths import base_model

    model = AutoModelForCausalLM.from_pretrained(base_model("agency"), dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(base_model("agency"))


def bare_model() -> Any:
    return demo()[0]


def of_nothing() -> None:
    return None


def raising() -> None:
    raise RuntimeError("the disk is on fire\nand so is the rest")


def leaving() -> None:
    raise SystemExit(3)


NUMBER = 3
