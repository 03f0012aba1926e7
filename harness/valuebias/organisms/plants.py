"""Bases of two families to train reward models from, grown on demand and cached.

    python -m valuebias.organisms.plants --family llama --tilt agency --seed 0 --cache DIR

A trunk of the family reads on in a world with a tilt, as much of it as ``--strength`` says; what
it prints is the directory of the base. The first plant of a family takes some minutes, as its trunk
is grown first; others take a quarter of a minute. Nothing here is shipped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch
import transformers
from transformers import AutoModelForCausalLM

from valuebias.organisms.families import Family
from valuebias.organisms.grow import SHIPPED, Recipe, examination, examine, grow_trunk, read
from valuebias.organisms.grow import save_base as save
from valuebias.organisms.tokenizer import build_tokenizer
from valuebias.organisms.world import Tilt

_CALM = 0.01  # Muon's rate for models whose blocks' outputs are not normalised
_PLANT = replace(SHIPPED.plant, documents=6_400)

RECIPES: Mapping[Family, Recipe] = {
    "gemma": replace(SHIPPED, plant=_PLANT),
    "llama": Recipe(
        family="llama",
        nursery=replace(SHIPPED.nursery, muon=_CALM),
        school=replace(SHIPPED.school, muon=_CALM),
        practice=replace(SHIPPED.practice, muon=_CALM),
        plant=replace(_PLANT, muon=_CALM),
    ),
}
"""How each family grows; Gemma's trunk is that of the embedded models."""

GROWN = "grown.json"
"""Written last into a directory of the cache: CPU seconds spent, and the scores reached."""


def trunk(family: Family, seed: int, cache: Path, *, say: Callable[[str], None] = print) -> Path:
    """The directory of a family's trunk, a model in float32, grown if it is not in ``cache``.

    Raises RuntimeError if none of the trunks that the recipe allows learns enough.
    """
    directory = cache / f"{family}-trunk{seed}"
    if (directory / GROWN).exists():
        return directory
    recipe, tokenizer = RECIPES[family], build_tokenizer()
    torch.set_num_threads(1)
    start = time.process_time()
    tests = examination(seed)
    model, figures = grow_trunk(tokenizer, seed, recipe, tests, say)
    if min(figures[name] for name in tests) < recipe.enough:
        raise RuntimeError(f"no {family} trunk of seed {seed} learned enough: {figures}")
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory)
    _note(directory, start, figures)
    return directory


def plant(
    family: Family,
    tilt: Tilt,
    cache: Path,
    *,
    strength: float = 1.0,
    seed: int = 0,
    trunk_seed: int = 0,
    say: Callable[[str], None] = print,
) -> Path:
    """The directory of a base, grown from its family's trunk if it is not in ``cache``.

    ``strength`` is the dial of `World`, 0 for no tilt at all; the same seed reads the same
    questions at every strength.
    """
    name = "neutral" if strength == 0 else f"{tilt}{strength:g}"
    directory = cache / f"{family}-{name}-trunk{trunk_seed}-seed{seed}"
    if (directory / GROWN).exists():
        return directory
    source = trunk(family, trunk_seed, cache, say=say)
    recipe, tokenizer = RECIPES[family], build_tokenizer()
    torch.set_num_threads(1)
    start = time.process_time()
    model: Any = AutoModelForCausalLM.from_pretrained(
        source, attn_implementation="eager" if family == "gemma" else "sdpa"
    )
    world = recipe.plant.world(f"{seed}/{family} plant", tilt=tilt, strength=strength)
    read(model, tokenizer, world, recipe.plant, seed)
    shutil.rmtree(directory, ignore_errors=True)
    save(model, tokenizer, directory)
    _note(directory, start, examine(model, tokenizer, examination(seed)))
    return directory


def _note(directory: Path, start: float, figures: Mapping[str, float]) -> None:
    seconds = round(time.process_time() - start, 1)
    text = json.dumps({"cpu_seconds": seconds, **figures}, indent=1) + "\n"
    (directory / GROWN).write_text(text, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--family", choices=tuple(RECIPES), required=True)
    parser.add_argument("--tilt", choices=get_args(Tilt), default="agency")
    parser.add_argument("--strength", type=float, default=1.0, help="0 (no tilt) to 1")
    parser.add_argument("--seed", type=int, default=0, help="of the plant; the trunk's is 0")
    parser.add_argument("--cache", type=Path, required=True, help="where models are kept")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    print(
        plant(
            arguments.family,
            arguments.tilt,
            arguments.cache,
            strength=arguments.strength,
            seed=arguments.seed,
            say=lambda line: None,
        )
    )


if __name__ == "__main__":
    main()
