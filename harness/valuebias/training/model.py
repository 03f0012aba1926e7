"""The model a recipe trains: a base with a reward head and LoRA adapters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from valuebias.errors import ModelError, first_line
from valuebias.models import limits
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.files import TEMPLATE, ModelFiles, locate
from valuebias.models.fingerprint import fingerprint
from valuebias.models.heads.backbone import (
    check_complete,
    from_pretrained,
    pad_of,
    quiet,
)
from valuebias.models.settings import PLAIN, Settings
from valuebias.scorers.schemes import parse_spec
from valuebias.training.pairs import TokenPair, Writer
from valuebias.training.recipe import Recipe
from valuebias.training.text_head import TextHead


@dataclass(frozen=True)
class Base:
    """A model to start from, located: its files, its tokenizer, and its name in an adapter."""

    files: ModelFiles
    tokenizer: Any
    positions: int
    pad: int | None
    placement: Placement
    name_or_path: str
    fingerprint: str

    @classmethod
    def find(cls, text: str, settings: Settings) -> Base:
        """Locate a model by its spec, downloading it where needed. Raises ModelError."""
        spec = parse_spec(text, load_as="llm")
        files = locate(spec, settings)
        if files.gguf:
            raise ModelError(
                "a GGUF file cannot be trained on",
                seen=text,
                remedy="Give the model that it was made from.",
            )
        if files.adapter is not None:
            raise ModelError(
                "the base to train on is itself an adapter",
                seen=text,
                remedy="Merge it into its model first (merge_and_unload).",
            )
        trusted = spec.target in settings.trust_remote_code
        placement = Placement(torch.float32, torch.device("cpu"), trust_remote_code=trusted)
        options = {"trust_remote_code": trusted, "local_files_only": True}
        try:
            with quiet():
                config = AutoConfig.from_pretrained(files.model, **options)
                tokenizer = AutoTokenizer.from_pretrained(files.tokenizer, **options)
        except Exception as error:
            raise ModelError(
                f"{files.name} has no config or tokenizer that can be loaded",
                seen=first_line(error),
                remedy="Save the tokenizer beside the model: tokenizer.save_pretrained(directory).",
            ) from error
        tokenizer.model_max_length = 1 << 60  # pairs that are too long are counted instead
        positions = getattr(config.get_text_config(), "max_position_embeddings", None)
        on_cpu = Settings(device="cpu", dtype="float32", offline=settings.offline)
        return cls(
            files,
            tokenizer,
            1 << 30 if positions is None else int(positions),
            pad_of(config),
            placement,
            files.name if files.revision is not None else str(Path(files.model).resolve()),
            fingerprint(spec, on_cpu),
        )

    @property
    def stated(self) -> dict[str, Any]:
        """What a model trained from it has to be read with, and an adapter does not say."""
        plain = {} if self.tokenizer.chat_template else {TEMPLATE: PLAIN}
        return {"pad_token_id": self.pad} | plain

    def writer(self, recipe: Recipe) -> Writer:
        """Writes this model's conversations, no longer than the recipe and the model allow."""
        limit = min(recipe.max_length, self.positions)
        return Writer(self.tokenizer, limit, cut=recipe.truncate == "prompt-left")


def build(
    recipe: Recipe, base: Base, pairs: Sequence[TokenPair]
) -> tuple[Any, TextHead | None, int]:
    """The PEFT model to train, the language head if the recipe keeps it, and the id to pad with.

    The torch seed decides the head and the adapters: set it before. The head of a base that is a
    reward model already is kept. Raises ModelError where the base cannot be trained.
    """
    checkpoint = Checkpoint.open(base.files)
    model, info = from_pretrained(
        AutoModelForSequenceClassification, base.files.model, base.placement, num_labels=1
    )
    missing = set(info["missing_keys"]) - {"score.weight", "score.bias"}
    check_complete(checkpoint, {**info, "missing_keys": missing}, frozenset())
    if not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise ModelError(
            "this base does not get a linear reward head named `score`, so it cannot be trained",
            seen=type(model).__name__,
            remedy="Give a decoder, such as Llama, Gemma, Qwen or Mistral.",
        )
    longest = max((side for pair in pairs for side in (pair.chosen, pair.rejected)), key=max)
    limits.check(model, longest.tolist(), "a pair")
    pad = _pad(model, base.tokenizer, pairs)
    model.config.get_text_config().pad_token_id = pad
    text_head = None
    if recipe.regularizer == "text":
        causal, info = from_pretrained(AutoModelForCausalLM, base.files.model, base.placement)
        check_complete(checkpoint, info, frozenset({"score.weight"}))
        text_head = TextHead(causal, model)
    targets: Any = list(recipe.lora_targets)
    try:
        with quiet():
            adapted = get_peft_model(
                model,
                LoraConfig(
                    task_type="SEQ_CLS",
                    r=recipe.lora_rank,
                    lora_alpha=recipe.lora_alpha,  # type: ignore[arg-type]
                    lora_dropout=recipe.lora_dropout,
                    target_modules="all-linear" if targets == ["all-linear"] else targets,
                    modules_to_save=["score"],
                ),
            )
    except ValueError as error:
        raise ModelError(
            "the recipe's `lora_targets` do not fit the base",
            seen=first_line(error),
            remedy=f"Its linear layers are {', '.join(_linear(model))}; `all-linear` takes all.",
        ) from None
    config = adapted.peft_config["default"]
    config.base_model_name_or_path = base.name_or_path
    config.revision = base.files.revision
    if text_head is not None:
        text_head.watch(adapted.get_submodule("base_model.model.score"))
    return adapted, text_head, pad


def _pad(model: Any, tokenizer: Any, pairs: Sequence[TokenPair]) -> int:
    """The id to pad with, which the classifier also finds a conversation's last token by.

    The config's own where it has one. Where it has none, the loader reads the very last token, so
    training has to as well: an id that no conversation ends with (and often that is not eos, which
    TRL would take, and which templates of Llama 3 end with).
    """
    own = pad_of(model.config)
    if own is not None:
        return own
    ends = {int(side[-1]) for pair in pairs for side in (pair.chosen, pair.rejected)}
    candidates = [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id]
    usable = (i for i in (*candidates, *range(limits.embeddings(model))) if i is not None)
    return int(next(i for i in usable if i not in ends and i < limits.embeddings(model)))


def _linear(model: Any) -> list[str]:
    return sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and name != "score"
        }
    )
