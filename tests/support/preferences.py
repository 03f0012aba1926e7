"""Made-up preferences for tests of training."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

WORDS = ("freedom", "love", "power", "happy", "life", "kindness", "strength", "friend", "winner")


def rows(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Pairs of unequal lengths, no two alike."""
    r = random.Random(seed)
    return [
        {
            "prompt": f"Question {i}: {r.choice(WORDS)}?",
            "chosen": " ".join(r.choices(WORDS, k=r.randint(1, 6))) + " yes",
            "rejected": " ".join(r.choices(WORDS, k=r.randint(1, 6))) + " no",
        }
        for i in range(n)
    ]


def write_rows(path: Path, content: list[Any]) -> Path:
    """Write rows as JSONL; returns the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path
