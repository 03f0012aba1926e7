"""What a second thread of the processor costs and gives, by the size of the model.

    python benchmarks/threads.py [--quick] [--threads 2] [--model DIR] [--json FILE]

Random reward models of several widths, the embedded one, and the language model of DIR with a
random head score the starter's words for agency and communion on one prompt, in turn on one thread
and on several. A figure is the ratio of several threads to one, the median of paired rounds: of
elapsed time (below 1 the threads pay) and of processor time (above 1 they are another process's).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, LlamaConfig

from valuebias.candidates import Candidates
from valuebias.lexicons.files import starter
from valuebias.models.chat import Chat
from valuebias.models.heads.score import ScoreHead
from valuebias.models.loading import load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.models.threads import used
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

SHAPES = ((128, 4), (256, 6), (384, 8), (512, 8), (768, 8))
"""Width and layers of the random models."""


def models(folder: Path | None, *, quick: bool) -> Iterator[tuple[str, RewardModel]]:
    """The models, each with its name."""
    embedded = load_reward_model(parse_spec("demo:neutral"), Settings(device="cpu"))
    yield "demo:neutral", embedded
    tokenizer = embedded.tokenizer
    for width, layers in SHAPES[:2] if quick else SHAPES:
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width,
            num_hidden_layers=layers, num_attention_heads=width // 64, num_labels=1,
            pad_token_id=0,
        )  # fmt: skip
        torch.manual_seed(0)
        yield (
            f"{layers} layers of {width}",
            _scorer(AutoModelForSequenceClassification.from_config(config), tokenizer),
        )
    if folder is not None:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=1, dtype=torch.float32
        )
        yield folder.name, _scorer(model, AutoTokenizer.from_pretrained(folder))


def _scorer(model: Any, tokenizer: Any) -> RewardModel:
    head = ScoreHead(model.eval(), torch.ones(1))
    return RewardModel(
        head, tokenizer, Chat(tokenizer), name="m", fingerprint="", chunk_memory=1 << 30, origin={}
    )


def parameters(model: RewardModel) -> int:
    """Those beside the embeddings, which `models.threads` goes by."""
    backbone: Any = model.head.backbone
    own = {id(p) for p in backbone.get_input_embeddings().parameters()}
    return sum(p.numel() for p in backbone.parameters() if id(p) not in own)


def seconds(model: RewardModel, words: Candidates, threads: int) -> tuple[float, float]:
    """Elapsed and processor time of the words on one prompt."""
    with used(threads):
        start, busy = time.perf_counter(), time.process_time()
        model.score_prompt(GREATEST, words)
        return time.perf_counter() - start, time.process_time() - busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer models and rounds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=Path, metavar="DIR", help="a language model's folder")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    words = Candidates.words(starter("big_two").words())
    figures = []
    print("| model | parameters beside embeddings | elapsed | processor time |\n|---|---|---|---|")
    for name, model in models(options.model, quick=options.quick):
        seconds(model, words, 1)
        pairs = [
            (seconds(model, words, options.threads), seconds(model, words, 1))
            for _ in range(1 if options.quick else 5)
        ]
        elapsed, busy = (
            statistics.median(several[i] / one[i] for several, one in pairs) for i in (0, 1)
        )
        size = parameters(model)
        print(f"| {name} | {size / 1e6:.1f}M | {elapsed:.2f} | {busy:.2f} |", flush=True)
        figures.append({"name": name, "parameters": size, "elapsed": elapsed, "processor": busy})
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
