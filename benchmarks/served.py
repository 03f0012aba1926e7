"""What a reward model costs behind a real vLLM, against the search on the same one from its folder.

    PYTHONPATH=tests python benchmarks/served.py [--vllm EXECUTABLE] [--model DIR] [--quick]
        [--json FILE]

The language model of DIR, or a random Llama, gets a random head and is saved as a float32 reward
model. One-token words are then scored on one prompt a round: by the search here, and by a vLLM
server that is started for it, as it comes and with its cache of prefixes, asked by token ids and
by messages. Everything runs on one thread. A figure is the ratio of the server's way to ours, the
median over rounds with the lowest and highest: of processor time, which holds beside busy
neighbours, that of the server's processes and of asking them together; and of elapsed time, which
does not. Opening a model, preflight included, lies outside. The largest difference is between
two scores of one conversation. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from support.models import save_reward_model
from support.vllm import EXECUTABLE, RealServer, vllm
from valuebias.candidates import Candidates
from valuebias.models.loading import load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.served import open_served
from valuebias.models.settings import Settings
from valuebias.prompts import PAPER_PROMPTS, Prompt
from valuebias.scorers.schemes import parse_spec

KINDS = {
    "as it comes": ("--no-enable-prefix-caching",),
    "cache of prefixes": ("--enable-prefix-caching", "--block-size", "32"),
}
CANDIDATES = 768

Score = Callable[[Prompt, Candidates], np.ndarray]


def reward_model(folder: Path, base: Path | None) -> Path:
    """A reward model whose head is random, in float32, with a chat template."""
    if base is None:
        return save_reward_model(
            folder, initializer_range=0.1, head_dim=32, hidden_size=256, intermediate_size=704,
            num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=4,
        )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(base)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=torch.float32, pad_token_id=tokenizer.pad_token_id
    )
    torch.nn.init.normal_(model.score.weight, std=0.02)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def one_token_words(model: RewardModel, many: int) -> Candidates:
    """Up to so many words that are one token each where an answer stands."""
    texts = sorted({text for text in model.vocabulary().responses if text.isalpha()})
    framed = model.chat.framed(PAPER_PROMPTS[0].text, texts)
    words = [text for text, ids in zip(texts, framed, strict=True) if len(ids) == 1]
    picked = np.random.default_rng(0).permutation(len(words))[:many]
    return Candidates.words([words[i] for i in sorted(picked)])


def measured(
    score: Score, prompt: Prompt, words: Candidates, server: RealServer | None = None
) -> tuple[np.ndarray, float, float]:
    """The scores, and the processor and elapsed seconds they took."""

    def busy() -> float:
        return time.process_time() + (server.processor_seconds() if server else 0.0)

    began, before = time.perf_counter(), busy()
    values = score(prompt, words)
    return values, busy() - before, time.perf_counter() - began


def ways(server: RealServer, folder: Path) -> Iterator[tuple[str, Score]]:
    """How the server is asked, each with what asks it."""
    for name, tokenizer in (("token ids", str(folder)), ("messages", None)):
        served = open_served(
            server.url, tokenizer=tokenizer, model=None, pairs=False, name="served",
            settings=Settings(), store=None,
        )  # fmt: skip
        yield name, served.score_prompt


def version(server: RealServer) -> str:
    with urllib.request.urlopen(f"{server.url}/version") as answer:
        return str(json.load(answer)["version"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few words, one round")
    parser.add_argument("--vllm", default=EXECUTABLE, metavar="EXECUTABLE", help="its command")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a language model's folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.vllm is None:
        parser.error("no vllm on the path, and VALUEBIAS_VLLM names none: give --vllm")
    torch.set_num_threads(1)
    prompts = [p for p in PAPER_PROMPTS if p.valence == "positive"]
    prompts = prompts[: 1 if options.quick else options.rounds]
    figures = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = reward_model(Path(scratch) / "model", options.model)
        own = load_reward_model(parse_spec(str(folder)), Settings(device="cpu"))
        words = one_token_words(own, 64 if options.quick else CANDIDATES)
        own.score_prompt(prompts[0], words)  # warms up; its self-check is outside as well
        print(f"{len(words)} words, {len(prompts)} rounds, load {os.getloadavg()[0]:.1f}")
        print("| server | asked by | processor time | elapsed | largest difference |")
        print("|---|---|---|---|---|")
        for kind, given in KINDS.items():
            log = Path(scratch) / "log"
            with vllm(options.vllm, folder, log, "--max-model-len", "256", *given) as server:
                for way, score in ways(server, folder):
                    score(prompts[-1], Candidates.words(words.responses[:16]))
                    ratios, apart = [], 0.0
                    for prompt in prompts:
                        here, ours, our_elapsed = measured(own.score_prompt, prompt, words)
                        there, theirs, elapsed = measured(score, prompt, words, server)
                        ratios.append((theirs / ours, elapsed / our_elapsed))
                        apart = max(apart, float(np.abs(here - there).max()))
                    busy, waited = (shown([each[i] for each in ratios]) for i in (0, 1))
                    print(f"| {kind} | {way} | {busy} | {waited} | {apart:.1e} |", flush=True)
                    figures.append(
                        {
                            "server": kind, "asked_by": way, "difference": apart,
                            "version": version(server), "load": os.getloadavg()[0],
                            "processor": [r[0] for r in ratios],
                            "elapsed": [r[1] for r in ratios],
                        }
                    )  # fmt: skip
    print(f"load {os.getloadavg()[0]:.1f}, vLLM {figures[-1]['version']}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} [{min(values):.1f} to {max(values):.1f}]"


if __name__ == "__main__":
    main()
