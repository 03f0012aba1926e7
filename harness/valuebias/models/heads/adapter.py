"""PEFT adapters: merged into their base, with what an adapter's directory does not say."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from valuebias.errors import ModelError, first_line
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.files import STATED
from valuebias.models.heads.backbone import last_non_pad, pad_of, quiet

_MISMATCH = re.compile(r"size mismatch for .*")


def merged(model: Any, checkpoint: Checkpoint, placement: Placement) -> Any:
    """The model with the checkpoint's PEFT adapter merged into its weights. Raises ModelError."""
    from peft import PeftModel

    if placement.spread:
        raise ModelError(
            "an adapter cannot be merged into a base that is spread over devices",
            seen=checkpoint.name,
            remedy="Merge it (merge_and_unload), save the whole model and give that, or name one "
            "device.",
        )
    adapter = checkpoint.files.adapter
    assert adapter is not None
    _resize(model, checkpoint)
    try:
        with quiet():
            adapted = PeftModel.from_pretrained(model, adapter, torch_device=str(placement.device))
            if checkpoint.quantised:  # merging would round it to the base's few values
                inner: Any = adapted.base_model.model
                return inner.eval().requires_grad_(False)
            return adapted.merge_and_unload(safe_merge=True).eval().requires_grad_(False)
    except Exception as error:
        mismatch = _MISMATCH.search(str(error))
        raise ModelError(
            "the adapter does not fit its base model",
            seen=mismatch[0] if mismatch else first_line(error),
            remedy="Check that base_model_name_or_path in adapter_config.json names the model it "
            "was trained on.",
        ) from error


def _resize(model: Any, checkpoint: Checkpoint) -> None:
    """Give the base the vocabulary of an adapter that was trained on a larger one, and brings its
    embeddings along. Raises ModelError where it does not bring all that grow."""
    embeddings = model.get_input_embeddings()
    output = getattr(model, "get_output_embeddings", lambda: None)()
    tied = output is not None and output.weight is embeddings.weight
    layers = [embeddings] if output is None or tied else [embeddings, output]
    names = {id(module): name for name, module in model.named_modules()}
    stored = [checkpoint.adapter_shapes.get(f"{names[id(each)]}.weight") for each in layers]
    rows = next((shape[0] for shape in stored if shape), embeddings.weight.shape[0])
    if rows == embeddings.weight.shape[0]:
        return
    if not all(stored):
        raise ModelError(
            f"the adapter was trained on a vocabulary of {rows:,}, its base has "
            f"{embeddings.weight.shape[0]:,}, and the adapter does not hold all embeddings",
            seen=", ".join(
                names[id(each)] for each, has in zip(layers, stored, strict=True) if not has
            ),
            remedy="Save the adapter with its embeddings (save_embedding_layers=True), or merge it "
            "into the resized base.",
        )
    with quiet():
        model.resize_token_embeddings(rows, mean_resizing=False)


def check_read(
    checkpoint: Checkpoint, model: Any, tokenizer: Any, conversation: Sequence[int]
) -> None:
    """Raise ModelError where an adapter's reward is read at another position according to which id
    its training padded with, and nothing says which it was.

    Trainers set the pad id on the model in memory, and an adapter does not hold its model's config:
    the base's has none, or another than the tokenizer that training used.
    """
    files = checkpoint.files
    if files.adapter is None or "pad_token_id" in files.stated:
        return
    own = pad_of(model.config)
    pads = {own, tokenizer.pad_token_id} | ({tokenizer.eos_token_id} if own is None else set())
    if len({last_non_pad(conversation, pad) for pad in pads}) == 1:
        return
    named = ", ".join(
        f"{pad} ({tokenizer.convert_ids_to_tokens(pad)})" for pad in sorted(pads - {None})
    )
    raise ModelError(
        "the adapter does not say which id it was padded with, and the token that its reward is "
        "read at depends on it",
        seen=f"conversations end in {tokenizer.convert_ids_to_tokens(conversation[-1])}; the "
        f"base's pad_token_id is {own}; possible are {named}",
        remedy=f'State it in a file {STATED} beside the adapter, as in {{"pad_token_id": '
        f"{json.dumps(tokenizer.pad_token_id)}}}; null if the last token was read whatever it was.",
    )
