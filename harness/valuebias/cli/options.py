"""Options of all commands that score with a model: device, precision, permissions."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from valuebias.models.settings import Settings

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit statuses."""


def add_model_options(
    parser: argparse.ArgumentParser, *, cache: bool = True, rewards: bool = True
) -> None:
    """The options that `settings` reads; for commands that keep scores, ``--prompts`` and
    ``--cache-dir`` too; ``--template`` for those of reward models."""
    from valuebias.models.device import DTYPES
    from valuebias.prompts import SHIPPED

    add = parser.add_argument
    add(
        "--device",
        type=_setting("device"),
        default="auto",
        metavar="NAME",
        help="auto (the default), cpu, cuda, cuda:1, mps, or map: all GPUs and then the CPU's "
        "memory",
    )
    add("--dtype", choices=("auto", *DTYPES), default="auto", help="precision (default auto)")
    add(
        "--chunk-memory",
        type=_setting("size"),
        default=1 << 30,
        metavar="SIZE",
        help="memory one chunk may take, such as 512M or 8G (default 1G)",
    )
    add(
        "--threads",
        type=_setting("threads"),
        default=0,
        metavar="auto|N",
        help="threads of the processor: auto (the default; as many as a model's work can use) or a "
        "number",
    )
    if rewards:
        add(
            "--template",
            type=_setting("template"),
            metavar="NAME|FILE",
            help="format of conversations with a reward model that has no chat template: plain, "
            "pair or the file of a Jinja chat template",
        )
    if cache:
        add(
            "--prompts",
            metavar="NAME|FILE",
            help=f"prompt set: {', '.join(SHIPPED)}, or a YAML file of prompts",
        )
        add("--cache-dir", type=folder, metavar="DIR", help="where scores are kept between runs")
    add_permissions(parser)


def add_answer_cue(parser: argparse.ArgumentParser, of: str) -> None:
    """The option that a language model without a chat template may need; ``of`` says whose."""
    parser.add_argument(
        "--answer-cue",
        type=_setting("cue"),
        default="",
        metavar="TEXT",
        help=f"text between the prompt and the answer of a {of} without a chat template, such as "
        "'\\nAnswer:'",
    )


def between(low: float, high: float) -> Callable[[str], float]:
    """The parser of a number between two others."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low
        if not low < value < high:
            raise argparse.ArgumentTypeError(f"must lie between {low:g} and {high:g}, not {text!r}")
        return value

    return parse


def add_permissions(parser: argparse.ArgumentParser) -> None:
    """What loading a model may do."""
    add = parser.add_argument
    add("--offline", action="store_true", help="never use the network")
    add(
        "--trust-remote-code",
        action="append",
        default=[],
        metavar="ID",
        help="allow this one model to run code of its own; may be given several times",
    )


def settings(arguments: argparse.Namespace) -> Settings:
    """How models are run, from a command's options."""
    from valuebias.models.settings import Settings

    return Settings(
        device=arguments.device,
        dtype=arguments.dtype,
        chunk_memory=arguments.chunk_memory,
        offline=arguments.offline,
        trust_remote_code=tuple(arguments.trust_remote_code),
        threads=arguments.threads,
        template=getattr(arguments, "template", None) or "",
    )


def _setting(name: str) -> Callable[[str], Any]:
    """The parser of that name in `models.settings`, as argparse takes one."""

    def parse(text: str) -> Any:
        from valuebias.models import settings

        try:
            return getattr(settings, f"parse_{name}")(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error}, not {text!r}") from None

    return parse


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must be a folder, not ''")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~someone
        raise argparse.ArgumentTypeError(f"{error} ({text!r})") from None
