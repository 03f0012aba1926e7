"""How fast the exhaustive search is, against batched full sequences and the machine's own limit.

    python benchmarks/search.py [--quick] [--device cpu|cuda] [--json FILE]

All variants run interleaved, round by round, on one model in one process, and every ratio is formed
within a round; what is printed is the median over rounds with the lowest and highest. On a CPU one
thread runs in float32 and time is processor time, so that a busy neighbour costs little; on a GPU
models are bfloat16 and time is wall time between synchronisations.

* The baseline scores whole conversations in batches, as reward benchmarks do, with use_cache=False
  and the best of several batch sizes in each round. A search passes S tokens through the model
  where the baseline passes P + S: an equally efficient search reaches the ratio (P + S) / S.
* The floor is the time that F.linear alone takes for S tokens in each of the model's own matrices,
  at the best of several row counts. At 1.0 of the floor a search does nothing but those products.
* The largest difference is from the same candidates one by one through the model's own forward.
* Extra memory is the peak over what the process held before, for a number of candidates and for
  four times as many, at two prefix lengths: it must not grow with candidates x prefix.

The search is timed as users run it, prefix pass included; only the self-check of the first prompt
lies outside.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from transformers import (
    AutoModelForSequenceClassification,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    Qwen3Config,
)

from valuebias.search import Searcher

PREFIX, SUFFIX = 41, 1  # tokens before the candidate, and after it


@dataclass(frozen=True)
class Case:
    """A model shape, and what the search must reach on it."""

    name: str
    config: PretrainedConfig
    candidates: int
    sample: int  # candidates the baseline scores in a round
    batches: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    rounds: int = 5
    speedup: float | None = None  # target, as a share of (P + S) / S
    floor: float | None = None  # target, as a share of the matrix-multiply floor


@dataclass(frozen=True)
class Figure:
    """One measured number and what it must be: at most the target if ``most``, else at least."""

    name: str
    value: float
    unit: str
    target: float | None = None
    most: bool = False

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.most else self.value >= self.target

    def as_json(self) -> dict[str, object]:
        keys = ("name", "value", "unit", "target", "met")
        return {key: getattr(self, key) for key in keys}


class ScoreHead:
    """The plain convention: a linear layer on the rightmost token that is not padding."""

    name = "score"

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.backbone: torch.nn.Module = getattr(model, model.base_model_prefix)
        self._pad = model.config.pad_token_id

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        at = len(ids) - 1
        while at and ids[at] == self._pad:
            at -= 1
        return {"last": at}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return F.linear(hidden["last"].float(), self.model.score.weight.float())[:, 0]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)
        return out.logits[:, 0].float()


class Machine:
    """How time and memory are read on the device."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.cuda = self.device.type == "cuda"
        self.dtype = torch.bfloat16 if self.cuda else torch.float32

    def seconds(self, run: Callable[[], object]) -> float:
        clock = time.perf_counter if self.cuda else time.process_time
        self._wait()
        start = clock()
        run()
        self._wait()
        return clock() - start

    def peak_bytes(self, run: Callable[[], object]) -> int:
        """Peak memory of ``run`` over what is held before it."""
        gc.collect()
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            run()
            return torch.cuda.max_memory_allocated() - before
        status = Path("/proc/self/status")
        ctypes.CDLL(None).malloc_trim(0)  # what the C library keeps for reuse would hide the peak
        Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak starts anew from here
        before = _kilobytes(status, "VmRSS")
        run()
        return 1024 * (_kilobytes(status, "VmHWM") - before)

    def _wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()


def _kilobytes(status: Path, key: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, figures coarse")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--only", metavar="NAME", help="only the cases whose name holds NAME")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    machine = Machine(args.device)
    cases = _cuda_cases() if machine.cuda else _cpu_cases()
    if args.quick:
        cases = [_quick(case, machine) for case in cases[:2]]
    figures: list[Figure] = []
    with torch.inference_mode():
        for case in cases:
            if not args.only or args.only in case.name:
                figures += measure(case, machine)
    if args.json:
        args.json.write_text(json.dumps([f.as_json() for f in figures], indent=1) + "\n")


def _cpu_cases() -> list[Case]:
    def sizes(hidden: int, layers: int) -> dict[str, int]:
        return {
            "vocab_size": 32000,
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": hidden // 64,
            "num_key_value_heads": hidden // 128,
            "intermediate_size": int(hidden * 2.75),
            "max_position_embeddings": 4096,
            "pad_token_id": 0,
            "num_labels": 1,
        }

    gpt2 = GPT2Config(
        vocab_size=32000, n_embd=512, n_layer=6, n_head=8, num_labels=1, pad_token_id=0
    )
    # As many candidates as it takes for the one prefix pass and the smaller first blocks to weigh
    # as little as they do in a real vocabulary.
    gemma = {"head_dim": 64, "query_pre_attn_scalar": 64}
    return [
        Case("llama-256", LlamaConfig(**sizes(256, 4)), 8192, 512, speedup=0.85),
        Case("llama-512", LlamaConfig(**sizes(512, 8)), 16384, 512, speedup=0.9, floor=0.75),
        Case("llama-1024", LlamaConfig(**sizes(1024, 4)), 16384, 512, speedup=0.9, floor=0.85),
        Case("qwen3-512", Qwen3Config(**sizes(512, 6), head_dim=64), 8192, 512, speedup=0.9),
        Case("gemma2-512", Gemma2Config(**sizes(512, 6), **gemma), 8192, 512, speedup=0.9),
        Case("gpt2-512", gpt2, 8192, 512, speedup=0.9),
    ]


def _cuda_cases() -> list[Case]:
    llama = LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        intermediate_size=14336,
        rope_theta=500000.0,
        pad_token_id=128001,
        num_labels=1,
    )
    # The published Gemma 2 9B is transformers' default shape for all but the vocabulary's labels.
    gemma = Gemma2Config(
        vocab_size=256000,
        hidden_size=3584,
        num_hidden_layers=42,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=256,
        intermediate_size=14336,
        pad_token_id=0,
        num_labels=1,
    )
    common = {"sample": 2048, "rounds": 3, "speedup": 0.9, "floor": 0.75}
    return [
        Case("llama-8b", llama, candidates=128256, **common),
        Case("gemma-2-9b", gemma, candidates=256000, **common),
    ]


def _quick(case: Case, machine: Machine) -> Case:
    """The same in a fraction of the time; too few rounds and candidates to judge by."""
    small = replace(case, rounds=3, batches=(16, 64), speedup=None, floor=None)
    if machine.cuda:
        return replace(small, candidates=16384, sample=256, batches=(64, 256))
    return replace(small, candidates=1024, sample=64)


def build(case: Case, machine: Machine) -> torch.nn.Module:
    """The model with random weights, widened so that rewards have a spread."""
    torch.manual_seed(0)
    torch.set_default_dtype(machine.dtype)
    with machine.device:
        model = AutoModelForSequenceClassification.from_config(case.config).eval()
    torch.set_default_dtype(torch.float32)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and not any(part in name for part in ("embed", "wte", "wpe")):
            parameter.data.mul_(2 if case.config.hidden_size <= 1024 else 1)
    return model


def linear_shapes(model: torch.nn.Module) -> Counter[tuple[int, int]]:
    """How often each (in, out) matrix occurs in the backbone."""
    shapes: Counter[tuple[int, int]] = Counter()
    for module in getattr(model, model.base_model_prefix).modules():
        if isinstance(module, torch.nn.Linear):
            shapes[module.in_features, module.out_features] += 1
        elif isinstance(module, transformers.pytorch_utils.Conv1D):
            shapes[module.nx, module.nf] += 1
    return shapes


def floor_seconds(shapes: Counter[tuple[int, int]], machine: Machine) -> float:
    """Seconds a token costs in matrix products alone: the best of several row counts."""
    best = math.inf
    for rows in (4096, 8192, 16384) if machine.cuda else (256, 512, 1024):
        total = 0.0
        for (inputs, outputs), count in shapes.items():
            make = {"dtype": machine.dtype, "device": machine.device}
            x = torch.randn(rows, inputs, **make)
            weights = [torch.randn(outputs, inputs, **make) for _ in range(4)]
            F.linear(x, weights[0])

            def products(x: torch.Tensor = x, weights: list[torch.Tensor] = weights) -> None:
                for _ in range(2):
                    for weight in weights:
                        F.linear(x, weight)

            total += count * machine.seconds(products) / (2 * len(weights))
        best = min(best, total / rows)
    return best


def measure(case: Case, machine: Machine) -> list[Figure]:
    """Everything about one model."""
    model = build(case, machine)
    head = ScoreHead(model)
    vocabulary = case.config.vocab_size
    generator = torch.Generator().manual_seed(1)
    prefix = torch.randint(5, vocabulary, (PREFIX,), generator=generator).tolist()
    order = torch.randperm(vocabulary, generator=generator)[: case.candidates].tolist()
    tails = [[token, *range(7, 7 + SUFFIX)] for token in order]
    length = 1 + SUFFIX
    ids = torch.tensor([prefix + tail for tail in tails[: case.sample]], device=machine.device)

    searcher = Searcher(head, chunk_memory=(8 if machine.cuda else 1) << 30)
    values = searcher.run(prefix, tails)  # warms up, and does the self-check outside the timing
    assert searcher.rung == "shared-prefix", searcher.notes
    alone = torch.cat([head.forward(row, torch.ones_like(row)) for row in ids[:16].split(1)])
    difference = float((torch.from_numpy(values[:16]) - alone.cpu()).abs().max())

    def baseline(batch: int, ids: torch.Tensor = ids) -> float:
        def run() -> None:
            for part in ids.split(batch):
                head.forward(part, torch.ones_like(part))

        return machine.seconds(run) / len(ids)

    # The baseline's batch size is tuned once over all; the best two then run in every round.
    tuned = sorted((b for b in case.batches if b <= case.sample), key=baseline)[:2]
    shapes = linear_shapes(model)
    flops = 2 * length * sum(i * o * count for (i, o), count in shapes.items())
    ratios, fractions, rates, peaks = [], [], [], []
    for _ in range(case.rounds):
        naive = min(baseline(batch, ids[: max(batch, 256)]) for batch in tuned)
        floors = [floor_seconds(shapes, machine) for _ in range(3)]
        ours = machine.seconds(lambda: searcher.run(prefix, tails)) / len(tails)
        floors += [floor_seconds(shapes, machine) for _ in range(3)]
        floor = statistics.mean(floors) * length
        ratios.append(naive / ours)
        fractions.append(floor / ours)
        rates.append(1 / ours)
        peaks.append(flops / floor / 1e9)

    few, many = tails[: len(tails) // 4], tails
    chunk_peaks = [
        machine.peak_bytes(lambda part=part: searcher.run(prefix, part)) for part in (few, many)
    ]
    long = (prefix * 4)[: 4 * PREFIX]
    searcher.run(long, few)
    long_peaks = [
        machine.peak_bytes(lambda part=part: searcher.run(long, part)) for part in (few, many)
    ]
    ideal = (PREFIX + length) / length
    print(f"{case.name}: P={PREFIX} S={length} candidates={len(tails)} (P+S)/S={ideal:.1f}")
    print(f"  baseline's best batch sizes {tuned}; differs from one by one by {difference:.1e}")
    for label, each in (("vs batched", ratios), ("of the floor", fractions)):
        print(f"  {label}: {_spread(each)}")
    print(
        f"  {_spread(rates)} candidates/s, {flops * statistics.median(rates) / 1e9:.0f} GFLOP/s, "
        f"F.linear alone {statistics.median(peaks):.0f} GFLOP/s"
    )
    megabytes = [[peak / 1e6 for peak in peaks] for peaks in (chunk_peaks, long_peaks)]
    print(
        f"  extra MB at {len(few)} and {len(many)} candidates: prefix {PREFIX} "
        f"{megabytes[0][0]:.0f}, {megabytes[0][1]:.0f}; prefix {len(long)} "
        f"{megabytes[1][0]:.0f}, {megabytes[1][1]:.0f}",
        flush=True,
    )
    target = None if case.speedup is None else round(case.speedup * ideal, 2)
    exact = None if machine.cuda else 1e-5
    return [
        Figure(f"{case.name} speed-up over batched", statistics.median(ratios), "x", target),
        Figure(f"{case.name} of the matmul floor", statistics.median(fractions), "1", case.floor),
        Figure(f"{case.name} rate", statistics.median(rates), "candidates/s"),
        Figure(f"{case.name} largest difference", difference, "reward", exact, most=True),
        Figure(f"{case.name} extra memory", max(megabytes[0]), "MB"),
        Figure(
            f"{case.name} extra memory at four times the candidates",
            max(megabytes[1][1], 1) / max(megabytes[1][0], 1),
            "x",
            None if case.speedup is None else 1.5,  # few candidates do not fill a block
            most=True,
        ),
    ]


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}..{max(values):.2f}]"


if __name__ == "__main__":
    main()
