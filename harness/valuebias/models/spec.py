"""Model specs: the strings that name a model on the command line. Imports nothing heavy."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from valuebias.errors import SpecError

Scheme = Literal["demo", "scores", "baseline", "hub", "local", "dpo", "implicit"]

DEMOS = ("agency", "communion", "neutral")
"""The embedded models."""

_FORMS = (
    "Give org/name, org/name@revision, the directory of a model, demo:agency, dpo:POLICY,REFERENCE "
    "or scores:FILE; any of them may be named, as in NAME=SPEC."
)
_NAME = re.compile(r"[^\s/\\:@=\[\]]+")
_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_REVISION = re.compile(r"[\w./-]+")
_SCHEME = re.compile(r"([A-Za-z][\w+.-]+):(.*)", re.DOTALL)  # two letters: not C:\


@dataclass(frozen=True)
class ModelSpec:
    """What one model spec says.

    ``label`` is what reports and node ids show. ``target`` is an absolute path (``local``,
    ``scores``, ``baseline``), a hub id (``hub``), an embedded model's name (``demo``) or an
    implicit reward's measure (``dpo``, ``implicit``); ``revision`` is a hub model's; ``text`` is
    the spec as given. ``parts`` are the two language models of an implicit reward, the one it
    starts from first.
    """

    label: str
    scheme: Scheme
    target: str
    revision: str | None
    text: str
    parts: tuple[ModelSpec, ...] = ()


def implicit(source: ModelSpec, target: ModelSpec, measure: str = "MWLR") -> ModelSpec:
    """The implicit reward that would turn one language model into another: what ``target`` prefers
    more than ``source`` does."""
    label = f"{source.label}-to-{target.label}"
    if measure != "MWLR":
        label += f"-{measure}"
    text = f"{source.text} to {target.text}"
    return ModelSpec(label, "implicit", measure, None, text, (source, target))


def parse_spec(text: str) -> ModelSpec:
    """Read ``SPEC`` or ``NAME=SPEC``.

    An existing path is taken as a path before anything else is tried, so a directory may hold '='
    or look like a hub id. Raises SpecError on an empty spec, an unknown scheme or embedded model,
    a missing file, and a path that holds no model.
    """
    given = text.strip()
    if not given:
        raise SpecError(
            "an empty model spec was given",
            seen=repr(text),
            remedy="Is a shell variable unset? " + _FORMS,
        )
    if "\0" in given:
        raise SpecError("a model spec holds a NUL character", seen=given, remedy=_FORMS)
    name, equals, rest = given.partition("=")
    if not equals or os.path.exists(_path(given)) or "/" in name or "\\" in name or ":" in name:
        return _parse(given, text)
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise SpecError(
            "the name before '=' cannot label a model",
            seen=name,
            remedy="Use letters, digits, '.', '-' and '_', as in release-2=org/name.",
        )
    if not rest.strip():
        raise SpecError(
            f"the model named {name!r} has an empty spec",
            seen=text,
            remedy="Is a shell variable unset? " + _FORMS,
        )
    return replace(_parse(rest.strip(), text), label=name)


def check_model(spec: ModelSpec) -> None:
    """Raise SpecError on a baseline, which other models are compared with and is none itself."""
    if spec.scheme == "baseline":
        raise SpecError(
            "a baseline is the record of a release, and no model that can be tested",
            seen=spec.text,
            remedy="Compare a model with it: pytest --rm=MODEL --valuebias-baseline FILE.",
        )


def check_language_model(spec: ModelSpec) -> None:
    """Raise SpecError on what is no language model."""
    check_model(spec)
    if spec.scheme == "dpo":
        raise SpecError(
            "this is no language model", seen=spec.text, remedy="Give org/name or a directory."
        )


def check_labels(specs: Iterable[ModelSpec]) -> None:
    """Raise SpecError where two models would be shown under one label."""
    seen: dict[str, ModelSpec] = {}
    for spec in specs:
        other = seen.setdefault(spec.label, spec)
        if other is not spec:
            raise SpecError(
                f"two models have the label {spec.label!r}",
                seen=f"{other.text} and {spec.text}",
                remedy=f"Name them apart: first={_bare(other)} second={_bare(spec)}.",
            )


def _bare(spec: ModelSpec) -> str:
    """The spec without the name it was given."""
    named = spec.text.strip().removeprefix(f"{spec.label}=")
    return named or spec.text


def _path(text: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(text)))


def _parse(spec: str, text: str) -> ModelSpec:
    path = _path(spec)
    if os.path.exists(path):  # unlike Path.exists, False for a name too long to be one
        return _local(path, spec, text)
    scheme = _SCHEME.fullmatch(spec)
    if scheme:
        return _schemed(scheme[1], scheme[2], spec, text)
    hub, at, revision = spec.partition("@")
    if spec.startswith((".", "/", "~", "\\")) or not _HUB.fullmatch(hub):
        raise SpecError(
            "there is no such directory, and this is no hub id either",
            seen=spec,
            remedy=f"Check the path (looked in {Path.cwd()}). {_FORMS}",
        )
    if at and os.path.isdir(_path(hub)):
        raise SpecError(
            "a local directory has no revision",
            seen=spec,
            remedy=f"Give {hub} alone, or a hub id that is no directory here.",
        )
    if at and not _REVISION.fullmatch(revision):
        raise SpecError(
            "the revision after '@' is not a branch, tag or commit",
            seen=spec,
            remedy="Give org/name@revision, such as org/name@main.",
        )
    return ModelSpec(spec, "hub", hub, revision if at else None, text)


def _schemed(scheme: str, target: str, spec: str, text: str) -> ModelSpec:
    if scheme == "demo":
        if target not in DEMOS:
            raise SpecError(
                "there is no such embedded model",
                seen=spec,
                remedy=f"Use {', '.join('demo:' + name for name in DEMOS)}.",
            )
        return ModelSpec(spec, "demo", target, None, text)
    if scheme == "scores":
        path = _path(target)
        if not target or not os.path.isfile(path):
            raise SpecError(
                "the file of recorded scores does not exist",
                seen=target or spec,
                remedy="Give scores:FILE, a CSV or Parquet file.",
            )
        return ModelSpec(path.name, "scores", str(path), None, text)
    if scheme == "baseline":
        path = _path(target)
        if not target or not os.path.isfile(path):
            raise SpecError(
                "the baseline file does not exist",
                seen=target or spec,
                remedy="Make it with the release to compare with: pytest --rm=MODEL "
                "--valuebias-baseline FILE --valuebias-update-baseline.",
            )
        return ModelSpec(path.name, "baseline", str(path), None, text)
    if scheme == "dpo":
        return _dpo(target, spec, text)
    raise SpecError(
        f"{scheme!r} is not a scheme this version knows",
        seen=spec,
        remedy=f"The schemes are demo:, dpo:, scores: and baseline:. {_FORMS}",
    )


def _dpo(target: str, spec: str, text: str) -> ModelSpec:
    """A policy's log-probabilities minus those of the model it was trained from, both by spec."""
    models = [part.strip() for part in target.split(",")]
    if len(models) != 2 or not all(models):
        raise SpecError(
            "a DPO model is two language models",
            seen=spec,
            remedy="Give dpo:POLICY,REFERENCE; where a path holds a comma, use a link to it.",
        )
    policy, reference = (_parse(part, text) for part in models)
    for part in (policy, reference):
        if part.scheme not in ("demo", "hub", "local"):
            raise SpecError(
                "a DPO model's policy and reference are language models",
                seen=spec,
                remedy="Give dpo:POLICY,REFERENCE, each org/name, a directory, or demo:agency.",
            )
    if policy == reference:
        raise SpecError(
            "a DPO model's policy and reference are one model, which rewards nothing",
            seen=spec,
            remedy="Give the model that was trained, and the one it was trained from.",
        )
    label = f"dpo:{policy.label},{reference.label}"
    return ModelSpec(label, "dpo", "LLR", None, text, (reference, policy))


def _local(path: Path, spec: str, text: str) -> ModelSpec:
    if path.is_file():
        table = path.suffix.lower() in {".csv", ".parquet"}
        raise SpecError(
            "this is a file, not the directory of a model",
            seen=spec,
            remedy=f"Recorded scores are given as scores:{spec}."
            if table
            else f"Give the directory it lies in: {path.parent}.",
        )
    if not holds_model(path):
        nested = sorted(p.name for p in path.iterdir() if p.is_dir() and holds_model(p))
        hint = f"Did you mean {path / nested[-1]}? " if nested else ""
        raise SpecError(
            "this directory holds no model: no config.json of a model and no adapter_config.json",
            seen=spec,
            remedy=f"{hint}Give the directory that save_pretrained wrote.",
        )
    return ModelSpec(path.name or str(path), "local", str(path), None, text)


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
