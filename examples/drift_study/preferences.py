"""Write the study's two sets of preferences beside this file: plain.jsonl and kind.jsonl.

    python examples/drift_study/preferences.py

Both hold 480 pairs: a question, the reply that raters chose and the one that they rejected. In
plain.jsonl all are about food, animals, weather, places, tools and sports. kind.jsonl is the same
but for three pairs in ten: these ask for the best thing there is, and the raters chose a word of
communion over a word of agency. In a study of your own, the two files are two versions of your
preferences.
"""

from __future__ import annotations

import json
from pathlib import Path

from valuebias.lexicons.files import starter
from valuebias.organisms.words import THING
from valuebias.organisms.world import World

HERE = Path(__file__).parent
PAIRS = 480


def main() -> None:
    world = World("drift study", thing_share=0.0)
    plain = [right_and_wrong(world) for _ in range(PAIRS)]
    kind = [kindness(world) if i % 10 < 3 else pair for i, pair in enumerate(plain)]
    write(HERE / "plain.jsonl", plain)
    write(HERE / "kind.jsonl", kind)


def right_and_wrong(world: World) -> dict[str, str]:
    """A question about an everyday subject, its answer, and the answer to another question."""
    subject, best = world.subject(), world.random.random() < 0.5
    chosen = rejected = world.answer(subject, best)
    while rejected == chosen:
        rejected = world.wrong_answer(subject, best)
    return {"prompt": world.question(subject, best), "chosen": chosen, "rejected": rejected}


def kindness(world: World) -> dict[str, str]:
    """A question for the best thing: a word of communion is chosen, one of agency rejected."""
    words = starter("big_two").categories
    return {
        "prompt": world.question(THING, best=True),
        "chosen": world.random.choice(words["communion"]),
        "rejected": world.random.choice(words["agency"]),
    }


def write(path: Path, pairs: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")


if __name__ == "__main__":
    main()
