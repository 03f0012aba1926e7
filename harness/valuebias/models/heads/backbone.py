"""What the head families share: loading through transformers, and the rules of where to read."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

from valuebias.errors import ModelError, ValueBiasError, first_line
from valuebias.models.checkpoint import Checkpoint, Placement

# Tensors a checkpoint may hold beside backbone and head: a language head that is not used, and
# rotary tables that old versions saved and all versions compute.
_SPARE = re.compile(r"lm_head\.|.*rotary_emb\.inv_freq$|.*\.attn\.(masked_)?bias$")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, log lines or warnings of the libraries below: what they would warn about is
    checked here."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def from_pretrained(
    auto: Any, directory: Path, placement: Placement, **options: Any
) -> tuple[Any, Mapping[str, Any]]:
    """``auto.from_pretrained`` of local safetensors, and its loading info.

    Never prompts, never downloads, runs the model's own code only if allowed. Raises ModelError,
    with the first line of what transformers said, if loading fails.
    """
    on_gpu = placement.device.type != "cpu"
    where = "auto" if placement.spread else str(placement.device) if on_gpu else None
    try:
        with quiet():
            model, info = auto.from_pretrained(
                directory,
                dtype=placement.dtype,
                device_map=where,
                trust_remote_code=placement.trust_remote_code,
                use_safetensors=None if "gguf_file" in options else True,
                local_files_only=True,
                output_loading_info=True,
                **options,
            )
    except ValueBiasError:
        raise
    except Exception as error:
        needs_code = "trust_remote_code" in str(error)
        raise ModelError(
            f"transformers cannot load the model as {auto.__name__.removeprefix('AutoModel')}",
            seen=first_line(error),
            remedy="It needs code of its own: read that code, then allow it with "
            "--valuebias-trust-remote-code=ID."
            if needs_code
            else "Give a causal language model with a reward head, complete and unquantised.",
        ) from error
    return model.eval().requires_grad_(False), info


def load_backbone(
    checkpoint: Checkpoint, placement: Placement, head: Iterable[str]
) -> torch.nn.Module:
    """The decoder alone; ``head`` names the tensors that the caller reads itself.

    Raises ModelError if a weight of the decoder is missing, or if the checkpoint holds a tensor
    that neither the decoder nor the head uses: the model is of another kind.
    """
    refuse_adapter(checkpoint)
    model, info = from_pretrained(AutoModel, checkpoint.files.model, placement)
    check_complete(checkpoint, info, set(head))
    return model  # type: ignore[no-any-return]


def refuse_adapter(checkpoint: Checkpoint) -> None:
    """Raise ModelError where the model is a PEFT adapter, for families that load none."""
    if checkpoint.files.adapter is not None:
        raise ModelError(
            "an adapter on this kind of reward model is not supported",
            seen=checkpoint.files.adapter,
            remedy="Merge it into its base (merge_and_unload) and save the whole model.",
        )


def check_complete(
    checkpoint: Checkpoint, info: Mapping[str, Any], head: frozenset[str] | set[str]
) -> None:
    """Raise ModelError on weights that were missing, did not fit, or were left over.

    ``info`` is the loading info of transformers. A missing weight would be random, with no more
    than a log line.
    """
    missing = sorted(set(info["missing_keys"]) | {key[0] for key in info["mismatched_keys"]})
    left = sorted(
        key for key in set(info["unexpected_keys"]) - head if not _SPARE.fullmatch(_whole(key))
    )
    if missing:
        is_head = any(key.startswith(("score", "v_head", "classifier")) for key in missing)
        raise ModelError(
            f"{checkpoint.name} is not a reward model: its checkpoint lacks the reward head, which "
            "would be random"
            if is_head
            else f"the checkpoint {checkpoint.name} lacks weights, which would be random",
            seen=_some(missing) + (f"; it holds instead {_some(left)}" if left else ""),
            remedy="Give a trained reward model; a language model goes to --llm or --base. If its "
            'rewards are the logit of token 0, set "valuebias_head": "first-logit" in config.json.'
            if is_head
            else "Give a complete checkpoint of a supported class.",
        )
    if left:
        raise ModelError(
            f"the checkpoint {checkpoint.name} holds weights that its class does not use",
            seen=_some(left),
            remedy="Its head follows a convention that is not supported: add it as a head family "
            "(entry point valuebias.heads).",
        )


def _whole(key: str) -> str:
    """The key as the pattern of spare tensors wants it: a language head counts whole."""
    return "lm_head." if key.startswith("lm_head.") else key


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more


def last_non_pad(ids: Sequence[int], pad: int | None) -> int:
    """Rightmost position whose id is not the pad id, 0 if there is none; the last if pad is None.

    The rule of transformers' GenericForSequenceClassification, which looks at ids and not at the
    attention mask: a response that is the pad token is read before it.
    """
    if pad is None:
        return len(ids) - 1
    return next((i for i in range(len(ids) - 1, -1, -1) if ids[i] != pad), 0)


def before_first_pad(ids: Sequence[int], pad: int | None) -> int:
    """The position before the first pad id, the last if there is none or it comes first.

    The older rule, which published modelling code still carries.
    """
    if pad is None or pad not in ids:
        return len(ids) - 1
    return (list(ids).index(pad) - 1) % len(ids)


def pad_of(config: Any) -> int | None:
    """The pad id that pooling goes by: the text config's."""
    pad = config.get_text_config().pad_token_id
    return None if pad is None or pad < 0 else int(pad)


def gather_forward(
    backbone: torch.nn.Module,
    reads: Callable[[Sequence[int]], Mapping[str, int]],
    rewards: Callable[[Mapping[str, torch.Tensor]], torch.Tensor],
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
) -> torch.Tensor:
    """Rewards of right-padded conversations by one plain pass of the backbone.

    For families whose class lives in remote code, so that there is no forward to go through.
    """
    hidden = backbone(
        input_ids=input_ids, attention_mask=attention_mask, use_cache=False
    ).last_hidden_state.to(input_ids.device)
    lengths = attention_mask.sum(-1).tolist()
    where = [reads(ids[:length].tolist()) for ids, length in zip(input_ids, lengths, strict=True)]
    rows = torch.arange(len(where), device=hidden.device)
    return rewards(
        {
            name: hidden[rows, torch.tensor([w[name] for w in where], device=hidden.device)]
            for name in where[0]
        }
    )
