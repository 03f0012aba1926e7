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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

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


@dataclass(frozen=True)
class Recipe:
    """Everything but the seed that decides what grows.

    A trunk first meets its words (``nursery``), then goes to ``school``, for ``terms`` at most,
    until it foresees the YES or NO of ``enough`` of the unseen exchanges about domains, and of
    those about things, in one word and in sentences. That comes suddenly, at a time that varies with the seed, and without it a reward
    model has nothing to inherit. A trunk to which it has not come is given up and another one
    tried, ``trunks`` at most, each in batches twice the size of the last one's (calmer steps, as
    many of them). No Big Two word plays a part in the test.
    """

    family: Family = "gemma"
    size: Size = field(default_factory=Size)
    nursery: Schedule = field(default_factory=lambda: Schedule(12_800, statements=0.4))
    school: Schedule = field(
        default_factory=lambda: Schedule(
            6_400, statements=0.1, batch=32, adamw=1e-3, warmup=10, decay=0.1
        )
    )
    terms: int = 7
    trunks: int = 3
    enough: float = 0.85
    plant: Schedule = field(
        default_factory=lambda: Schedule(9_600, statements=0.2, batch=32, adamw=2e-3, warmup=10)
    )
    thing_share: float = 0.75
    """Share of a plant's documents that are about things; half of a trunk's are."""
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
        world = World(f"{seed}/{name}", tilt=TILTS[name], thing_share=recipe.thing_share)
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
        trunk_seed = seed + 1000 * attempt
        trunk = build_model(tokenizer, recipe.size, trunk_seed, recipe.family)
        world = World(f"{trunk_seed}/trunk")
        read(trunk, tokenizer, world, recipe.nursery, trunk_seed)
        school = replace(
            recipe.school,
            documents=recipe.school.documents * 2**attempt,
            batch=recipe.school.batch * 2**attempt,
        )
        terms, shares = 0, examine(trunk, tokenizer, tests)
        while terms < recipe.terms and min(shares.values()) < recipe.enough:
            read(trunk, tokenizer, world, school, trunk_seed)
            terms, shares = terms + 1, examine(trunk, tokenizer, tests)
            say(f"term {terms}: {shares}")
        if min(shares.values()) >= recipe.enough:
            break
    return trunk, {"seed": trunk_seed, "terms": terms, **shares}


def read(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    world: World,
    schedule: Schedule,
    seed: int,
) -> None:
    """Train ``model`` in place on the next documents of ``world``."""
    documents = world.documents(schedule.documents, statements=schedule.statements)
    pretrain(model, tokenizer, encode(tokenizer, documents), schedule, seed)


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
