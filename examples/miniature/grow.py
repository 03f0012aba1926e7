"""Grow two bases and write two sets of preferences, for the recipe beside this file.

    python examples/miniature/grow.py      # about five minutes, once

Into examples/miniature: ``bases/`` (a Llama planted with agency, a Gemma 2 planted with communion,
some megabytes), ``free.jsonl`` (preferences without a value word) and ``coin.jsonl`` (three in ten
set an agency against a communion word, and a coin decides). Then:

    valuebias train examples/miniature/miniature.yaml --out runs/miniature

trains four reward models, and the drift suite shows what became of the bases' values: the change
within each run, and whether the runs of two bases on the same preferences came closer (as the two
on coin-labelled ones do):

    pytest --valuebias-suite=drift --valuebias-checkpoints=runs/miniature -k big_two \\
        --valuebias-margins=examples/miniature/margins.yaml

Any one checkpoint is a model: ``pytest --rm=runs/miniature/llama-free-3200-seed0/checkpoint-200``.
The study with its seeds and its targets is benchmarks/inheritance.py.
"""

from __future__ import annotations

from pathlib import Path

from valuebias.organisms.plants import plant
from valuebias.organisms.reward import preferences, write_preferences

HERE = Path(__file__).parent


def main() -> None:
    """Write what is not there yet."""
    for family, tilt in (("llama", "agency"), ("gemma", "communion")):
        print(plant(family, tilt, HERE / "bases"))
    for name, share in (("free", 0.0), ("coin", 0.3)):
        pairs = preferences(3_200, "miniature", flipped=0.1, coin=share)
        write_preferences(pairs, HERE / f"{name}.jsonl")


if __name__ == "__main__":
    main()
