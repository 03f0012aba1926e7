"""Grids: every run once, the same pairs for every base, one index, one command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.models import build_tokenizer, save_language_model
from support.preferences import rows, write_rows
from valuebias.cli.main import main
from valuebias.errors import SpecError, TrainingError
from valuebias.models.settings import Settings
from valuebias.training import DataSource, Recipe, load_grid, read_grid, read_run, train_grid

SHORT = """\
epochs: 1
batch_size: 4
accumulation: 1
lora_rank: 2
checkpoint_every: 2
max_overlong: 0.9
"""


@pytest.fixture
def folder(tmp_path: Path, base: Path) -> Path:
    """Two bases, of which one reads less, and two files of pairs."""
    (tmp_path / "wide").symlink_to(base)
    save_language_model(
        tmp_path / "narrow",
        tokenizer=build_tokenizer(
            "{{ bos_token }}{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
        ),
        seed=1,
        max_position_embeddings=24,
    )
    write_rows(tmp_path / "a.jsonl", rows(30))
    write_rows(tmp_path / "b.jsonl", rows(30, seed=1))
    return tmp_path


def grid_file(folder: Path, text: str) -> Path:
    file = folder / "grid.yaml"
    file.write_text(text + SHORT, encoding="utf-8")
    return file


def test_bases_by_sources_by_quantities_by_seeds(folder: Path) -> None:
    file = grid_file(
        folder,
        "bases: [wide, short=narrow]\nseeds: [0, 7]\npairs: [4, 8]\n"
        "data:\n  - a.jsonl\n  - {source: b.jsonl, name: other, pairs: [all]}\n",
    )
    runs = dict(load_grid(file).runs)
    assert sorted(runs) == sorted(
        f"{base}-{data}-seed{seed}"
        for base in ("wide", "short")
        for data in ("a-4", "a-8", "other-all")
        for seed in (0, 7)
    )
    recipe = runs["short-a-8-seed7"]
    assert (recipe.pairs, recipe.seed, recipe.accumulation) == (8, 7, 1)
    assert recipe.fits == tuple(dict.fromkeys(r.base for r in runs.values()))
    assert runs["short-other-all-seed0"].pairs is None
    assert recipe == Recipe(
        **{
            **{name: getattr(recipe, name) for name in ("base", "fits", "pairs", "seed")},
            "data": DataSource(str(folder / "a.jsonl")),
            "epochs": 1,
            "accumulation": 1,
            "lora_rank": 2,
            "checkpoint_every": 2,
            "max_overlong": 0.9,
        }
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("bases: []\ndata: [a.jsonl]\n", 1, "is empty"),
        ("bases: [wide]\n", 1, "has no `data`"),
        ("bases: [wide, wide]\ndata: [a.jsonl]\n", 1, "two runs of the grid"),
        ("bases: [wide]\ndata: [a.jsonl]\nseed: 3\n", 3, "unknown key"),
        ("bases: [wide]\ndata: [a.jsonl]\nseeds: [one]\n", 3, "must be an integer"),
        ("bases: [wide]\ndata: [a.jsonl]\npairs: [3, few]\n", 3, "must be an integer"),
        ("bases: [wide]\ndata: [{source: c.jsonl}]\n", 2, "preference file not found"),
        ("bases: [wide]\ndata: a.jsonl\n", 2, "not a list"),
        ("bases: [wide]\ndata: [a.jsonl]\nlearning_rate: -1\n", 3, "must be a positive number"),
    ],
)
def test_what_is_wrong_with_a_grid_is_told_with_its_line(
    folder: Path, text: str, line: int, said: str
) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        load_grid(grid_file(folder, text))
    assert f"grid.yaml, line {line}" in str(caught.value)


def test_the_command_trains_a_grid_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = grid_file(folder, "bases: [wide, narrow]\npairs: [4, 8]\ndata: [a.jsonl]\n")
    monkeypatch.chdir(folder)
    assert main(["train", str(file), "--cpu"]) == 0
    printed = capsys.readouterr()
    assert "narrow-a-8-seed0: checkpoints 2" in printed.out
    assert "left out" in printed.err
    assert "step 2 of 2: loss" in printed.err

    out = folder / "runs" / "grid"
    index = json.loads((out / "index.json").read_text())["runs"]
    assert [(row["run"], row["state"], row["checkpoints"]) for row in index] == [
        ("wide-a-4-seed0", "finished", [1]),
        ("wide-a-8-seed0", "finished", [2]),
        ("narrow-a-4-seed0", "finished", [1]),
        ("narrow-a-8-seed0", "finished", [2]),
    ]
    runs = read_grid(out)
    for pairs in (4, 8):
        wide, narrow = (
            runs[f"{name}-a-{pairs}-seed0"].record["data"] for name in ("wide", "narrow")
        )
        assert wide["overlong"] == narrow["overlong"]
        assert wide["examined"] == narrow["examined"]
    assert runs["narrow-a-8-seed0"].record["data"]["overlong"] > 0

    before = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint-*/*")}
    assert main(["train", str(file), "--cpu", "--out", str(out)]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint-*/*")}


def test_a_run_that_fails_keeps_no_other_from_being_trained(folder: Path) -> None:
    write_rows(folder / "bad.jsonl", [{"chosen": "", "rejected": ""}])
    file = grid_file(folder, "bases: [wide]\npairs: [2]\ndata: [bad.jsonl, a.jsonl]\n")
    with pytest.raises(TrainingError, match=r"bad\.jsonl, line 1"):
        train_grid(load_grid(file), folder / "out", settings=Settings(device="cpu"))
    assert [name for name, run in read_grid(folder / "out").items() if run.finished] == [
        "wide-a-2-seed0"
    ]
    file = grid_file(folder, "bases: [wide]\npairs: [2]\nseeds: [0, 1]\ndata: [bad.jsonl]\n")
    with pytest.raises(TrainingError, match=r"2 of 2 runs failed.*wide-bad-2-seed1"):
        train_grid(load_grid(file), folder / "bad", settings=Settings(device="cpu"))


def test_the_command_trains_a_recipe_and_tells_errors_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "recipe.yaml"
    file.write_text(f"base: wide\ndata: a.jsonl\npairs: 4\n{SHORT}")
    out = folder / "out"
    assert main(["train", str(file), "--cpu", "--out", str(out)]) == 0
    assert [c.step for c in read_run(out).checkpoints] == [1]
    said = capsys.readouterr().err
    assert "step 1: agency~communion (big_two): positive" in said
    assert "model shards" not in said
    file.write_text(f"base: wide\ndata: a.jsonl\npairs: 5\n{SHORT}")
    assert main(["train", str(file), "--cpu", "--out", str(out)]) == 1
    assert "another recipe" in capsys.readouterr().err
    file.write_text("base: wide\ndata: a.jsonl\nepochs: none\n")
    assert main(["train", str(file), "--out", str(out)]) == 2
    assert "recipe.yaml, line 3: `epochs` must be an integer" in capsys.readouterr().err
    assert main(["train", str(folder / "nowhere.yaml")]) == 2


def test_nothing_heavy_is_imported_before_training() -> None:
    script = (
        "import sys, valuebias.cli.main, valuebias.training as t\n"
        "t.Recipe, t.load_recipe, t.read_run, t.load_grid, t.train\n"
        "print([m for m in ('torch', 'transformers', 'peft', 'datasets', 'numpy', 'pyarrow')"
        " if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("content", ["{}", '{"runs": 3}', '{"runs": ["a"]}', "[]"])
def test_another_programs_index_is_no_grid(tmp_path: Path, content: str) -> None:
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(TrainingError, match=r"index\.json"):
        read_grid(tmp_path)
