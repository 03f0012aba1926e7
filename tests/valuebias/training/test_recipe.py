"""Recipes: the paper's setting by default, read from YAML, every complaint with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from valuebias.errors import SpecError
from valuebias.training import DataSource, Recipe, load_recipe


def test_the_defaults_are_the_papers_setting() -> None:
    recipe = Recipe("demo:agency", DataSource("org/name"))
    assert (recipe.lora_rank, recipe.lora_alpha) == (32, 64)
    assert (recipe.learning_rate, recipe.epochs) == (1e-5, 2)
    assert (recipe.batch_size, recipe.accumulation) == (4, 4)
    assert (recipe.max_length, recipe.checkpoint_every) == (1024, 1000)
    assert (recipe.margin, recipe.label_smoothing, recipe.regularizer) == (0.0, 0.0, "none")


def test_a_recipe_is_read_and_written_back(tmp_path: Path, pairs_file: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(
        f"""\
base: demo:agency
data: {{source: {pairs_file}, name: mine, prompt: shared-prefix}}
pairs: 20
seed: 3
fits: [demo:communion]
margin: data
regularizer: text
lora_targets: [q_proj, v_proj]
truncate: prompt-left
learning_rate: 2e-5
initial_checkpoint: true
"""
    )
    recipe = load_recipe(file)
    assert recipe == Recipe(
        "demo:agency",
        DataSource(str(pairs_file), name="mine", prompt="shared-prefix"),
        pairs=20,
        seed=3,
        fits=("demo:communion",),
        margin="data",
        regularizer="text",
        lora_targets=("q_proj", "v_proj"),
        truncate="prompt-left",
        learning_rate=2e-5,
        initial_checkpoint=True,
    )
    file.write_text(recipe.yaml())
    assert load_recipe(file) == recipe
    file.write_text(replace(recipe, margin=0.5, pairs=None, fits=()).yaml())
    assert load_recipe(file) == replace(recipe, margin=0.5, pairs=None, fits=())


def test_paths_count_from_the_recipes_folder(
    tmp_path: Path, base: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").symlink_to(base)
    (tmp_path / "p.jsonl").symlink_to(pairs_file)
    (tmp_path / "recipe.yaml").write_text("base: base\ndata: p.jsonl\n")
    monkeypatch.chdir("/")
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert (recipe.base, recipe.data.source) == (str(tmp_path / "base"), str(tmp_path / "p.jsonl"))


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        ("data: org/name", 1, "has no `base`"),
        ("base: demo:agency", 1, "has no `data`"),
        ("base: demo:agency\ndata: org/name\nepoch: 3", 3, "unknown key"),
        ("base: demo:agency\ndata: org/name\nseed: 1\nseed: 2", 4, "a duplicate key"),
        ("base: demo:agency\ndata: nowhere.jsonl", 2, "preference file not found"),
        ("base: demo:agency\ndata: here.csv", 2, "unsupported format of a preference file"),
        ("base: demo:agency\ndata: 'a b c'", 2, "not a source of preferences"),
        ("base: demo:agency\ndata: {name: x}", 2, "has no `source`"),
        ("base: demo:agency\ndata:\n  source: org/name\n  prompt: none", 4, "unknown prompt"),
        ("base: demo:nobody\ndata: org/name", 1, "embedded"),
        ("base: scores:x.csv\ndata: org/name", 1, "score"),
        ("base: demo:agency\ndata: org/name\npairs: many", 3, "must be an integer"),
        ("base: demo:agency\ndata: org/name\npairs: 0", 3, "Give 1 or more"),
        ("base: demo:agency\ndata: org/name\nepochs: 1.5", 3, "must be an integer"),
        ("base: demo:agency\ndata: org/name\nlearning_rate: 0", 3, "must be a positive number"),
        ("base: demo:agency\ndata: org/name\nlearning_rate: nan", 3, "must be a finite number"),
        ("base: demo:agency\ndata: org/name\nmargin: -1", 3, "must be a number >= 0"),
        ("base: demo:agency\ndata: org/name\nlabel_smoothing: 0.5", 3, "out of range"),
        ("base: demo:agency\ndata: org/name\ntruncate: left", 3, "none or prompt-left"),
        ("base: demo:agency\ndata: org/name\nlora_targets: []", 3, "is empty"),
        ("base: demo:agency\ndata: org/name\ngradient_checkpointing: yes", 3, "true or false"),
        ("base: demo:agency\n  data: x", 2, "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, lines: str, line: int, said: str
) -> None:
    (tmp_path / "here.csv").touch()
    file = tmp_path / "recipe.yaml"
    file.write_text(lines + "\n")
    with pytest.raises(SpecError, match=said) as caught:
        load_recipe(file)
    assert f"recipe.yaml, line {line}" in str(caught.value)


def test_a_recipe_made_in_python_is_checked_too() -> None:
    with pytest.raises(SpecError, match="`accumulation` must be an integer >= 1"):
        Recipe("demo:agency", DataSource("org/name"), accumulation=0)
