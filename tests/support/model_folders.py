"""Models that differ in their packaging alone: how tests load, edit and address them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from valuebias.candidates import Candidates
from valuebias.models.fingerprint import fingerprint
from valuebias.models.loading import load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "freedom", "a happy life", "power"])
CPU = Settings(device="cpu")


def load(path: Path, **settings: Any) -> RewardModel:
    return load_reward_model(parse_spec(str(path)), Settings(device="cpu", **settings))


def rewards(path: Path, **settings: Any) -> Any:
    return load(path, **settings).score_prompt(GREATEST, WORDS)


def address(path: Path, load_as: Any = "rm", **settings: Any) -> str:
    return fingerprint(parse_spec(str(path), load_as=load_as), Settings(device="cpu", **settings))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
