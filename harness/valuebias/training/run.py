"""Train a reward model by a recipe, into a directory that a later call can continue from."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebias.errors import TrainingError
from valuebias.models.settings import Settings
from valuebias.training import ownership, run_directory
from valuebias.training.preferences import Preferences, read_preferences, told
from valuebias.training.recipe import Recipe
from valuebias.training.run_directory import Run, read_run

if TYPE_CHECKING:
    from valuebias.training.pairs import Prepared

log = logging.getLogger("valuebias.training")

PACKAGES = (
    "pytest-valuebias",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "tokenizers",
    "safetensors",
    "numpy",
)


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    settings: Settings | None = None,
    callbacks: Sequence[Any] = (),
) -> Run:
    """Train by a recipe into the directory ``out``, or continue a run of it that was stopped there.

    A run that was stopped at any moment, even while it wrote a checkpoint, continues from its last
    whole checkpoint; on a CPU, with the same versions and number of threads, it ends with the
    same bits as one that was not stopped. A finished run is returned as it is.

    Of ``settings``, ``device`` (auto or cpu), ``offline`` and ``trust_remote_code`` count.
    ``callbacks`` are transformers' TrainerCallbacks; at ``on_save`` the checkpoint of
    ``state.global_step`` is whole, under ``args.output_dir``. Started by ``accelerate launch``,
    every process calls this; the batches of a step are divided among them.

    Raises TrainingError on preferences that cannot be used, on a directory that contains another
    recipe's run or anything else, and on a loss that is not finite; ModelError on a base that
    cannot be loaded or trained.
    """
    settings = settings or Settings()
    directory = Path(out)
    ownership.check_directory(directory, recipe)
    if (directory / run_directory.FINISHED).is_file():
        run = read_run(directory)
        ownership.check_sources(recipe, run)
        log.info("already finished: %s", directory)
        return run

    from valuebias.training import trainer as training

    args = training.arguments(recipe, directory, cpu=settings.device == "cpu")
    if not args.should_save:  # one of several processes, not the one that writes
        _train(recipe, directory, settings, callbacks, args)
        return read_run(directory)

    import filelock

    ownership.claim(directory, recipe)
    lock = filelock.FileLock(directory / run_directory.LOCK)
    try:
        with lock.acquire(timeout=0):
            _train(recipe, directory, settings, callbacks, args)
    except filelock.Timeout:
        raise TrainingError(
            "another process is training in this directory",
            seen=directory,
            remedy="Wait for it, or train into another directory.",
        ) from None
    return read_run(directory)


def _train(
    recipe: Recipe, directory: Path, settings: Settings, callbacks: Sequence[Any], args: Any
) -> None:
    import pickle

    from transformers import set_seed

    from valuebias.training import model as models
    from valuebias.training import trainer as training

    base = models.Base.find(recipe.base, settings)
    preferences = read_preferences(recipe, offline=settings.offline)
    prepared = _prepare(recipe, base, preferences, settings)
    writes = bool(args.should_save)
    record = _record(recipe, base.fingerprint, preferences, prepared)
    if writes:
        ownership.check_record(directory, record)
    set_seed(recipe.seed)  # the head and the adapters are random
    model, text_head, pad = models.build(recipe, base, prepared.pairs)
    trainer = training.BradleyTerryTrainer(
        model,
        args,
        prepared.pairs,
        recipe,
        pad=pad,
        stated=base.stated,
        text_head=text_head,
        callbacks=[*callbacks, *([training_log()] if writes else [])],
    )
    last = ownership.last_whole(directory)
    if writes:
        shutil.rmtree(directory / run_directory.STAGING, ignore_errors=True)
        run_directory.forget_after(directory, 0 if last is None else last.step)
        run_directory.append_line(
            directory / run_directory.ENVIRONMENT,
            _environment(args, 0 if last is None else last.step),
        )
    trainer.accelerator.wait_for_everyone()
    if last is not None:
        _check_processes(last.path, int(args.world_size))
        log.info("continuing after step %s", f"{last.step:,}")
    start = time.monotonic()
    try:
        done = trainer.train(resume_from_checkpoint=None if last is None else str(last.path))
    except pickle.UnpicklingError as error:
        assert last is not None
        raise TrainingError(
            f"{last.path.name} contains something other than an optimizer's state",
            seen=str(error).partition("\n")[0],
            remedy="Remove that checkpoint; the run continues from the one before.",
        ) from None
    if writes:
        seconds = round(time.monotonic() - start, 3)
        run_directory.write_json(
            directory / run_directory.FINISHED, {"steps": done.global_step, "seconds": seconds}
        )


def _prepare(recipe: Recipe, base: Any, preferences: Preferences, settings: Settings) -> Prepared:
    from valuebias.training.model import Base
    from valuebias.training.pairs import prepare

    others = [
        Base.find(text, settings).writer(recipe) for text in recipe.fits if text != recipe.base
    ]
    if preferences.stripped:
        log.info(
            "%s pairs with texts that began with their prompt: it was taken off",
            f"{preferences.stripped:,}",
        )
    prepared = prepare(recipe, preferences.pairs, base.writer(recipe), others)
    for line in (*told(preferences.invalid), *told(prepared.refused)):
        log.info("left out: %s", line)
    log.info(
        "%s pairs; left out: %s too long, %s that prefer nothing, %s that the chat template "
        "refuses; %s with a shortened prompt",
        *(
            f"{n:,}"
            for n in (
                len(prepared.pairs),
                prepared.overlong,
                len(preferences.invalid) + prepared.same,
                len(prepared.refused),
                prepared.cut,
            )
        ),
    )
    return prepared


def _record(
    recipe: Recipe, base: str, preferences: Preferences, prepared: Prepared
) -> dict[str, Any]:
    """What a run is made from; a resumed one must be made from the same."""
    size = recipe.batch_size * recipe.accumulation
    return {
        "format": 1,
        "base": {"spec": recipe.base, "fingerprint": base},
        "data": {
            "source": recipe.data.source,
            "sha256": preferences.sha256,
            "read": len(preferences.pairs) + len(preferences.invalid),
            "invalid": len(preferences.invalid),
            "stripped": preferences.stripped,
            "examined": prepared.seen,
            "overlong": prepared.overlong,
            "same": prepared.same,
            "refused": len(prepared.refused),
            "cut": prepared.cut,
            "pairs": len(prepared.pairs),
            "longest": prepared.longest,
            "tokens_sha256": prepared.sha256,
        },
        "pairs_a_step": size,
        "steps": -(-len(prepared.pairs) // size) * recipe.epochs,
    }


def _check_processes(checkpoint: Path, world: int) -> None:
    """Raise TrainingError if the checkpoint was written by another number of processes."""
    there = len(list(checkpoint.glob("rng_state*.pth")))
    if there != world:
        raise TrainingError(
            "the run was started with a different number of processes",
            seen=f"{there} then, {world} now",
            remedy=f"Continue with {there}: its random states belong to that many.",
        )


def _environment(args: Any, step: int) -> dict[str, Any]:
    import torch

    def version(package: str) -> str:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return "unknown"

    device = args.device
    return {
        "after_step": step,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": "bfloat16" if args.bf16 else "float32",
        "processes": args.world_size,
        "threads": torch.get_num_threads(),
        **{package: version(package) for package in PACKAGES},
    }


def training_log() -> Any:
    """A callback that logs every line of metrics."""
    from transformers import TrainerCallback

    class TrainingLog(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            line = kwargs.get("logs") or {}
            if "loss" in line:
                log.info(
                    "step %s of %s: loss %.4f, accuracy %.3f, margin %+.3f",
                    f"{state.global_step:,}",
                    f"{state.max_steps:,}",
                    line["loss"],
                    line.get("accuracy", float("nan")),
                    line.get("margin", float("nan")),
                )

    return TrainingLog()
