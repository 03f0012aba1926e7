"""What decides a model's numbers, as one digest; read from files, without torch."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from valuebias.declarations.judge_templates import judge_template
from valuebias.models import device
from valuebias.models.files import (
    ADAPTER,
    CONFIG_FILES,
    TOKENIZER_FILES,
    adapter_base,
    check_own_code,
    commit_of,
    embedded,
    has_template,
    hub_config,
)
from valuebias.models.settings import FORMATS, Settings
from valuebias.models.spec import GGUF, ModelSpec, is_adapter
from valuebias.models.weights import adapter_weights, weight_files

HEADS = "valuebias.heads"
"""The entry points of packages that add head families."""

_LARGE = 1 << 24  # files from 16 MiB have their digest remembered between runs
_digests: dict[str, str] = {}


def fingerprint(spec: ModelSpec, settings: Settings) -> str:
    """SHA-256 over weights, config, tokenizer, template, code, precision and use of a model.

    A local model counts by the content of its files, not by its path; a hub model by its commit;
    an adapter together with its base; a judge by its language model and its template. Two settings
    that give different numbers on the same files (precision, permission to run the model's own
    code, a format declared for a model that states none) give two fingerprints, and so does other
    code of a model or of an installed package of head families. Raises ModelError where a hub model
    cannot be found, on files that are not those of one model, and on code that is not the model's.
    """
    if spec.scheme == "judge":
        (model,) = spec.parts
        asked = fingerprint(model, replace(settings, answer_cue=""))  # a template has no cue
        parts = ["judge", asked, judge_template(spec.target).digest]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    kind, dtype = device.resolve(settings)
    parts = [spec.load_as, dtype, kind if kind in ("cpu", device.MAP) else "gpu"]
    trusted = spec.target in settings.trust_remote_code
    if trusted:
        parts.append("remote-code")
    parts += declared(spec, settings)
    if spec.load_as == "rm":
        parts += [f"heads {digest}" for digest in head_packages()]
    if spec.scheme == "hub":
        parts += _of_hub(spec.target, spec.revision, settings)
    else:
        path = embedded(spec) if spec.scheme == "demo" else Path(spec.target)
        parts += _of_directory(path, settings, code=trusted)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def declared(spec: ModelSpec, settings: Settings) -> list[str]:
    """What the settings declare of a model's format, where it states none itself."""
    wanted = settings.answer_cue if spec.load_as == "llm" else settings.template
    if not wanted or has_template(spec, settings):
        return []
    if spec.load_as == "llm":
        return [f"cue {wanted!r}"]
    return [f"template {wanted if wanted in FORMATS else file_digest(Path(wanted))}"]


def head_packages() -> list[str]:
    """A digest of the code of each installed package of head families: a head decides numbers."""
    digests = []
    for entry in sorted(entry_points(group=HEADS), key=lambda entry: entry.value):
        found = find_spec(entry.module.partition(".")[0])
        origin = None if found is None or found.origin is None else Path(found.origin)
        if origin is None:
            continue  # it cannot be imported either, which is said where heads are found
        files = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
        digests.append(" ".join([entry.value, *map(file_digest, files)]))
    return digests


def _of_hub(repo: str, revision: str | None, settings: Settings) -> list[str]:
    config = hub_config(repo, revision, settings.offline)
    trusted = repo in settings.trust_remote_code
    if trusted:
        check_own_code(config.parent)
    parts = [f"{repo}@{commit_of(config.parent)}"]
    if config.name == ADAPTER:
        parts += _of_base(config.parent, settings, code=trusted)
    return parts


def _of_directory(path: Path, settings: Settings, *, code: bool = False) -> list[str]:
    if path.suffix == GGUF and path.is_file():
        return [f"gguf {file_digest(path)}"]
    if code:
        check_own_code(path)
    adapter = is_adapter(path)
    patterns = [*CONFIG_FILES, *TOKENIZER_FILES, *(["*.py"] if code else [])]
    names = {
        name
        for file in path.rglob("*")
        if file.is_file()
        and any(fnmatch.fnmatchcase(name := file.relative_to(path).as_posix(), p) for p in patterns)
    }
    weights = adapter_weights(path) if adapter else weight_files(path)
    names |= {file.name for file in weights}
    parts = [f"{name} {file_digest(path / name)}" for name in sorted(names)]
    if adapter:
        parts += _of_base(path, settings, code=code)
    return parts


def _of_base(adapter: Path, settings: Settings, *, code: bool) -> list[str]:
    base = adapter_base(adapter)
    if isinstance(base, Path):
        return ["base", *_of_directory(base, settings, code=code)]
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
