"""Reward models that know nothing: random heads on a language model, as tables of scores.

    python benchmarks/random_heads.py [--model DIR] [--quick] [--json FILE]

A head is a random direction (normal, seeded) in the state of a conversation's last token after the
final norm, which is what a sequence classifier reads. The states are computed once, by transformers
with its own cache of the prompt's keys and values, and give the scores of any number of heads by
one matrix product. Run by itself this script saves one such head as a sequence classifier, scores
some words with it as any reward model is scored, and compares: on the language model in DIR, or on
the one that the embedded neutral model was trained from.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DynamicCache,
    PreTrainedModel,
    logging,
)

from valuebias import load
from valuebias.lexicons.files import starter
from valuebias.measurement.instrument import control_lexicon
from valuebias.models.chat import Chat, common_prefix
from valuebias.organisms.paths import base_model
from valuebias.prompts import PAPER_PROMPTS, Prompt

Floats = npt.NDArray[Any]
WORDS = tuple(dict.fromkeys((*starter("big_two").words(), *control_lexicon().words())))
"""All that the suite for the Big Two and the instrument check read."""
BATCH = 64
SEED = 0
TOLERANCE = 1e-4
logging.set_verbosity_error()
logging.disable_progress_bar()


def heads(count: int, hidden: int) -> Floats:
    """Random heads (count, hidden), float32; scores of states of length 1 have variance 1."""
    drawn = np.random.default_rng(SEED).normal(size=(count, hidden)) / np.sqrt(hidden)
    return drawn.astype(np.float32)


def states(
    model: Path, prompts: Sequence[Prompt], words: Sequence[str], kept: Path | None = None
) -> Floats:
    """The last token's final state of each conversation, float32 (prompts, words, hidden).

    With ``kept``, a folder, what was computed before is read from there.
    """
    by_prompt: list[Floats] = []
    body: PreTrainedModel | None = None
    digest = sha256("\n".join((str(model.resolve()), *words)).encode()).hexdigest()[:12]
    for prompt in prompts:
        path = None if kept is None else kept / f"{digest}-{prompt.id}.npy"
        if path is None or not path.exists():
            if body is None:
                body = AutoModel.from_pretrained(model, dtype=torch.float32).eval()
                chat = Chat(AutoTokenizer.from_pretrained(model))
            by_prompt.append(_last_states(body, chat.conversations(prompt.text, words)))
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, by_prompt[-1])
        else:
            by_prompt.append(np.load(path))
    return np.stack(by_prompt)


@torch.inference_mode()
def _last_states(body: PreTrainedModel, conversations: Sequence[Sequence[int]]) -> Floats:
    """Of conversations that begin alike, (conversations, hidden); their tails in batches of one
    length, so that nothing is padded."""
    shared = len(common_prefix(conversations))
    shared = min(shared, min(map(len, conversations)) - 1)
    prefix = torch.tensor([conversations[0][:shared]])
    cache = body(input_ids=prefix, past_key_values=DynamicCache(), use_cache=True).past_key_values
    by_length: dict[int, list[int]] = defaultdict(list)
    for at, ids in enumerate(conversations):
        by_length[len(ids)].append(at)
    found: Floats = np.empty((len(conversations), body.config.hidden_size), np.float32)
    for rows in by_length.values():
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            own = copy.deepcopy(cache)
            own.batch_repeat_interleave(len(part))
            tails = torch.tensor([conversations[at][shared:] for at in part])
            out = body(input_ids=tails, past_key_values=own, use_cache=True)
            found[part] = out.last_hidden_state[:, -1].numpy()
    return found


def compare(model: Path, folder: Path, prompts: int, words: int) -> float:
    """The largest difference between a head's scores here and those of the same head, saved as a
    reward model and scored by the tool, in standard deviations of the scores."""
    asked = PAPER_PROMPTS[:: len(PAPER_PROMPTS) // prompts][:prompts]
    some = WORDS[:: len(WORDS) // words][:words]
    found = states(model, asked, some)
    (head,) = heads(1, found.shape[-1])
    classifier = AutoModelForSequenceClassification.from_pretrained(
        model, num_labels=1, dtype=torch.float32
    )
    with torch.no_grad():
        classifier.score.weight.copy_(torch.from_numpy(head)[None])
    classifier.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    told = load(str(folder)).score(some, asked).values
    mine = found @ head
    return float(np.abs(mine - told).max() / mine.std())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, metavar="DIR", help="a language model")
    parser.add_argument("--quick", action="store_true", help="two prompts, six words")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    model = args.model or base_model("neutral")
    with tempfile.TemporaryDirectory() as name:
        largest = compare(model, Path(name), *((2, 6) if args.quick else (3, 20)))
    print(f"largest difference from the tool's scores: {largest:.2g} standard deviations")
    if args.json:
        figure = {
            "name": "random head: largest difference from the tool's scores",
            "value": largest,
            "unit": "standard deviations",
            "target": TOLERANCE,
            "met": largest < TOLERANCE,
        }
        args.json.write_text(json.dumps([figure], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
