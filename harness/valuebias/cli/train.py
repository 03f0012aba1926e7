"""``valuebias train``: train a reward model, or a grid of them, by a recipe."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from valuebias.cli.options import add_permissions, folder
from valuebias.errors import visible


def add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``valuebias``."""
    parser = commands.add_parser(
        "train",
        help="train a reward model on preferences, by a recipe",
        description="Train a reward model from a base and preferences (Bradley-Terry loss, LoRA), "
        "as a YAML recipe says; with `bases` and `seeds` in it, a grid of them. A stopped run "
        "continues when the same command is run again. Every checkpoint is a model: "
        "pytest --rm=DIR/checkpoint-1000.",
        epilog="On several GPUs: accelerate launch -m valuebias train RECIPE.yaml.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("recipe", type=Path, metavar="RECIPE.yaml", help="the recipe's file")
    add(
        "--out",
        type=folder,
        metavar="DIR",
        help="directory to train into (default: runs/NAME, after the recipe's file)",
    )
    add(
        "--unwatched",
        action="store_true",
        help="do not log what the model prefers at every checkpoint",
    )
    add("--cpu", action="store_true", help="use no GPU")
    add_permissions(parser)
    parser.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> int:
    from valuebias.models.settings import Settings
    from valuebias.training.grid import Grid, load, train_grid
    from valuebias.training.run import train
    from valuebias.training.watch import ValueWatch

    recipe = load(arguments.recipe)
    out = arguments.out or Path("runs") / arguments.recipe.stem
    settings = Settings(
        device="cpu" if arguments.cpu else "auto",
        offline=arguments.offline,
        trust_remote_code=tuple(arguments.trust_remote_code),
    )
    watch = [] if arguments.unwatched else [ValueWatch(settings=settings)]
    speaks = os.environ.get("RANK", "0") == "0"  # one of the processes of accelerate launch
    log = logging.getLogger("valuebias.training")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(message)s"))
    if speaks:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        if isinstance(recipe, Grid):
            runs = train_grid(recipe, out, settings=settings, callbacks=watch)
        else:
            runs = {"": train(recipe, out, settings=settings, callbacks=watch)}
    except KeyboardInterrupt:
        print(
            "valuebias: stopped; run the same command again to continue from the last checkpoint",
            file=sys.stderr,
        )
        return 130
    finally:
        log.removeHandler(handler)
    for run in runs.values() if speaks else ():
        steps = ", ".join(f"{checkpoint.step:,}" for checkpoint in run.checkpoints)
        print(visible(f"{run.directory}: checkpoints {steps}"))
    return 0


class _Visible(logging.Formatter):
    """Log messages may quote file names and data: control characters are made visible."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))
