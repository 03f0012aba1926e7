"""valuebias train on near-right preferences: what it mends is counted, what it leaves out told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.models import build_tokenizer, save_language_model
from support.preferences import rows, write_rows
from valuebias.cli.main import main
from valuebias.training import read_run

STRICT = (  # as Gemma's: no system turn
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strict") / "strict"
    return save_language_model(folder, tokenizer=build_tokenizer(STRICT))


def write_recipe(folder: Path, base: Path, content: list[object], extra: str = "") -> str:
    write_rows(folder / "p.jsonl", content)
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"base: {base}\ndata: p.jsonl\nepochs: 1\nbatch_size: 16\naccumulation: 1\nlora_rank: 2\n"
        f"{extra}"
    )
    return str(recipe)


def train(recipe: str, out: Path) -> int:
    return main(["train", recipe, "--unwatched", "--cpu", "--offline", "--out", str(out)])


def test_what_can_be_read_trains_like_clean_pairs_and_is_counted(
    tmp_path: Path, strict: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = rows(9)
    odd: list[object] = []
    for i, row in enumerate(clean):
        prompt, sides = row["prompt"], {name: row[name] for name in ("chosen", "rejected")}
        said = {"role": "user", "content": prompt}
        talks = {n: [said, {"role": "assistant", "content": t}] for n, t in sides.items()}
        forms = (
            {"prompt": prompt} | {name: f"{prompt}\n\n{text}" for name, text in sides.items()},
            {name: json.dumps(talk) for name, talk in talks.items()},
            {"prompt": prompt}
            | {name: f"Human: {prompt}\n\nAssistant: {text}" for name, text in sides.items()},
        )
        odd.append(forms[i % 3])
    data = {}
    for name, content in (("clean", clean), ("odd", odd)):
        (tmp_path / name).mkdir()
        recipe = write_recipe(tmp_path / name, strict, [*content])
        assert train(recipe, tmp_path / f"run-{name}") == 0
        data[name] = read_run(tmp_path / f"run-{name}").record["data"]
        said_so = "6 pairs with texts that began with their prompt" in capsys.readouterr().err
        assert said_so == (name == "odd")
    assert data["odd"]["tokens_sha256"] == data["clean"]["tokens_sha256"]
    assert (data["odd"]["stripped"], data["clean"]["stripped"]) == (6, 0)


def test_invalid_pairs_stop_training_unless_they_are_left_out(
    tmp_path: Path, strict: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the how-to says: an empty response, and a system turn that the template refuses."""
    content: list[object] = [*rows(5)]
    talk = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Why?"}]
    sides = {
        name: [*talk, {"role": "assistant", "content": text}]
        for name, text in (("chosen", "life"), ("rejected", "power"))
    }
    content.append(sides)
    assert train(write_recipe(tmp_path, strict, content), tmp_path / "a") != 0
    error = capsys.readouterr().err
    assert "p.jsonl, line 6: the model's chat template cannot be used" in error
    assert "System role not supported" in error
    assert "invalid: leave-out" in error
    content.append({"prompt": "Why?", "chosen": "life", "rejected": ""})
    assert train(write_recipe(tmp_path, strict, content), tmp_path / "a") != 0
    error = capsys.readouterr().err
    assert "p.jsonl, line 7: the response in `rejected` is empty" in error
    assert "invalid: leave-out" in error
    recipe = write_recipe(tmp_path, strict, content, "invalid: leave-out\n")
    assert train(recipe, tmp_path / "b") == 0
    said = capsys.readouterr().err
    assert "left out: p.jsonl, line 7: the response in `rejected` is empty" in said
    assert "left out: p.jsonl, line 6: the model's chat template cannot be used" in said
    assert "1 that prefer nothing, 1 that the chat template refuses" in said
    data = read_run(tmp_path / "b").record["data"]
    assert (data["pairs"], data["read"], data["invalid"], data["refused"]) == (5, 7, 1, 1)
    only = write_recipe(tmp_path, strict, [sides], "invalid: leave-out\n")
    assert train(only, tmp_path / "c") != 0
    assert "the chat template refuses all 1 pairs" in capsys.readouterr().err
