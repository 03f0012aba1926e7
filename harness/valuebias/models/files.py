"""Where a model's files are: local directories, embedded models, hub downloads, adapters."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from valuebias.errors import ModelError
from valuebias.models.quantised import read_gguf
from valuebias.models.settings import Settings
from valuebias.models.spec import GGUF, ModelSpec, is_adapter

TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "additional_chat_templates/*",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
)
CONFIG, ADAPTER, STATED = "config.json", "adapter_config.json", "valuebias.json"
CERTIFICATE = "valuebias-repair.json"
"""What `valuebias repair` says of the model it wrote."""
CONFIG_FILES = (CONFIG, ADAPTER, STATED, CERTIFICATE)
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
VALUE_HEAD = "value_head.safetensors"
"""A reward head in a file of its own, as LLaMA-Factory saves it."""
WEIGHT_FILES = ("model*.safetensors", INDEX, ADAPTER_WEIGHTS, VALUE_HEAD)

_TEMPLATES = ("tokenizer_config.json", "chat_template*", "additional_chat_templates/*")

TEMPLATE = "valuebias_template"
"""The key of config.json or valuebias.json that states a format without a chat template."""

T = TypeVar("T")


@dataclass(frozen=True)
class ModelFiles:
    """The directories one model is read from.

    ``model`` holds config and weights; ``adapter`` is a PEFT adapter that goes onto it, or None.
    ``name`` is the hub id, the embedded model's spec or the directory's own name; ``revision`` is a
    hub model's commit. ``gguf`` names a GGUF file in ``model``, which is then all there is.
    """

    name: str
    model: Path
    adapter: Path | None = None
    revision: str | None = None
    gguf: str = ""

    @property
    def options(self) -> dict[str, str]:
        """What transformers has to be told beside the directory."""
        return {"gguf_file": self.gguf} if self.gguf else {}

    @property
    def tokenizer(self) -> Path:
        """The adapter's directory where it holds a tokenizer of its own, else the model's."""
        if self.adapter is not None and any(self.adapter.glob("tokenizer*")):
            return self.adapter
        return self.model

    @cached_property
    def config(self) -> dict[str, Any]:
        """What config.json says, and what ``valuebias.json`` beside the model or its adapter states
        that was lost in saving: ``valuebias_template``, ``pad_token_id`` and the like.

        Raises ModelError if a file cannot be read.
        """
        return read_json(self.model / CONFIG) | self.stated

    @cached_property
    def stated(self) -> dict[str, Any]:
        """What ``valuebias.json`` states; nothing where there is none."""
        file = (self.adapter or self.model) / STATED
        return read_json(file) if file.is_file() else {}


def locate(spec: ModelSpec, settings: Settings) -> ModelFiles:
    """The files of a model, downloaded from the hub where they are not there yet.

    Raises ModelError if they cannot be obtained.
    """
    if spec.scheme == "demo":
        files = _of_directory(embedded(spec), settings)
        return replace(files, name=f"demo:{spec.target}")
    trusted = spec.target in settings.trust_remote_code
    if spec.scheme == "local":
        return _of_directory(Path(spec.target), settings, code=trusted)
    if spec.scheme == "hub":
        directory = download(spec.target, spec.revision, settings)
        files = _of_directory(directory, settings, code=trusted)
        return replace(files, name=spec.target, revision=commit_of(directory))
    raise ModelError(
        "recorded scores cannot be loaded as a model",
        seen=spec.text,
        remedy="Give a model, or read the scores with valuebias.scorers.recorded.",
    )


def embedded(spec: ModelSpec) -> Path:
    """The directory of an embedded reward model, or of the base LM it was trained from."""
    from valuebias.organisms import paths

    find = paths.reward_model if spec.load_as == "rm" else paths.base_model
    return Path(find(spec.target))


def _of_directory(directory: Path, settings: Settings, *, code: bool = False) -> ModelFiles:
    """``code`` says whether the model's own code may run."""
    if directory.suffix == GGUF and directory.is_file():
        return ModelFiles(directory.name, directory.parent, gguf=directory.name)
    if not directory.is_dir():
        raise ModelError("model directory not found", seen=directory, remedy="Check the path.")
    if code:
        check_own_code(directory)
    if not is_adapter(directory):
        return ModelFiles(directory.name, directory)
    base = adapter_base(directory)
    model = base if isinstance(base, Path) else download(*base, settings)
    if is_adapter(model):
        raise ModelError(
            "the base of this adapter is itself an adapter",
            seen=f"{directory.name} on {model}",
            remedy="Merge the base adapter into its model first (merge_and_unload).",
        )
    if code:
        check_own_code(model)
    return ModelFiles(directory.name, model, adapter=directory)


def adapter_base(adapter: Path) -> Path | tuple[str, str | None]:
    """The base a PEFT adapter goes onto: a directory, or (hub id, revision).

    A relative path is looked for beside the adapter first: an adapter shipped with its base must
    not depend on the working directory.
    """
    config = read_json(adapter / "adapter_config.json")
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(
            "the adapter does not name its base model",
            seen=adapter / "adapter_config.json",
            remedy="Set base_model_name_or_path in adapter_config.json.",
        )
    for path in (adapter / base, Path(base).expanduser()):
        if path.is_dir():
            return path.resolve()
    if base.startswith((".", "/", "~")) or base.count("/") != 1:
        raise ModelError(
            "base model of this adapter not found",
            seen=base,
            remedy="Set base_model_name_or_path in adapter_config.json to its directory.",
        )
    revision = config.get("revision")
    return base, revision if isinstance(revision, str) else None


def has_template(spec: ModelSpec, settings: Settings) -> bool:
    """Whether a model states the format of its conversations: by a chat template, or, of a reward
    model, in its config.json or valuebias.json. Raises ModelError where a hub model cannot be
    found."""
    if spec.scheme == "demo":
        return True
    wanted = [*CONFIG_FILES, *TOKENIZER_FILES]
    if spec.scheme == "hub":
        directory = download(spec.target, spec.revision, settings, wanted)
    else:
        directory = Path(spec.target)
    if directory.suffix == GGUF and directory.is_file():
        return "tokenizer.chat_template" in read_gguf(directory).fields
    tokenizer = directory
    if is_adapter(directory) and not any(directory.glob("tokenizer*")):
        base = adapter_base(directory)
        tokenizer = base if isinstance(base, Path) else download(*base, settings, wanted)
    if any(any(tokenizer.glob(name)) for name in _TEMPLATES[1:]):
        return True
    config = tokenizer / _TEMPLATES[0]
    if config.is_file() and read_json(config).get("chat_template"):
        return True
    if spec.load_as == "llm":
        return False
    stated = (directory / name for name in (CONFIG, STATED))
    return any(TEMPLATE in read_json(file) for file in stated if file.is_file())


def check_own_code(directory: Path) -> None:
    """Raise ModelError where a model whose code may run names code in another repository.

    That code would come from the hub's cache, whatever was last put there, and is no part of what
    the model is known by; and only the model itself was allowed to run code.
    """
    for file in (directory / name for name in (CONFIG, _TEMPLATES[0])):
        classes = read_json(file).get("auto_map") if file.is_file() else None
        # JSON of any shape: a class, a slow and a fast one, or either by the kind of model
        if named := re.search(r'"([^"\\]+)--([^"\\.]+)[^"]*"', json.dumps(classes)):
            raise ModelError(
                "the model's code lies in another repository, which can change without a notice",
                seen=f"{file.name}: {named[0]}",
                remedy=f"Copy {named[2]}.py and what it imports from {named[1]} into the model's "
                f'folder, and remove "{named[1]}--" from the auto_map of {file.name}.',
            )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises ModelError if there is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path.name} cannot be read", seen=f"{path}: {error}", remedy="Save the model again."
        ) from None
    if not isinstance(content, dict):
        raise ModelError(
            f"{path.name} does not contain a JSON object", seen=path, remedy="Save the model again."
        )
    return content


def commit_of(snapshot: Path) -> str:
    """The commit of a downloaded snapshot: the hub's cache names its directory by it."""
    return snapshot.name


def download(
    repo: str, revision: str | None, settings: Settings, patterns: Sequence[str] = ()
) -> Path:
    """The snapshot of a hub model: config, tokenizer and safetensors, and code only if allowed; or
    the files of these patterns alone.

    It is the commit ``hub_config`` names in this process, even if a branch moves meanwhile.
    """
    import huggingface_hub

    commit = commit_of(hub_config(repo, revision, settings.offline).parent)

    wanted = [*patterns] or [*CONFIG_FILES, *WEIGHT_FILES, *TOKENIZER_FILES]
    if repo in settings.trust_remote_code and not patterns:
        wanted.append("*.py")
    return Path(
        _ask_hub(
            repo,
            revision,
            settings.offline,
            lambda: huggingface_hub.snapshot_download(
                repo,
                revision=commit,
                allow_patterns=wanted,
                local_files_only=settings.offline,
            ),
        )
    )


@lru_cache(maxsize=64)
def hub_config(repo: str, revision: str | None, offline: bool) -> Path:
    """The hub model's config.json or adapter_config.json, downloaded; no weights are."""
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    def fetch() -> str:
        try:
            return huggingface_hub.hf_hub_download(
                repo, CONFIG, revision=revision, local_files_only=offline
            )
        except EntryNotFoundError as error:
            unreachable = isinstance(error, LocalEntryNotFoundError)  # it is not asked again
            return huggingface_hub.hf_hub_download(
                repo, ADAPTER, revision=revision, local_files_only=offline or unreachable
            )

    return Path(_ask_hub(repo, revision, offline, fetch))


def _ask_hub(repo: str, revision: str | None, offline: bool, ask: Callable[[], T]) -> T:
    """The result of ``ask()``. Raises ModelError that says in which way the hub failed; and where
    it was not to be asked, by what that was asked for."""
    from huggingface_hub import constants, errors

    by = "the offline option (--valuebias-offline, --offline or offline=True)"
    without = "leave the offline option out"
    if not offline and constants.HF_HUB_OFFLINE:
        variables = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # the hub's library reads both
        by = " and ".join(name for name in variables if os.environ.get(name)) or variables[0]
        offline, without = True, f"unset {by}"
    seen = repo if revision is None else f"{repo}@{revision}"
    try:
        return ask()
    except errors.GatedRepoError:
        what, remedy = (
            "the hub gives access to this model only after you accept its licence",
            "Accept it on the model's page and log in with: hf auth login.",
        )
    except errors.RepositoryNotFoundError:
        what, remedy = (
            "model not found on the hub, or it is private",
            "Check the id. If it is private, log in with: hf auth login.",
        )
    except errors.RevisionNotFoundError:
        what, remedy = "unknown revision of the model", "Give a branch, a tag or a commit of it."
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        if offline:
            what, remedy = (
                f"the model is not in the local cache, and offline was asked for by {by}",
                f"Download it once with a network (hf download), or {without}.",
            )
        else:
            what, remedy = (
                "the model is not in the local cache, and the hub cannot be reached",
                "Check the network, or download the model where there is one (hf download).",
            )
    except errors.EntryNotFoundError:
        what, remedy = "the hub repository does not contain config.json", "Give the id of a model."
    except Exception as error:  # network errors come from several libraries
        what, remedy = (
            f"the hub request for this model failed ({type(error).__name__})",
            "Check the network, or download the model first and use the offline option.",
        )
    raise ModelError(what, seen=seen, remedy=remedy)
