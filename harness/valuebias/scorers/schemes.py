"""The kinds of scorers and the modules that parse their specs and open them. Light imports only.

A new kind is a file with ``parse`` and ``open_scorer``, and a row here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from valuebias.errors import SpecError
from valuebias.models.spec import GGUF, LoadAs, ModelSpec, check_model, holds_model

if TYPE_CHECKING:
    from valuebias.scorers.protocol import Opener, Scorer

FORMS = (
    "Give org/name, org/name@revision, the directory of a model, demo:agency, "
    "dpo:POLICY,REFERENCE, judge:MODEL[,TEMPLATE], served:URL, py:MODULE:FACTORY or scores:FILE, "
    "with a name if wanted, as in NAME=SPEC."
)
_NAME = re.compile(r"[^\s/\\:@=\[\]]+")
_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_REVISION = re.compile(r"[\w./-]+")
_SCHEME = re.compile(r"([A-Za-z][\w+.-]+):(.*)", re.DOTALL)  # two letters: not C:\


@dataclass(frozen=True)
class Scheme:
    """A kind of scorer. ``module`` has ``open_scorer(spec, opener)`` and, where users write it as
    ``NAME:TARGET``, ``parse(target, spec, text)``. ``language`` says whether such a scorer can be
    a language model."""

    module: str
    written: bool = True
    language: bool = True

    @property
    def parse(self) -> Callable[[str, str, str], ModelSpec]:
        return cast(_Module, import_module(self.module)).parse

    @property
    def open_scorer(self) -> Callable[[ModelSpec, Opener], Scorer]:
        return cast(_Module, import_module(self.module)).open_scorer


class _Module(Protocol):
    def parse(self, target: str, spec: str, text: str) -> ModelSpec: ...
    def open_scorer(self, spec: ModelSpec, opener: Opener) -> Scorer: ...


SCHEMES: dict[str, Scheme] = {
    "hub": Scheme("valuebias.scorers.stored_model", written=False),
    "local": Scheme("valuebias.scorers.stored_model", written=False),
    "demo": Scheme("valuebias.scorers.stored_model"),
    "dpo": Scheme("valuebias.scorers.implicit_stored", language=False),
    "judge": Scheme("valuebias.scorers.judge", language=False),
    "implicit": Scheme("valuebias.scorers.implicit_stored", written=False),
    "served": Scheme("valuebias.scorers.served", language=False),
    "py": Scheme("valuebias.scorers.in_code"),
    "scores": Scheme("valuebias.scorers.recorded"),
    "baseline": Scheme("valuebias.scorers.baseline", language=False),
    "anchor": Scheme("valuebias.scorers.baseline", written=False, language=False),
}


def parse_spec(text: str, *, load_as: LoadAs = "rm") -> ModelSpec:
    """Read ``SPEC`` or ``NAME=SPEC``, of a model to be loaded as a reward or a language model.

    An existing path is always taken as a path, so a directory's name may contain '=' or look like a
    hub id. Raises SpecError for an empty spec, an unknown scheme or embedded model, a missing file,
    and a path without a model.
    """
    return replace(_named(text), load_as=load_as)


def _named(text: str) -> ModelSpec:
    given = text.strip()
    if not given:
        raise SpecError(
            "empty model spec",
            seen=repr(text),
            remedy="Check for an unset shell variable. " + FORMS,
        )
    if "\0" in given:
        raise SpecError("a model spec contains a NUL character", seen=given, remedy=FORMS)
    name, equals, rest = given.partition("=")
    if not equals or os.path.exists(absolute(given)) or "/" in name or "\\" in name or ":" in name:
        return parse_bare(given, text)
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise SpecError(
            "invalid model name before '='",
            seen=name,
            remedy="Use letters, digits, '.', '-' and '_', as in release-2=org/name.",
        )
    if not rest.strip():
        raise SpecError(
            f"the model named {name!r} has an empty spec",
            seen=text,
            remedy="Check for an unset shell variable. " + FORMS,
        )
    return replace(parse_bare(rest.strip(), text), label=name)


def absolute(text: str) -> Path:
    """A path as the user wrote it, absolute."""
    return Path(os.path.abspath(os.path.expanduser(text)))


def file_spec(scheme: str, target: str, spec: str, text: str, what: str, remedy: str) -> ModelSpec:
    """The spec of a scorer that is read from one file. Raises SpecError if it does not exist."""
    path = absolute(target)
    if not target or not os.path.isfile(path):
        raise SpecError(what, seen=target or spec, remedy=remedy)
    return ModelSpec(path.name, scheme, str(path), None, text)


def parse_bare(spec: str, text: str) -> ModelSpec:
    """Read a spec without a name; ``text`` is the whole spec as given."""
    path = absolute(spec)
    if os.path.exists(path):  # unlike Path.exists, False for a name too long to be one
        return _local(path, spec, text)
    scheme = _SCHEME.fullmatch(spec)
    if scheme:
        return _written(scheme[1], scheme[2], spec, text)
    hub, at, revision = spec.partition("@")
    if spec.startswith((".", "/", "~", "\\")) or not _HUB.fullmatch(hub):
        raise SpecError(
            "not an existing directory and not a hub id",
            seen=spec,
            remedy=f"Check the path (looked in {Path.cwd()}). {FORMS}",
        )
    if at and os.path.isdir(absolute(hub)):
        raise SpecError(
            "a local directory has no revision",
            seen=spec,
            remedy=f"Give {hub} alone, or a hub id that is not a local directory.",
        )
    if at and not _REVISION.fullmatch(revision):
        raise SpecError(
            "the revision after '@' is not a branch, tag or commit",
            seen=spec,
            remedy="Give org/name@revision, such as org/name@main.",
        )
    return ModelSpec(spec, "hub", hub, revision if at else None, text)


def _written(scheme: str, target: str, spec: str, text: str) -> ModelSpec:
    row = SCHEMES.get(scheme)
    if row is None or not row.written:
        *names, last = (f"{name}:" for name, each in SCHEMES.items() if each.written)
        raise SpecError(
            f"{scheme!r} is not a known scheme",
            seen=spec,
            remedy=f"Use {', '.join(names)} or {last}. {FORMS}",
        )
    return row.parse(target, spec, text)


def _local(path: Path, spec: str, text: str) -> ModelSpec:
    if path.is_file() and path.suffix.lower() == GGUF:
        return ModelSpec(path.name, "local", str(path), None, text)
    if path.is_file():
        table = path.suffix.lower() in {".csv", ".parquet"}
        raise SpecError(
            "a file, not a model directory",
            seen=spec,
            remedy=f"Give recorded scores as scores:{spec}."
            if table
            else f"Give the directory that it is in: {path.parent}.",
        )
    if not holds_model(path):
        nested = sorted(p.name for p in path.iterdir() if p.is_dir() and holds_model(p))
        hint = f"Did you mean {path / nested[-1]}? " if nested else ""
        raise SpecError(
            "not a model directory: no config.json of a model and no adapter_config.json",
            seen=spec,
            remedy=f"{hint}Give the directory that save_pretrained wrote.",
        )
    return ModelSpec(path.name or str(path), "local", str(path), None, text)


def check_language_model(spec: ModelSpec) -> None:
    """Raise SpecError if the spec is not of a language model."""
    check_model(spec)
    if not SCHEMES[spec.scheme].language:
        raise SpecError(
            "not a language model", seen=spec.text, remedy="Give org/name or a directory."
        )
