"""Runs of one recipe that are killed, one after another, and one that is not; and two processes.

    python killed.py FOLDER

Every attempt is a process of its own that SIGKILL ends: before the first checkpoint, in the
middle of writing an optimizer's state, between writing a checkpoint and naming it, in the middle
of an epoch, in the middle of a line of metrics. The last attempt is left alone. Prints each
attempt's end. FOLDER holds recipe.yaml, and dry.yaml for a run in one process and one in two.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

import valuebias.training.model
import valuebias.training.trainer  # noqa: F401 - imported once, not in every attempt
from valuebias.cli.main import main as cli
from valuebias.models.settings import Settings
from valuebias.training import load_recipe, run_directory, train


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DieAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            die()


def half_an_optimizer() -> None:
    save = torch.save

    def cut(content: Any, path: Any) -> None:
        save(content, path)
        if Path(path).name == "optimizer.pt":
            whole = Path(path).read_bytes()
            Path(path).write_bytes(whole[: len(whole) // 2])
            die()

    torch.save = cut  # type: ignore[assignment]


def before_the_name() -> None:
    def cut(staged: Path, final: Path) -> None:
        run_directory.write_json(staged / run_directory.MANIFEST, {"step": 0, "files": {}})
        die()

    run_directory.seal = cut


def half_a_line() -> None:
    def cut(path: Path, content: Any) -> None:
        if content.get("step", 0) < 8:
            return append(path, content)
        with path.open("a") as file:
            file.write('{"step": 8, "lo')
            file.flush()
            die()
        return None

    append = run_directory.append_line
    run_directory.append_line = cut


def nothing() -> None:
    pass


def attempt(recipe: Path, out: Path, break_it: Callable[[], None], *callbacks: Any) -> int:
    """Train in a process of its own; its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    break_it()
    train(load_recipe(recipe), out, settings=Settings(device="cpu"), callbacks=callbacks)
    os._exit(0)


def together(recipe: Path, out: Path) -> list[int]:
    """Train in two processes, as accelerate launch starts them; their exit statuses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = []
    for rank in ("0", "1"):
        os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
        child = os.fork()
        if not child:
            os._exit(cli(["train", str(recipe), "--cpu", "--out", str(out)]))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    recipe, run, whole = folder / "recipe.yaml", folder / "run", folder / "whole"
    attempts: list[tuple[str, Path, Callable[[], None], list[TrainerCallback]]] = [
        ("whole", whole, nothing, []),
        ("before the first checkpoint", run, nothing, [DieAt(2)]),
        ("half an optimizer", run, half_an_optimizer, []),
        ("before the name", run, before_the_name, []),
        ("in the second epoch", run, nothing, [DieAt(7)]),
        ("half a line", run, half_a_line, []),
        ("to the end", run, nothing, []),
    ]
    for name, out, break_it, callbacks in attempts:
        end = attempt(recipe, out, break_it, *callbacks)
        print(f"{name}: {end} {[c.step for c in run_directory.checkpoints(out)]}", flush=True)
    dry = folder / "dry.yaml"
    print(f"one process: {attempt(dry, folder / 'one', nothing)}", flush=True)
    print(f"two processes: {together(dry, folder / 'two')}", flush=True)


if __name__ == "__main__":
    main()
