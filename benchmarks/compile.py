"""What torch.compile costs and gives a search on a CPU.

    python benchmarks/compile.py [--quick] [--model DIR] [--words 64] [--json FILE]

The embedded reward model, and the language model of DIR with a random head, score words of the
starter lexicon on a few prompts, on one thread, as they are and with their layers compiled. Both
times are of the processor, compilers that were started among them: those of the first pass over the
prompts, in which everything is compiled, and the medians of paired later passes. Compiling pays
after as many prompts as make up for the first pass; "never" where the later ones gain nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threads import models

from valuebias.candidates import Candidates
from valuebias.lexicons.files import starter
from valuebias.models.reward import RewardModel
from valuebias.models.threads import used
from valuebias.prompts import PAPER_PROMPTS, Prompt


def busy() -> float:
    """Seconds of the processor so far, of this process and of those that it has waited for."""
    return time.process_time() + sum(os.times()[2:4])


def passed(model: RewardModel, words: Candidates, prompts: tuple[Prompt, ...]) -> tuple[float, Any]:
    """Seconds a prompt, and the scores."""
    start = busy()
    scores = np.stack([model.score_prompt(prompt, words) for prompt in prompts])
    return (busy() - start) / len(prompts), scores


def layers(model: RewardModel) -> list[torch.nn.Module]:
    backbone: Any = model.head.backbone
    return list(backbone.layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer words, prompts and passes")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a language model's folder")
    parser.add_argument("--words", type=int, default=64)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    words = Candidates.words(starter("big_two").words()[: 16 if options.quick else options.words])
    prompts = PAPER_PROMPTS[: 2 if options.quick else 4]
    torch._inductor.config.compile_threads = 1  # in this process, whose time is taken
    figures = []
    print(
        "| model | first pass | compiled | later passes | compiled | ratio | pays after | differs |"
        "\n|---|---|---|---|---|---|---|---|"
    )
    for name, model in models(options.model, quick=True):
        if name not in ("demo:neutral", options.model and options.model.name):
            continue
        with used(1):
            first, plain = passed(model, words, prompts)
            for layer in layers(model):
                layer.compile(dynamic=True)
            compiling, compiled = passed(model, words, prompts)
            pairs = []
            for _ in range(1 if options.quick else 5):
                calls = [layer._compiled_call_impl for layer in layers(model)]
                quick = passed(model, words, prompts)[0]
                for layer in layers(model):
                    layer._compiled_call_impl = None
                slow = passed(model, words, prompts)[0]
                for layer, call in zip(layers(model), calls, strict=True):
                    layer._compiled_call_impl = call
                pairs.append((quick, slow))
        later = statistics.median(slow for _, slow in pairs)
        faster = statistics.median(quick for quick, _ in pairs)
        gain = statistics.median(slow - quick for quick, slow in pairs)
        cost = (compiling - first) * len(prompts)
        pays = f"{cost / gain:,.0f} prompts" if gain > 0 else "never"
        differs = float(np.abs(compiled - plain).max() / plain.std())
        print(
            f"| {name} | {first:.3f} s | {compiling:.1f} s | {later:.3f} s | {faster:.3f} s | "
            f"{faster / later:.2f} | {pays} | {differs:.0e} |",
            flush=True,
        )
        figures.append(
            {"name": name, "first": first, "first_compiled": compiling, "later": later,
             "later_compiled": faster, "cost": cost, "gain": gain, "difference": differs}
        )  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
