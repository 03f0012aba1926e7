"""Loads models from specs: hub, local and embedded models alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, TypeVar

import torch
from transformers import AutoTokenizer

from valuebias.declarations.judge_templates import judge_template
from valuebias.errors import ModelError, SpecError, first_line
from valuebias.models import device, heads, threads
from valuebias.models import preflight as checks
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.conversation_format import conversations
from valuebias.models.files import TEMPLATE, ModelFiles, locate
from valuebias.models.fingerprint import fingerprint
from valuebias.models.heads.adapter import check_read
from valuebias.models.heads.backbone import quiet
from valuebias.models.heads.score import ScoreHead
from valuebias.models.judge import Judge
from valuebias.models.language import LanguageModel, load_causal
from valuebias.models.repaired import repairs_of, told
from valuebias.models.reward import RewardModel
from valuebias.models.scorer import ModelScorer
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.prompts import GREATEST

Scoring = TypeVar("Scoring", bound=ModelScorer)


def load(spec: ModelSpec, settings: Settings) -> RewardModel | LanguageModel:
    """Load a model as what its spec says. Raises ModelError if that is not possible."""
    if spec.scheme == "judge":
        return load_judge(spec, settings)
    if spec.load_as == "rm":
        return load_reward_model(spec, settings)
    return load_language_model(spec, settings)


def load_reward_model(
    spec: ModelSpec, settings: Settings, *, preflight: bool = True
) -> RewardModel:
    """Load a reward model and check that it can be trusted to score.

    Raises ModelError if that is not possible: missing files, no network, weights that are
    not safetensors, a head that would be random, a tokenizer or template that cannot be used, and
    (with ``preflight``) scores that are not finite, constant, or depend on the batch.
    """
    spec = replace(spec, load_as="rm")
    files = locate(spec, settings)
    if files.gguf:
        raise ModelError(
            "a GGUF file holds a language model, and no reward head that can be read",
            seen=files.gguf,
            remedy="Give it to --llm or --base, or the reward model that it was made from.",
        )
    checkpoint = Checkpoint.open(files)
    placement = _placement(spec, settings)
    family = heads.find(checkpoint)
    head = family.load(checkpoint, placement)
    tokenizer = _tokenizer(files, placement)
    chat = conversations(tokenizer, checkpoint.config.get(TEMPLATE), settings, files.name)
    if isinstance(head, ScoreHead):
        asked = chat.conversations(GREATEST.text, ["love"])[0]
        check_read(checkpoint, head.model, tokenizer, asked)
    model = RewardModel(
        head,
        tokenizer,
        chat,
        name=spec.label,
        fingerprint=fingerprint(spec, settings),
        chunk_memory=settings.chunk_memory,
        origin=_origin(checkpoint, placement),
    )
    if preflight:
        _check(model, checks.check, head.backbone, checkpoint, placement, settings)
    return model


def load_language_model(spec: ModelSpec, settings: Settings) -> LanguageModel:
    """Load a causal language model, the base LM of an embedded one, and check that it can be
    trusted to score. Raises ModelError, as ``load_reward_model`` does.
    """
    spec = replace(spec, load_as="llm")
    files = locate(spec, settings)
    checkpoint = Checkpoint.open(files)
    placement = _placement(spec, settings)
    model = LanguageModel(
        load_causal(checkpoint, placement),
        _tokenizer(files, placement),
        name=spec.label,
        fingerprint=fingerprint(spec, settings),
        chunk_memory=settings.chunk_memory,
        origin=_origin(checkpoint, placement),
        answer_cue=settings.answer_cue,
    )
    _check(model, checks.check_language, model.model, checkpoint, placement, settings)
    return model


def load_judge(spec: ModelSpec, settings: Settings) -> Judge:
    """Load the causal language model of a judge, and check that it can be trusted to score; whether
    it answers with ratings is for the caller to check. Raises ModelError, as
    ``load_reward_model`` does."""
    (part,) = spec.parts
    files = locate(part, settings)
    checkpoint = Checkpoint.open(files)
    placement = _placement(part, settings)
    model = Judge(
        load_causal(checkpoint, placement),
        _tokenizer(files, placement),
        judge_template(spec.target),
        name=spec.label,
        fingerprint=fingerprint(spec, settings),
        chunk_memory=settings.chunk_memory,
        origin=_origin(checkpoint, placement),
    )
    _check(model, checks.check, model.head.backbone, checkpoint, placement, settings)
    return model


def _placement(spec: ModelSpec, settings: Settings) -> Placement:
    kind, dtype = device.resolve(settings)
    allowed = spec.target in settings.trust_remote_code
    if kind == device.MAP:
        if find_spec("accelerate") is None:
            raise ModelError(
                "a model is spread over devices by accelerate, which is not installed",
                seen=f"device={kind}",
                remedy="Install it (pip install accelerate), or name one device.",
            )
        first = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        return Placement(getattr(torch, dtype), first, allowed, spread=True)
    try:
        where = torch.device(kind)
    except RuntimeError:
        raise SpecError(
            "unknown device", seen=kind, remedy="Use auto, cpu, cuda, cuda:1, mps or map."
        ) from None
    available = {
        "cuda": torch.cuda.device_count() > (where.index or 0),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(where.type, True):
        raise ModelError(
            "torch does not see this device on this machine",
            seen=kind,
            remedy="Use device=cpu, or install a torch build for this machine's GPU.",
        )
    return Placement(getattr(torch, dtype), where, trust_remote_code=allowed)


def _check(
    model: Scoring,
    preflight: Callable[[Scoring, torch.dtype], float],
    module: torch.nn.Module,
    checkpoint: Checkpoint,
    placement: Placement,
    settings: Settings,
) -> None:
    """Check that a model can be trusted, on as many threads as its work can use; say of a quantised
    one's precision what it is, and how far its numbers repeat."""
    if placement.spread:
        model.note("device", _devices(module))
    precision = placement.dtype
    # Quantised layers compute in half precision at best; GGUF is dequantised on loading.
    if checkpoint.quantised and not checkpoint.files.gguf and precision is torch.float32:
        precision = torch.float16
    model.threads = threads.fitting(module, settings.threads)
    with threads.used(model.threads):
        repeats = preflight(model, precision)
    if checkpoint.quantised:
        dtype = model.provenance["dtype"]
        model.note("dtype", f"{dtype} ({checkpoint.quantised}, repeats to {repeats:.1g})")


def _devices(module: torch.nn.Module) -> str:
    """Where a model that is spread over devices lies, as its provenance says."""
    names = sorted({str(parameter.device) for parameter in module.parameters()} - {"meta"})
    moved = any(parameter.is_meta for parameter in module.parameters())
    return ", ".join([*names, *(["layers moved in when they run"] if moved else [])])


def _origin(checkpoint: Checkpoint, placement: Placement) -> dict[str, str]:
    files = checkpoint.files
    origin = {
        "source": files.name,
        "dtype": str(placement.dtype).removeprefix("torch."),
        "device": str(placement.device),
    }
    if files.revision is not None:
        origin["revision"] = files.revision
    if files.adapter is not None:
        origin["adapter"] = "on its base" if checkpoint.quantised else "merged into its base"
    if repairs := repairs_of(files):
        origin["repaired"] = told(repairs)
    return origin


def _tokenizer(files: ModelFiles, placement: Placement) -> Any:
    directory = files.tokenizer
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(
                directory,
                **files.options,
                trust_remote_code=placement.trust_remote_code,
                local_files_only=True,
            )
    except Exception as error:
        raise ModelError(
            f"{files.name} has no tokenizer that can be loaded",
            seen=first_line(error),
            remedy="Save the tokenizer beside the model: tokenizer.save_pretrained(directory).",
        ) from error
