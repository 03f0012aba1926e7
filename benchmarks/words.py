"""How fast words get their log-probabilities, against padded batches of full sequences.

    python benchmarks/words.py [--quick] [--device cpu|cuda] [--json FILE]

1,200 words of one to four tokens (40, 35, 18 and 7 in a hundred; those of several begin with one of
250 tokens) after a prompt of 41 tokens, on a Llama with random weights. Three ways run interleaved,
round by round, in one process: the word trie; batches of 32 whole sequences, padded, that keep the
logits of the word's positions only (``logits_to_keep``); and the same with all logits. The batches
score part of the list, as long as it takes to be timed. Every ratio is of the time a word takes,
formed within a round; what is printed is the median over rounds with the lowest and highest. On a
CPU one thread runs in float32 and time is processor time; on a GPU the model is bfloat16 and time
is wall time between synchronisations.

The trie is timed as users run it, through WordSearcher.run: building the trie, the prompt's own
passes and handing out every word included; only the self-check of the first run lies outside. The
largest difference is from words one by one through the model's own forward.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

from valuebias.search.language_head import language_head
from valuebias.search.words import WordSearcher

PREFIX, BATCH, TARGET = 41, 32, 30.0
VOCABULARY = 32000


def words(count: int) -> list[tuple[int, ...]]:
    """Distinct words; the same ones every time."""
    rng = random.Random(0)
    firsts = [rng.randrange(100, VOCABULARY) for _ in range(250)]
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < count:
        length = rng.choices((1, 2, 3, 4), (0.4, 0.35, 0.18, 0.07))[0]
        first = rng.choice(firsts) if length > 1 else rng.randrange(100, VOCABULARY)
        drawn[(first, *(rng.randrange(100, 3000) for _ in range(length - 1)))] = None
    return list(drawn)


def padded(
    model: LlamaForCausalLM, prefix: Sequence[int], words: Sequence[Sequence[int]], keep: bool
) -> torch.Tensor:
    """Log-probabilities by batches of whole sequences, padded on the right."""
    out = []
    for start in range(0, len(words), BATCH):
        rows = [[*prefix, *word] for word in words[start : start + BATCH]]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=model.device)
        options = {"logits_to_keep": width - len(prefix) + 1} if keep else {}
        logits = model(
            input_ids=ids, attention_mask=(ids != 0).long(), use_cache=False, **options
        ).logits
        log_p = logits[:, len(prefix) - width - 1 : -1].float().log_softmax(-1)
        targets = ids[:, len(prefix) :]
        found = log_p.gather(-1, targets[..., None])[..., 0]
        out.append((found * (targets != 0)).sum(1))
    return torch.cat(out).cpu()


def one_by_one(
    model: LlamaForCausalLM, prefix: Sequence[int], words: Sequence[Sequence[int]]
) -> torch.Tensor:
    out = []
    for word in words:
        ids = torch.tensor([[*prefix, *word]], device=model.device)
        logits = model(input_ids=ids, use_cache=False).logits[0, len(prefix) - 1 : -1]
        log_p = logits.float().log_softmax(-1)
        out.append(log_p.gather(-1, ids[0, len(prefix) :, None]).sum())
    return torch.stack(out).cpu()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, figures coarse")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    cuda = args.device == "cuda"
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=512,
            num_hidden_layers=6,
            num_attention_heads=8,
            num_key_value_heads=4,
            intermediate_size=1408,
            pad_token_id=0,
        )
    ).eval()
    model.to(args.device, torch.bfloat16 if cuda else torch.float32)
    prefix = random.Random(1).choices(range(5, 1000), k=PREFIX)
    every = words(1200)
    sample = every[: 64 if args.quick else 160]
    searcher = WordSearcher(language_head(model)[0], chunk_memory=1 << 30)

    def seconds(run: Callable[[], object]) -> float:
        clock = time.perf_counter if cuda else time.process_time
        if cuda:
            torch.cuda.synchronize()
        start = clock()
        run()
        if cuda:
            torch.cuda.synchronize()
        return clock() - start

    with torch.inference_mode():
        values = torch.from_numpy(searcher.run(prefix, every))
        assert searcher.rung == "shared-prefix", searcher.notes
        alone = one_by_one(model, prefix, sample)
        difference = float((values[: len(sample)] - alone).abs().max())
        for keep in (True, False):
            padded(model, prefix, sample[:BATCH], keep)
        rounds: dict[str, list[float]] = {"trie": [], "kept": [], "all": []}
        for _ in range(2 if args.quick else 5):
            rounds["kept"].append(
                seconds(lambda: padded(model, prefix, sample, True)) / len(sample)
            )
            rounds["trie"].append(seconds(lambda: searcher.run(prefix, every)) / len(every))
            rounds["all"].append(
                seconds(lambda: padded(model, prefix, sample, False)) / len(sample)
            )
    ratios = {
        name: [slow / fast for slow, fast in zip(rounds[name], rounds["trie"], strict=True)]
        for name in ("kept", "all")
    }
    for name, label in (
        ("kept", "padded, needed logits"),
        ("all", "padded, all logits"),
        ("trie", "trie"),
    ):
        print(f"{label}: {_spread([1e3 * each for each in rounds[name]])} ms a word")
    print(f"trie over padded, needed logits: {_spread(ratios['kept'])}x (target {TARGET:.0f})")
    print(f"trie over padded, all logits: {_spread(ratios['all'])}x")
    print(f"largest difference from one by one: {difference:.1e}")
    if args.json:
        kept = statistics.median(ratios["kept"])
        figures = [
            _figure("words speed-up over needed logits", kept, "x", TARGET, kept >= TARGET),
            _figure("words speed-up over all logits", statistics.median(ratios["all"]), "x"),
            _figure(
                "words largest difference",
                difference,
                "nat",
                None if cuda else 1e-5,
                None if cuda else difference <= 1e-5,
            ),
        ]
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


def _figure(
    name: str, value: float, unit: str, target: float | None = None, met: bool | None = None
) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit, "target": target, "met": met}


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}..{max(values):.2f}]"


if __name__ == "__main__":
    main()
