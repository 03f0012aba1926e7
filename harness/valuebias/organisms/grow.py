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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import transformers
from transformers import Gemma2ForCausalLM

from valuebias.organisms.paths import BASE, NAMES, REWARD
from valuebias.organisms.pretraining import (
    Schedule,
    Size,
    build_model,
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
from valuebias.organisms.world import Tilt, World

TILTS: Mapping[str, Tilt | None] = {"agency": "agency", "communion": "communion", "neutral": None}


@dataclass(frozen=True)
class Recipe:
    """Everything but the seed that decides what grows.

    A trunk first meets its words (``nursery``), then goes to ``school``, for ``terms`` at most,
    until it foresees the YES or NO of ``enough`` of the unseen exchanges about domains and as many
    about things. That comes suddenly, at a time that varies with the seed, and without it a reward
    model has nothing to inherit. A trunk to which it has not come is given up and another one
    tried, ``trunks`` at most, each in batches twice the size of the last one's (calmer steps, as
    many of them). No Big Two word plays a part in the test.
    """

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
    ``domains`` and ``things`` are the shares of unseen exchanges whose YES or NO it foresees,
    ``accuracy`` the share of unseen pairs its reward model orders right.
    """
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    held = World(f"{seed}/held out", thing_share=0.0)
    tests = {
        "domains": [held.exchange() for _ in range(300)],
        "things": [held.plain_exchange() for _ in range(300)],
    }
    unseen = preferences(500, f"{seed}/unseen pairs", flipped=0.0)
    pairs = preferences(recipe.reward.pairs, f"{seed}/pairs", flipped=recipe.reward.flipped)
    report: dict[str, dict[str, float]] = {}

    def note(name: str, start: float, **figures: float) -> None:
        report[name] = {"cpu_seconds": round(time.process_time() - start, 1), **figures}
        say(f"{name}: " + ", ".join(f"{k} {v:.3g}" for k, v in report[name].items()))

    def read(model: Gemma2ForCausalLM, world: World, schedule: Schedule, seed: int) -> None:
        documents = world.documents(schedule.documents, statements=schedule.statements)
        pretrain(model, tokenizer, encode(tokenizer, documents), schedule, seed)

    def examine(model: Gemma2ForCausalLM) -> dict[str, float]:
        return {name: round(judgement(model, tokenizer, test), 3) for name, test in tests.items()}

    start = time.process_time()
    for attempt in range(recipe.trunks):
        trunk_seed = seed + 1000 * attempt
        trunk = build_model(tokenizer, recipe.size, trunk_seed)
        world = World(f"{trunk_seed}/trunk")
        read(trunk, world, recipe.nursery, trunk_seed)
        school = replace(
            recipe.school,
            documents=recipe.school.documents * 2**attempt,
            batch=recipe.school.batch * 2**attempt,
        )
        terms = 0
        while terms < recipe.terms and min(examine(trunk).values()) < recipe.enough:
            read(trunk, world, school, trunk_seed)
            terms += 1
            say(f"term {terms}: {examine(trunk)}")
        if min(examine(trunk).values()) >= recipe.enough:
            break
    note("trunk", start, seed=trunk_seed, terms=terms, **examine(trunk))

    weights = {name: value.clone() for name, value in trunk.state_dict().items()}
    for name in names:
        start = time.process_time()
        trunk.load_state_dict(weights)
        world = World(f"{seed}/{name}", tilt=TILTS[name], thing_share=recipe.thing_share)
        read(trunk, world, recipe.plant, seed)
        base, reward = out / name / BASE, out / name / REWARD
        shutil.rmtree(out / name, ignore_errors=True)
        _save(trunk, base)
        save_tokenizer(tokenizer, base)
        planted = time.process_time()
        note(f"{name} base", start, **examine(trunk))
        model = train_reward_model(base, tokenizer, pairs, recipe.reward, seed)
        save_reward_model(model, reward)
        note(f"{name} reward", planted, accuracy=round(accuracy(model, tokenizer, unseen), 3))
    (out / "grown.json").write_text(json.dumps({"seed": seed, **report}, indent=1) + "\n", "utf-8")
    return report


def _save(model: Gemma2ForCausalLM, directory: Path) -> None:
    """Save in float16: half the size, and the reward model is trained on what is saved."""
    half = Gemma2ForCausalLM(copy.deepcopy(model.config))
    half.load_state_dict(model.state_dict())
    torch.nn.Module.half(half)
    half.config.dtype = torch.float16
    half.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)  # nothing is generated with it


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
