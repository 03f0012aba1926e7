"""What decides a model's numbers, as one digest; read from files, without torch."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

from valuebias.declarations.judge_templates import judge_template
from valuebias.models import device
from valuebias.models.files import (
    CONFIG_FILES,
    TOKENIZER_FILES,
    WEIGHT_FILES,
    adapter_base,
    commit_of,
    embedded,
    hub_config,
)
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec, is_adapter

_LARGE = 1 << 24  # files from 16 MiB have their digest remembered between runs
_digests: dict[str, str] = {}


def fingerprint(spec: ModelSpec, settings: Settings) -> str:
    """SHA-256 over weights, config, tokenizer, template, precision and use of a model.

    A local model counts by the content of its files, not by its path; a hub model by its commit;
    an adapter together with its base; a judge by its language model and its template. Two settings
    that give different numbers on the same files (precision, permission to run the model's own
    code) give two fingerprints. Raises ModelError where a hub model cannot be found.
    """
    if spec.scheme == "judge":
        (model,) = spec.parts
        asked = fingerprint(model, replace(settings, answer_cue=""))  # a template has no cue
        parts = ["judge", asked, judge_template(spec.target).digest]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    kind, dtype = device.resolve(settings)
    parts = [spec.load_as, dtype, "cpu" if kind == "cpu" else "gpu"]
    if spec.target in settings.trust_remote_code:
        parts.append("remote-code")
    if spec.load_as == "llm" and settings.answer_cue:
        parts.append(f"cue {settings.answer_cue!r}")
    if spec.scheme == "hub":
        parts += _of_hub(spec.target, spec.revision, settings)
    else:
        path = embedded(spec) if spec.scheme == "demo" else Path(spec.target)
        parts += _of_directory(path, settings)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _of_hub(repo: str, revision: str | None, settings: Settings) -> list[str]:
    config = hub_config(repo, revision, settings.offline)
    parts = [f"{repo}@{commit_of(config.parent)}"]
    if config.name == "adapter_config.json":
        parts += _of_base(config.parent, settings)
    return parts


def _of_directory(path: Path, settings: Settings) -> list[str]:
    patterns = (*CONFIG_FILES, *WEIGHT_FILES, *TOKENIZER_FILES)
    names = sorted(
        name
        for file in path.rglob("*")
        if file.is_file()
        and any(fnmatch.fnmatchcase(name := file.relative_to(path).as_posix(), p) for p in patterns)
    )
    parts = [f"{name} {file_digest(path / name)}" for name in names]
    if is_adapter(path):
        parts += _of_base(path, settings)
    return parts


def _of_base(adapter: Path, settings: Settings) -> list[str]:
    base = adapter_base(adapter)
    if isinstance(base, Path):
        return ["base", *_of_directory(base, settings)]
    return ["base", *_of_hub(*base, settings)]


def file_digest(path: Path) -> str:
    """SHA-256 of a file; large ones are remembered by path, size and times, across runs."""
    state = path.stat()
    key = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}|{state.st_ctime_ns}|{state.st_ino}"
    if key in _digests:
        return _digests[key]
    remembered = _remembered() if state.st_size >= _LARGE else {}
    digest = remembered.get(key)
    if digest is None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if state.st_size >= _LARGE:
            _remember({**remembered, key: digest})
    _digests[key] = digest
    return digest


def _memory() -> Path:
    from valuebias.store.database import default_folder  # it needs numpy, a fingerprint seldom does

    return default_folder() / "digests.json"


def _remembered() -> dict[str, str]:
    try:
        content = json.loads(_memory().read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(digests: dict[str, str]) -> None:
    """Written whole and moved into place: other processes read it at any time. Losing it, or a
    digest another process adds meanwhile, costs one more reading of a file."""
    memory = _memory()
    temporary = memory.with_name(f"{memory.name}.{os.getpid()}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(digests))
        temporary.replace(memory)
    except OSError:  # a full or read-only disk
        with contextlib.suppress(OSError):
            temporary.unlink()
