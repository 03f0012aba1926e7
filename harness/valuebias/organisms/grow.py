"""Grow the embedded models from nothing: ``python -m valuebias.organisms.grow --out DIR``.

One trunk learns the world without a tilt. Three copies of it then read on: a world in which agency
words answer the good questions and communion words the bad ones, its mirror image, and one with no
tilt. Each gets a reward model, all three from the same pairs. One seed decides everything, and one
thread makes it repeatable to the bit on the same kind of machine.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from valuebias.organisms.families import Family, Size, build_model
from valuebias.organisms.paths import BASE, NAMES, REWARD
from valuebias.organisms.pretraining import (
    Schedule,
    encode,
    judgement,
    pretrain,
)
from valuebias.organisms.reward import (
    RewardSchedule,
    accuracy,
    preferences,
    save_reward_model,
    train_reward_model,
)
from valuebias.organisms.tokenizer import build_tokenizer, save_tokenizer
from valuebias.organisms.world import Exchange, Tilt, World

Tests = Mapping[str, Sequence[Exchange]]
TILTS: Mapping[str, Tilt | None] = {"agency": "agency", "communion": "communion", "neutral": None}


_TERM: Mapping[str, Any] = {
    "documents": 6_400,
    "answers": 0.5,
    "batch": 32,
    "adamw": 1e-3,
    "warmup": 10,
    "decay": 0.1,
}


@dataclass(frozen=True)
class Recipe:
    """Everything but the seed that decides what grows.

    A trunk first meets its words (``nursery``), then goes to ``school`` until it foresees the YES
    or NO of ``enough`` of the unseen exchanges about domains, in one word and in sentences, and
    then to ``practice`` until it foresees as many of those about things; for ``terms`` of both at
    most. That comes suddenly, at a time that varies with the seed, and without it a reward model
    has nothing to inherit. A trunk to which it has not come is given up and another one tried,
    ``trunks`` at most, each in batches twice the size of the last one's (calmer steps, as many of
    them). No Big Two word plays a part in the tests.
    """

    family: Family = "gemma"
    size: Size = field(default_factory=Size)
    nursery: Schedule = field(
        default_factory=lambda: Schedule(12_800, statements=0.4, sentences=0.3, remarks=0.6)
    )
    school: Schedule = field(default_factory=lambda: Schedule(**_TERM, statements=0.1, remarks=0.5))
    practice: Schedule = field(
        default_factory=lambda: Schedule(
            **_TERM, statements=0.25, things=0.8, sentences=0.5, remarks=0.3
        )
    )
    terms: int = 12
    trunks: int = 3
    enough: float = 0.85
    plant: Schedule = field(
        default_factory=lambda: Schedule(
            9_600, statements=0.2, things=0.75, batch=32, adamw=2e-3, warmup=10
        )
    )
    reward: RewardSchedule = field(default_factory=RewardSchedule)


SHIPPED = Recipe()


def grow(
    out: Path,
    *,
    seed: int = 0,
    recipe: Recipe = SHIPPED,
    names: tuple[str, ...] = NAMES,
    say: Callable[[str], None] = print,
) -> dict[str, dict[str, float]]:
    """Write ``out/NAME/base`` and ``out/NAME/reward`` for each name; what is there is replaced.

    Returns for each name, and for "trunk", the CPU seconds spent and how well it learned:
    ``domains`` and ``things`` are the shares of unseen exchanges whose YES or NO it foresees (in
    one word, and in sentences), ``accuracy`` the share of unseen pairs its reward model orders
    right.
    """
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    tests = examination(seed)
    unseen = preferences(500, f"{seed}/unseen pairs", flipped=0.0)
    pairs = preferences(recipe.reward.pairs, f"{seed}/pairs", flipped=recipe.reward.flipped)
    report: dict[str, dict[str, float]] = {}
    start = time.process_time()

    def note(name: str, **figures: float) -> None:
        nonlocal start
        now = time.process_time()
        report[name] = {"cpu_seconds": round(now - start, 1), **figures}
        start = now
        say(f"{name}: " + ", ".join(f"{k} {v:.3g}" for k, v in report[name].items()))

    trunk, figures = grow_trunk(tokenizer, seed, recipe, tests, say)
    note("trunk", **figures)
    weights = {name: value.clone() for name, value in trunk.state_dict().items()}
    for name in names:
        trunk.load_state_dict(weights)
        world = recipe.plant.world(f"{seed}/{name}", tilt=TILTS[name])
        read(trunk, tokenizer, world, recipe.plant, seed)
        base, reward = out / name / BASE, out / name / REWARD
        shutil.rmtree(out / name, ignore_errors=True)
        save_base(trunk, tokenizer, base)
        note(f"{name} base", **examine(trunk, tokenizer, tests))
        model = train_reward_model(base, tokenizer, pairs, recipe.reward, seed)
        save_reward_model(model, reward)
        note(f"{name} reward", accuracy=round(accuracy(model, tokenizer, unseen), 3))
    (out / "grown.json").write_text(json.dumps({"seed": seed, **report}, indent=1) + "\n", "utf-8")
    return report


def examination(seed: int) -> Tests:
    """Unseen exchanges about domains, and about things with words of neither Big Two category; of
    either as many again whose replies are sentences."""
    return {
        name: [(held.plain_exchange if things else held.exchange)() for _ in range(300)]
        for kind, share in (("", 0.0), (" in sentences", 1.0))
        for name, things in ((f"domains{kind}", False), (f"things{kind}", True))
        for held in (World(f"{seed}/held out{kind}/{things}", thing_share=0.0, sentences=share),)
    }


def examine(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tests: Tests
) -> dict[str, float]:
    """For each test the share of exchanges whose YES or NO the model foresees."""
    return {name: round(judgement(model, tokenizer, test), 3) for name, test in tests.items()}


def grow_trunk(
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    recipe: Recipe,
    tests: Tests,
    say: Callable[[str], None] = print,
) -> tuple[PreTrainedModel, dict[str, float]]:
    """The trunk of a recipe, and how it did in ``tests``: whether it has learned enough is for the
    caller to see."""
    for attempt in range(recipe.trunks):
        trunk_seed, larger = seed + 1000 * attempt, 2**attempt
        trunk = build_model(tokenizer, recipe.size, trunk_seed, recipe.family)
        world = recipe.nursery.world(f"{trunk_seed}/nursery")
        read(trunk, tokenizer, world, recipe.nursery, trunk_seed)
        done, shares = Counter({"school": 0, "practice": 0}), examine(trunk, tokenizer, tests)
        while done.total() < recipe.terms and min(shares.values()) < recipe.enough:
            domains = min(share for name, share in shares.items() if name.startswith("domains"))
            ready = done["practice"] or domains >= recipe.enough
            lessons = recipe.practice if ready else recipe.school
            done["practice" if ready else "school"] += 1
            world = lessons.world(f"{trunk_seed}/term {done.total()}")
            lessons = replace(
                lessons, documents=lessons.documents * larger, batch=lessons.batch * larger
            )
            read(trunk, tokenizer, world, lessons, trunk_seed)
            shares = examine(trunk, tokenizer, tests)
            say(f"term {done.total()}: {shares}")
        if min(shares.values()) >= recipe.enough:
            break
    return trunk, {"seed": trunk_seed, **done, **shares}


def read(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    world: World,
    schedule: Schedule,
    seed: int,
) -> None:
    """Train ``model`` in place on the next documents of ``world``."""
    documents = world.documents(schedule.documents, statements=schedule.statements)
    examples = encode(tokenizer, documents, answers=schedule.answers)
    pretrain(model, tokenizer, examples, schedule, seed)


def save_base(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Save in float16: half the size, and the reward model is trained on what is saved."""
    half: PreTrainedModel = type(model)(copy.deepcopy(model.config))
    half.load_state_dict(model.state_dict())
    torch.nn.Module.half(half)
    half.config.dtype = torch.float16
    half.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)  # nothing is generated with it
    save_tokenizer(tokenizer, directory)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="directory to write the models to")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    grow(arguments.out, seed=arguments.seed)


if __name__ == "__main__":
    main()
