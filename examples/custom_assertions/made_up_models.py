"""Write the scores of eight made-up reward models, four of each base, for test_families.py.

    python examples/custom_assertions/made_up_models.py runs/made-up

They stand in for models of yours. Each has a taste in words of its own; those of the first base are
fonder of agency, those of the second of communion. The files have the form in which scores of any
model are recorded: a column `response`, and one for each prompt.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

from valuebias.lexicons.files import starter
from valuebias.prompts import PAPER_PROMPTS


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for base, lean in (("first", 0.6), ("second", -0.6)):
        for number in range(1, 5):
            write(folder / f"{base}-{number}.csv", lean, random.Random(f"{base} {number}"))


def write(path: Path, lean: float, drawn: random.Random) -> None:
    """Scores with so much added to words of agency. They read the questions: words of virtue are
    preferred to words of vice where the best is asked for, and the reverse where the worst is."""
    words = starter("big_two")
    agency = set(words.categories["agency"])
    moral = {
        word: 2 if category.endswith("virtue") else -2
        for category, found in starter("mfd2").categories.items()
        for word in found
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["response", *(prompt.id for prompt in PAPER_PROMPTS)])
        for word in words.words():
            taste = drawn.gauss(lean if word in agency else 0, 1)
            out.writerow([word, *(round(drawn.gauss(taste, 0.3), 4) for _ in PAPER_PROMPTS)])
        for word in sorted(moral.keys() - set(words.words())):
            taste = drawn.gauss(0, 1)
            signs = (1 if prompt.valence == "positive" else -1 for prompt in PAPER_PROMPTS)
            scores = (drawn.gauss(taste + sign * moral[word], 0.3) for sign in signs)
            out.writerow([word, *(round(score, 4) for score in scores)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
