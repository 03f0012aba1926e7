"""Who is one of the ten that panel margins were predicted from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from support.scores import write_scores
from valuebias.scorers.recorded import RecordedScores
from valuebias.scorers.schemes import parse_spec
from valuebias_suites.panel import MEMBERS, is_member


@pytest.mark.parametrize(
    ("spec", "member"),
    [
        ("Skywork/Skywork-Reward-Gemma-2-27B-v0.2", True),
        ("ours=skywork/skywork-reward-gemma-2-27b-v0.2@main", True),
        ("Skywork/Skywork-Reward-Gemma-2-27B-v0.3", False),
        ("demo:neutral", False),
    ],
)
def test_a_model_is_known_by_its_name_on_the_hub(spec: str, member: bool) -> None:
    assert is_member(parse_spec(spec), cast(Any, None)) is member


def test_a_table_is_known_by_its_words_not_by_its_name(tmp_path: Path) -> None:
    table = write_scores(tmp_path / "Skywork-Reward-Gemma-2-27B.csv")
    spec = parse_spec(f"Skywork=scores:{table}")
    assert not is_member(spec, RecordedScores.from_file(table))


def test_the_ten_are_ten_each_with_both_its_tables() -> None:
    models = yaml.safe_load(MEMBERS.read_text("utf-8"))["models"]
    assert len({model["name"] for model in models}) == 10
    assert len({table for model in models for table in model["tables"]}) == 20
