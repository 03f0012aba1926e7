"""A run on disk: what it leaves, how it loads back, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, TrainerCallback

from support.models import build_tokenizer, save_language_model, save_reward_model
from support.preferences import rows, write_rows
from valuebias.errors import ModelError, TrainingError
from valuebias.models.loading import load_reward_model
from valuebias.models.settings import Settings
from valuebias.scorers.schemes import parse_spec
from valuebias.training import DataSource, Recipe, Run, read_run, train
from valuebias.training.run_directory import is_whole

CPU = Settings(device="cpu")


class Stop(Exception):
    pass


class StopAt(TrainerCallback):
    """Stops a run after a step, before its checkpoint is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise Stop


@pytest.fixture(scope="module")
def run(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return train(replace(recipe, initial_checkpoint=True), out, settings=CPU)


def adapter(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "adapter_model.safetensors")


def test_what_a_run_leaves(run: Run, recipe: Recipe) -> None:
    assert run.finished
    assert [c.step for c in run.checkpoints] == [0, 3, 6, 9, 10]
    assert run.recipe == replace(recipe, initial_checkpoint=True)
    assert run.record["steps"] == 10
    data = run.record["data"]
    assert (data["pairs"], data["read"], data["invalid"], data["overlong"]) == (40, 40, 0, 0)
    assert [run.pairs_at(step) for step in (0, 3, 5, 6)] == [0, 24, 40, 48]
    lines = run.metrics()
    assert [line["step"] for line in lines] == [2, 3, 4, 6, 8, 9, 10]
    assert {"epoch", "loss", "accuracy", "margin", "reward", "grad_norm"} <= lines[0].keys()
    assert lines[-1]["loss"] < lines[0]["loss"] / 2
    environment = json.loads((run.directory / "environment.jsonl").read_text(encoding="utf-8"))
    assert environment["torch"].startswith(torch.__version__.partition("+")[0])
    assert (environment["device"], environment["precision"]) == ("cpu", "float32")
    names = {path.name for path in run.checkpoints[-1].path.iterdir()}
    assert "adapter_model.safetensors" in names
    assert not {"training_args.bin", "README.md", "adapter_model.bin"} & names
    assert not list(run.directory.glob(".partial*"))


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's
def test_a_checkpoint_is_a_reward_model(run: Run, recipe: Recipe) -> None:
    from peft import PeftModel

    first, *_, last = run.checkpoints
    model = load_reward_model(parse_spec(str(last.path)), CPU)
    base = AutoModelForSequenceClassification.from_pretrained(
        recipe.base, num_labels=1, dtype=torch.float32
    )
    adapted = PeftModel.from_pretrained(base, last.path).eval()
    row = rows(1)[0]
    ids = model.chat.conversations(row["prompt"], [row["chosen"]])
    with torch.inference_mode():
        expected = adapted(input_ids=torch.tensor(ids)).logits[0, 0].item()
        got = model.head.forward(torch.tensor(ids), torch.ones_like(torch.tensor(ids)))[0].item()
    assert got == pytest.approx(expected, abs=1e-5)
    assert not torch.equal(
        adapter(last.path)["base_model.model.score.weight"],
        adapter(first.path)["base_model.model.score.weight"],
    )
    assert all(
        not tensor.any() for name, tensor in adapter(first.path).items() if "lora_B" in name
    ), "step 0 is the base with a random head"


def test_a_finished_run_is_returned_and_a_seed_gives_the_same_bits(
    run: Run, recipe: Recipe, tmp_path: Path
) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.directory.rglob("*")}
    again = train(run.recipe, run.directory, settings=CPU)
    assert again == run
    assert before == {p: p.stat().st_mtime_ns for p in run.directory.rglob("*")}
    other = train(run.recipe, tmp_path / "other", settings=CPU)
    (other.directory / "finished.json").unlink()  # killed after the last checkpoint
    assert not read_run(other.directory).finished
    other = train(run.recipe, tmp_path / "other", settings=CPU)
    assert other.finished
    assert other.metrics() == run.metrics()
    for mine, its in zip(run.checkpoints, other.checkpoints, strict=True):
        a, b = ((c.path / "adapter_model.safetensors").read_bytes() for c in (mine, its))
        assert a == b


def test_rewards_are_read_where_the_loader_reads_them_without_a_pad_token(
    recipe: Recipe, tmp_path: Path
) -> None:
    """As Llama 3's: no pad id, a template that ends in eos. TRL pads with eos and then reads the
    token before it."""
    template = "{% for m in messages %}<|im_start|>{{ m['content'] }}</s>{% endfor %}"
    base = save_language_model(
        tmp_path / "base",
        tokenizer=build_tokenizer("{{ bos_token }}" + template, pad_token="</s>"),
        pad_token_id=None,
    )
    seen: list[float] = []

    class Ask(TrainerCallback):
        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            model = kwargs["model"].eval()
            for i in range(2):
                with torch.inference_mode():
                    ids = torch.tensor([conversations[i]])
                    seen.append(model(input_ids=ids).logits[0, 0].item())

    from transformers import AutoTokenizer

    from valuebias.models.chat import Chat

    row = rows(1)[0]
    chat = Chat(AutoTokenizer.from_pretrained(base))
    conversations = chat.conversations(row["prompt"], [row["chosen"], row["rejected"]])
    short = replace(recipe, base=str(base), epochs=1)
    run = train(short, tmp_path / "run", settings=CPU, callbacks=[Ask()])
    model = load_reward_model(parse_spec(str(run.checkpoints[-1].path)), CPU, preflight=False)
    for ids, expected in zip(conversations, seen, strict=True):
        tensor = torch.tensor([ids])
        got = model.head.forward(tensor, torch.ones_like(tensor))[0].item()
        assert got == pytest.approx(expected, abs=1e-5)


def test_every_option_trains(recipe: Recipe, tmp_path: Path) -> None:
    content = [{**row, "margin": 0.2} for row in rows(16)]
    full = replace(
        recipe,
        data=DataSource(str(write_rows(tmp_path / "p.jsonl", content))),
        epochs=1,
        margin="data",
        label_smoothing=0.1,
        centring=0.01,
        regularizer="text",
        truncate="prompt-left",
        max_length=36,
        gradient_checkpointing=True,
        lora_targets=("all-linear",),
        schedule="linear",
    )
    run = train(full, tmp_path / "run", settings=CPU)
    assert run.record["data"]["cut"] > 0
    assert run.metrics()[-1]["text_loss"] > 1
    assert load_reward_model(parse_spec(str(run.checkpoints[-1].path)), CPU)


def test_a_reward_model_goes_on_with_its_own_head(recipe: Recipe, tmp_path: Path) -> None:
    base = save_reward_model(tmp_path / "rm")
    start = replace(recipe, base=str(base), epochs=1, initial_checkpoint=True)
    run = train(start, tmp_path / "run", settings=CPU)
    head = load_file(base / "model.safetensors")["score.weight"]
    assert torch.equal(adapter(run.checkpoints[0].path)["base_model.model.score.weight"], head)


# what is refused


def stopped(recipe: Recipe, out: Path, step: int) -> None:
    with pytest.raises(Stop):
        train(recipe, out, settings=CPU, callbacks=[StopAt(step)])


def test_another_recipes_run_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    stopped(recipe, tmp_path / "run", 1)
    other = replace(recipe, learning_rate=2e-5)
    with pytest.raises(
        TrainingError, match=r"another recipe.*learning_rate: 0.01 there, 2e-05 now"
    ):
        train(other, tmp_path / "run", settings=CPU)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    with pytest.raises(TrainingError, match="something other than a training run"):
        train(recipe, tmp_path / "full", settings=CPU)
    with pytest.raises(TrainingError, match="is a file"):
        train(recipe, tmp_path / "full" / "notes.txt", settings=CPU)
    with pytest.raises(TrainingError, match="does not contain a training run"):
        read_run(tmp_path / "full")


@pytest.mark.parametrize("finished", [False, True])
def test_other_preferences_under_the_same_name_are_refused(
    recipe: Recipe, tmp_path: Path, finished: bool
) -> None:
    file = write_rows(tmp_path / "p.jsonl", rows(16))
    mine = replace(recipe, data=DataSource(str(file)), epochs=1)
    if finished:
        train(mine, tmp_path / "run", settings=CPU)
    else:
        stopped(mine, tmp_path / "run", 1)
    write_rows(file, rows(16, seed=1))
    with pytest.raises(TrainingError, match=r"preferences changed since it began.*sha256"):
        train(mine, tmp_path / "run", settings=CPU)


def test_another_base_under_the_same_name_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    base = save_language_model(tmp_path / "base")
    mine = replace(recipe, base=str(base))
    stopped(mine, tmp_path / "run", 1)
    shutil.rmtree(base)
    save_language_model(base, seed=1)
    with pytest.raises(TrainingError, match="base model changed since it began"):
        train(mine, tmp_path / "run", settings=CPU)


def test_one_process_at_a_time(recipe: Recipe, tmp_path: Path) -> None:
    import filelock

    (tmp_path / "run").mkdir()
    with (
        filelock.FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(TrainingError, match="another process is training"),
    ):
        train(recipe, tmp_path / "run", settings=CPU)


def test_a_base_that_cannot_be_trained(recipe: Recipe, run: Run, tmp_path: Path) -> None:
    on_adapter = replace(recipe, base=str(run.checkpoints[-1].path))
    with pytest.raises(ModelError, match="itself an adapter"):
        train(on_adapter, tmp_path / "a", settings=CPU)
    wrong = replace(recipe, lora_targets=("c_attn",))
    with pytest.raises(ModelError, match=r"`lora_targets` do not fit.*q_proj"):
        train(wrong, tmp_path / "b", settings=CPU)
    long = replace(recipe, max_length=12, max_overlong=0.5)
    with pytest.raises(TrainingError, match="40 of 40 pairs"):
        train(long, tmp_path / "c", settings=CPU)


def test_a_loss_that_is_not_finite_stops_the_run(recipe: Recipe, tmp_path: Path) -> None:
    content = [{**row, "margin": 3e38} for row in rows(16)]
    file = write_rows(tmp_path / "p.jsonl", content)
    wild = replace(recipe, data=DataSource(str(file)), margin="data")
    with pytest.raises(TrainingError, match="no longer a finite number at step"):
        train(wild, tmp_path / "run", settings=CPU)


def test_the_model_limits_a_pairs_length_too(recipe: Recipe, tmp_path: Path) -> None:
    """Its 256 positions, where the recipe would allow 1,024 tokens."""
    content = rows(30)
    content[7]["prompt"] = "life " * 300
    file = write_rows(tmp_path / "p.jsonl", content)
    run = train(
        replace(recipe, data=DataSource(str(file)), epochs=1), tmp_path / "run", settings=CPU
    )
    assert run.record["data"]["overlong"] == 1
    assert run.record["data"]["longest"] < 256


# resuming


def test_an_incomplete_checkpoint_is_left_out(recipe: Recipe, tmp_path: Path) -> None:
    whole = train(recipe, tmp_path / "whole", settings=CPU)
    stopped(recipe, tmp_path / "run", 8)
    latest = tmp_path / "run" / "checkpoint-6"
    optimizer = latest / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:100])
    assert not is_whole(latest)
    assert [c.step for c in read_run(tmp_path / "run").checkpoints] == [3]
    resumed = train(recipe, tmp_path / "run", settings=CPU)
    assert _same(resumed, whole)
    flipped = tmp_path / "run" / "checkpoint-9" / "adapter_model.safetensors"
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    assert is_whole(flipped.parent)
    assert not is_whole(flipped.parent, deep=True)


def test_a_pickle_in_a_checkpoint_runs_no_code(recipe: Recipe, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    stopped(recipe, tmp_path / "run", 4)
    checkpoint = tmp_path / "run" / "checkpoint-3"
    clean = {name: (checkpoint / name).read_bytes() for name in _PICKLES}
    for name in _PICKLES:
        torch.save(Evil(), checkpoint / name)
        (checkpoint / "checkpoint.json").write_text(_listing(checkpoint))
        with pytest.raises(TrainingError, match="checkpoint-3 contains something other"):
            train(recipe, tmp_path / "run", settings=CPU)
        (checkpoint / name).write_bytes(clean[name])
    assert not (tmp_path / "owned").exists()


_PICKLES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")


def _listing(checkpoint: Path) -> str:
    import hashlib

    files = {
        p.name: [p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest()]
        for p in checkpoint.iterdir()
        if p.name != "checkpoint.json"
    }
    return json.dumps({"step": 3, "files": files})


def _same(run: Run, other: Run) -> bool:
    names = ("adapter_model.safetensors", "adapter_config.json")
    steps = [[c.step for c in r.checkpoints] for r in (run, other)]
    lines = [
        [{k: v for k, v in line.items() if k != "epoch"} for line in r.metrics()]
        for r in (run, other)
    ]
    return (
        steps[0] == steps[1]
        and lines[0] == lines[1]
        and all(
            (a.path / name).read_bytes() == (b.path / name).read_bytes()
            for a, b in zip(run.checkpoints, other.checkpoints, strict=True)
            for name in names
        )
    )
