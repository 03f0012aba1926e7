"""Model specs: the strings that name a model on the command line. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from valuebias.errors import SpecError

LoadAs = Literal["rm", "llm"]
"""What a model's files are loaded as: a reward model or a language model."""

DEMOS = ("agency", "communion", "neutral")
"""The embedded models."""

GGUF = ".gguf"
"""What the name of a GGUF file ends in."""


@dataclass(frozen=True)
class ModelSpec:
    """What one model spec says.

    ``label`` is what reports and node ids show. ``target`` is an absolute path (``local``,
    ``scores``, ``baseline``, ``anchor``), a hub id (``hub``), an embedded model's name (``demo``),
    an implicit reward's measure (``dpo``, ``implicit``) or a judge's template (``judge``: a
    shipped name or a path); ``revision`` is a hub model's; ``text`` is the spec as given.
    ``parts`` are the two language models of an implicit reward, the one it starts from first, or
    the one that judges. ``load_as`` says what it is loaded as: one directory may hold both.
    """

    label: str
    scheme: str
    target: str
    revision: str | None
    text: str
    parts: tuple[ModelSpec, ...] = ()
    load_as: LoadAs = "rm"

    @property
    def source(self) -> tuple[str, str, str | None]:
        """Where it is read from: two specs with one source are one model under two labels."""
        return self.scheme, self.target, self.revision

    @property
    def is_local(self) -> bool:
        """Whether it is a directory on this machine."""
        return self.scheme == "local"

    @property
    def is_baseline(self) -> bool:
        """Whether it is the record of a release, which models are compared with."""
        return self.scheme in ("baseline", "anchor")

    @property
    def has_files(self) -> bool:
        """Whether it names the files of one model, which can be loaded and trained from."""
        return self.scheme in ("hub", "local", "demo")


def implicit(source: ModelSpec, target: ModelSpec, measure: str = "MWLR") -> ModelSpec:
    """The implicit reward that would turn one language model into another: what ``target`` prefers
    more than ``source`` does."""
    label = f"{source.label}-to-{target.label}"
    if measure != "MWLR":
        label += f"-{measure}"
    text = f"{source.text} to {target.text}"
    parts = tuple(replace(part, load_as="llm") for part in (source, target))
    return ModelSpec(label, "implicit", measure, None, text, parts)


def check_model(spec: ModelSpec) -> None:
    """Raise SpecError on a baseline: models are compared with it, it is not tested itself."""
    if spec.is_baseline:
        raise SpecError(
            "a baseline is the record of a release, not a model that can be tested",
            seen=spec.text,
            remedy="Compare a model with it: pytest --rm=MODEL --valuebias-baseline FILE.",
        )


class Labelled(Protocol):
    """What reports call by a label."""

    @property
    def label(self) -> str: ...


T = TypeVar("T", bound=Labelled)


def check_distinct(
    labelled: Iterable[T], what: str, text: Callable[[T], str], bare: Callable[[T], str]
) -> None:
    """Raise SpecError if two have the same label. ``what`` they are, in the plural; ``text`` how
    one was given, ``bare`` the same without a name."""
    seen: dict[str, T] = {}
    for each in labelled:
        other = seen.setdefault(each.label, each)
        if other is not each:
            raise SpecError(
                f"two {what} have the label {each.label!r}",
                seen=f"{text(other)} and {text(each)}",
                remedy=f"Give them different names: first={bare(other)} second={bare(each)}.",
            )


def check_labels(specs: Iterable[ModelSpec]) -> None:
    """Raise SpecError if two models have the same label."""
    check_distinct(specs, "models", lambda spec: spec.text, _bare)


def _bare(spec: ModelSpec) -> str:
    """The spec without the name it was given."""
    named = spec.text.strip().removeprefix(f"{spec.label}=")
    return named or spec.text


def holds_model(path: Path) -> bool:
    """True for the directory of a model or of a PEFT adapter."""
    return is_adapter(path) or "model_type" in _json_keys(path / "config.json")


def is_adapter(path: Path) -> bool:
    """True for the directory of a PEFT adapter that holds no full model beside it."""
    if any(path.glob("model*.safetensors")) or any(path.glob("pytorch_model*.bin")):
        return False
    return "peft_type" in _json_keys(path / "adapter_config.json")


def _json_keys(path: Path) -> frozenset[str]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return frozenset()
    return frozenset(content) if isinstance(content, dict) else frozenset()
