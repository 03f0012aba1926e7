"""The bench: what is stored is not computed again, whoever asks and whoever was killed."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from support import toy_model
from valuebias.candidates import VOCABULARY, Candidates, Vocabulary
from valuebias.errors import ModelError, ScoresError, SearchError, StoreError
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.progress import Progress
from valuebias.prompts import PAPER_PROMPTS, Prompt
from valuebias.scorers.bench import Bench
from valuebias.scorers.recorded_file import write_scores
from valuebias.scorers.schemes import parse_spec
from valuebias.scores import Job, Scores
from valuebias.store.database import Store

PROMPTS = PAPER_PROMPTS[:2]
WORDS = Candidates.words(toy_model.WORDS)
SPEC = ModelSpec("toy", "local", "toy", None, "toy")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    toy_model.install(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def open_bench(folder):
    opened = []

    def open_bench(settings=None):
        store = Store(folder / "scores.sqlite")
        opened.append(Bench(store, settings or Settings(), progress=Progress(quiet=True)))
        return opened[-1]

    yield open_bench
    for bench in opened:
        bench.close()


@pytest.fixture
def bench(open_bench):
    return open_bench()


def expected(prompts, candidates):
    return np.array(
        [[toy_model.truth(p.text, r) for r in candidates.responses] for p in prompts], np.float32
    )


def loads(folder):
    return [line for line in toy_model.lines(folder) if line.startswith("load")]


# Computed once


def test_scores_are_the_models_and_say_where_they_come_from(bench):
    scores = bench.scorer(SPEC).score(PROMPTS, WORDS)
    assert scores.values.tobytes() == expected(PROMPTS, WORDS).tobytes()
    assert scores.prompts == PROMPTS
    assert scores.candidates == WORDS
    assert scores.provenance["model"] == "toy"
    assert scores.provenance["head"] == "score"
    assert scores.provenance["injection"] == "text"
    assert scores.provenance["torch"]


def test_what_is_stored_needs_no_model(open_bench, folder):
    first = open_bench().scorer(SPEC).score(PROMPTS, WORDS)
    log = toy_model.lines(folder)
    assert [line for line in log if line.startswith("load")] == ["load toy rm"]
    again = open_bench().scorer(replace(SPEC, label="other name")).score(PROMPTS, WORDS)
    assert toy_model.lines(folder) == log
    assert again.values.tobytes() == first.values.tobytes()
    assert again.provenance == {**first.provenance, "model": "other name"}


def test_only_missing_prompts_are_computed(bench, folder):
    bench.scorer(SPEC).score(PROMPTS[:1], WORDS)
    before = toy_model.lines(folder)
    bench.scorer(SPEC).score(PROMPTS[::-1], WORDS)
    new = toy_model.lines(folder)[len(before) :]
    assert {line.split()[1] for line in new} == {PROMPTS[1].id}


def test_of_a_chunk_half_done_only_the_new_half_is_stored(open_bench, monkeypatch):
    """The searcher computes a block whole, so that it repeats every bit."""
    bench = open_bench()
    shelf = bench.scorer(SPEC)._scores
    rows = np.array([0, 5])
    shelf.put(PROMPTS[0], WORDS, rows, expected(PROMPTS, WORDS)[0, rows])
    stored = []
    write = Store.write

    def noted(self, *chunk):
        stored.extend(chunk[2])
        write(self, *chunk)

    monkeypatch.setattr(Store, "write", noted)
    scores = bench.scorer(SPEC).score(PROMPTS[:1], WORDS)
    assert scores.values.tobytes() == expected(PROMPTS[:1], WORDS).tobytes()
    assert stored == [1, 2, 3, 4, 6, 7, 8, 9]


def test_a_prompt_counts_by_its_text(bench, folder):
    twins = (PROMPTS[0], replace(PROMPTS[0], id="mine"))
    values = bench.scorer(SPEC).score(twins, WORDS).values
    assert (values[0] == values[1]).all()
    assert len([s for s in toy_model.lines(folder) if s.startswith("chunk")]) == 3


@pytest.mark.parametrize(
    "ask",
    [
        {"spec": replace(SPEC, load_as="llm")},
        {"candidates": Candidates.words(toy_model.WORDS[::-1])},
        {"candidates": Candidates(toy_model.WORDS, tuple(range(10)), "token")},
        {"settings": Settings(dtype="float64")},
        {"spec": replace(SPEC, target="other")},
    ],
    ids=["role", "order", "injection", "dtype", "model"],
)
def test_whatever_decides_the_numbers_is_in_the_address(open_bench, folder, ask):
    open_bench().scorer(SPEC).score(PROMPTS, WORDS)
    ask = dict(ask)
    other = open_bench(ask.pop("settings", None))
    spec = ask.pop("spec", SPEC)
    candidates = ask.pop("candidates", WORDS)
    scores = other.scorer(spec).score(PROMPTS, candidates)
    assert len(loads(folder)) == 2
    assert scores.values.tobytes() == expected(PROMPTS, candidates).tobytes()


def test_another_release_of_a_library_computes_anew(open_bench, folder, monkeypatch):
    """A release may mend a wrong number; what the old one gave must not be served on."""
    open_bench().scorer(SPEC).score(PROMPTS, WORDS)
    monkeypatch.setattr("valuebias.store.model_scores.versions", lambda: {"transformers": "99"})
    open_bench().scorer(SPEC).score(PROMPTS, WORDS)
    assert len(loads(folder)) == 2


def test_a_language_model_is_loaded_as_one(bench, folder):
    bench.scorer(replace(SPEC, load_as="llm")).score(PROMPTS, WORDS)
    assert loads(folder) == ["load toy llm"]


def test_one_model_is_held_and_freed_when_told(bench, folder):
    bench.scorer(SPEC).score(PROMPTS, WORDS)
    bench.scorer(SPEC).score(PROMPTS, Candidates.words(["more"]))
    assert len(loads(folder)) == 1
    held = weakref.ref(bench.loader._loaded[1])
    bench.release()
    assert held() is None
    bench.scorer(SPEC).score(PROMPTS, Candidates.words(["and more"]))
    assert len(loads(folder)) == 2
    held = weakref.ref(bench.loader._loaded[1])
    bench.scorer(replace(SPEC, target="other")).score(PROMPTS, WORDS)
    gc.collect()
    assert held() is None


# Vocabularies


def test_the_vocabulary_comes_from_the_model_and_then_from_the_store(open_bench, folder):
    first = open_bench().scorer(SPEC).score(PROMPTS, VOCABULARY)
    assert first.candidates.token_ids == tuple(range(100, 106))
    assert first.candidates.responses == toy_model.TOKENS
    assert first.candidates.injection == first.provenance["injection"] == "token"
    assert first.provenance["round_trip"] == "0.7500"
    log = toy_model.lines(folder)
    again = open_bench().scorer(SPEC).score(PROMPTS, VOCABULARY)
    assert toy_model.lines(folder) == log
    assert again == replace(first, values=again.values)
    assert again.values.tobytes() == first.values.tobytes()


def test_as_text_tokens_that_read_the_same_are_one_candidate(bench):
    scores = bench.scorer(SPEC).score(PROMPTS, Vocabulary("text"))
    assert scores.candidates.responses == ("a", "b", "\ud800", "null", "\x1b[31m")
    assert scores.candidates.token_ids == (100, 101, 103, 104, 105)
    assert scores.provenance["injection"] == "text"
    assert scores.provenance["round_trip"] == "0.7500"


def test_a_search_over_its_time_limit_is_left_out_and_remembered(open_bench, folder, monkeypatch):
    monkeypatch.setenv("TOY_SECONDS", "400")
    bench = open_bench()
    reason = bench.scorer(SPEC).left_out(PROMPTS, VOCABULARY, time_limit=300)
    assert reason == (
        "6 candidates on 2 prompts would take about 13 min 20 s, over the limit of 5 min 0 s"
    )
    with pytest.raises(SearchError, match=r"toy was not searched.*13 min 20 s"):
        bench.scorer(SPEC).score(PROMPTS, VOCABULARY, time_limit=300)
    log = toy_model.lines(folder)
    assert open_bench().scorer(SPEC).left_out(PROMPTS, VOCABULARY, time_limit=300) == reason
    assert toy_model.lines(folder) == log, "remembered: neither loaded nor measured again"
    assert open_bench().scorer(SPEC).left_out(PROMPTS, VOCABULARY, time_limit=800) is None
    scores = open_bench().scorer(SPEC).score(PROMPTS, VOCABULARY)
    assert scores.values.tobytes() == expected(PROMPTS, scores.candidates).tobytes()
    assert open_bench().scorer(SPEC).left_out(PROMPTS, VOCABULARY, time_limit=300) is None
    assert toy_model.lines(folder).count(f"chunk {PROMPTS[0].id} 0") == 1


def test_a_job_left_out_does_not_hold_up_the_others(open_bench, folder, monkeypatch):
    monkeypatch.setenv("TOY_SECONDS", "400")
    jobs = [Job(PROMPTS, VOCABULARY, 300.0), Job(PROMPTS, WORDS)]
    for _ in range(2):
        bench = open_bench()
        bench.scorer(SPEC).prepare(jobs)
        assert bench.scorer(SPEC).left_out(PROMPTS, VOCABULARY, time_limit=300.0)
        assert bench.scorer(SPEC).score(PROMPTS, WORDS).values.shape == (2, 10)
    assert len(loads(folder)) == 1


# Failures


def test_a_refused_model_is_refused_again_without_loading(bench, folder):
    spec = replace(SPEC, target="refused")
    seen = []
    for candidates in (WORDS, VOCABULARY):
        with pytest.raises(ModelError, match="preflight refused the toy") as caught:
            bench.scorer(spec).score(PROMPTS, candidates)
        seen.append(caught.value)
    assert len(loads(folder)) == 1
    assert str(seen[0]) == str(seen[1])
    assert seen[0] is not seen[1], "one exception raised twice would keep its frames alive"
    assert not bench.store.loads()


def test_scores_that_are_not_finite_are_an_error_and_not_stored(open_bench, folder):
    bad = Candidates.words(["fine", "NaN"])
    bench = open_bench()
    bench.scorer(SPEC).prepare([Job(PROMPTS, bad), Job(PROMPTS, WORDS)])
    for prompts in (PROMPTS, PROMPTS[:1]):
        with pytest.raises(ScoresError, match=f"'NaN' on {PROMPTS[0].id}.*float32"):
            bench.scorer(SPEC).score(prompts, bad)
    assert bench.scorer(SPEC).score(PROMPTS, WORDS).values.shape == (2, 10)
    assert len([s for s in toy_model.lines(folder) if s.startswith("chunk")]) == 1 + 6
    with pytest.raises(ScoresError, match="not finite"):
        open_bench().scorer(SPEC).score(PROMPTS, bad)


def test_a_failure_on_one_prompt_says_nothing_of_another(bench):
    strange = Prompt(id="strange", text="What does this break?")
    with pytest.raises(ModelError, match="toy stopped with an unexpected error"):
        bench.scorer(SPEC).score([strange], WORDS)
    assert bench.scorer(SPEC).score(PROMPTS, WORDS).values.shape == (2, 10)
    with pytest.raises(ModelError, match=r"ZeroDivisionError: division by zero.*report"):
        bench.scorer(SPEC).score([*PROMPTS, strange], WORDS)


def test_an_error_nobody_foresaw_is_not_met_twice(bench, folder):
    spec = replace(SPEC, target="broken")
    for _ in range(2):
        with pytest.raises(ModelError, match=r"RuntimeError: CUDA error"):
            bench.scorer(spec).score(PROMPTS, WORDS)
    assert loads(folder) == ["load broken rm"]


def test_a_process_that_waits_for_its_turn_holds_no_other_model(bench, folder):
    bench.scorer(SPEC).score(PROMPTS, WORDS)
    held = weakref.ref(bench.loader._loaded[1])
    other = replace(SPEC, target="other")
    with FileLock(next((folder / "locks").iterdir())):
        bench.scorer(SPEC).score(PROMPTS, WORDS)  # stored: no turn is needed
    with bench.loader.turn(other, bench.scorer(other).fingerprint):
        assert held() is None


def test_files_that_change_while_loading_are_noticed(bench, monkeypatch):
    """Else the new weights' scores would be stored under the address of the old."""
    from valuebias.models import loading

    model = loading.load(SPEC, Settings())
    model.fingerprint = "of other weights"
    monkeypatch.setattr(loading, "load", lambda spec, settings: model)
    with pytest.raises(ModelError, match="changed while it was being loaded"):
        bench.scorer(SPEC).score(PROMPTS, WORDS)


def test_a_folder_without_locks_is_an_error(bench, folder):
    (folder / "locks").write_text("")
    with pytest.raises(StoreError, match=r"cannot lock files.*cache-dir"):
        bench.scorer(SPEC).score(PROMPTS, WORDS)


# Recorded scores


def test_recorded_scores_are_read_and_not_stored(bench, folder):
    values = expected(PROMPTS, WORDS)
    write_scores(Scores(values, PROMPTS, WORDS), folder / "recorded.csv")
    spec = parse_spec(f"scores:{folder / 'recorded.csv'}")
    some = Candidates.words(["word3", "word1"])
    assert (bench.scorer(spec).score(PROMPTS[1:], some).values == values[1:, [3, 1]]).all()
    everything = bench.scorer(spec).score(PROMPTS, VOCABULARY)
    assert everything.values.tobytes() == values.tobytes()
    assert bench.scorer(spec).fingerprint
    assert bench.scorer(spec).left_out(PROMPTS, VOCABULARY) is None
    assert PAPER_PROMPTS[5].id in bench.scorer(spec).left_out(PAPER_PROMPTS[5:6], VOCABULARY)
    with pytest.raises(ScoresError, match="no score for 1 of 1 responses"):
        bench.scorer(spec).score(PROMPTS, Candidates.words(["unheard"]))
    assert not bench.store.loads()


# Several processes

PROCESS = """
import sys
from pathlib import Path
import pytest
from support import toy_model
from valuebias.candidates import Candidates
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.progress import Progress
from valuebias.prompts import PAPER_PROMPTS
from valuebias.candidates import VOCABULARY
from valuebias.scorers.bench import Bench
from valuebias.scores import Job
from valuebias.store.database import Store

folder, first = Path(sys.argv[1]), int(sys.argv[2])
toy_model.install(folder, pytest.MonkeyPatch())
words = Candidates.words(toy_model.WORDS)
jobs = [Job(PAPER_PROMPTS[:2], words), Job(PAPER_PROMPTS[:1], VOCABULARY)]
with Bench(Store(folder / "scores.sqlite"), Settings(), progress=Progress(quiet=True)) as bench:
    for model in ("toy", "other") if first % 2 else ("other", "toy"):
        spec = ModelSpec(model, "local", model, None, model)
        bench.scorer(spec).prepare(jobs)
        job = jobs[first // 2]
        scores = bench.scorer(spec).score(job.prompts, job.candidates)
        print(scores.values.tobytes().hex())
"""


def process(folder: Path, first: int = 0, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder), str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **environment,
        },
    )


def finish(running: subprocess.Popen[str]) -> list[str]:
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    return out.splitlines()


def test_four_processes_load_each_model_once(folder, bench):
    """They ask for different things of two models, in either order, all at once."""
    results = [finish(running) for running in [process(folder, i) for i in range(4)]]
    assert sorted(loads(folder)) == ["load other rm", "load toy rm"]
    assert sorted(f for f, _, _ in bench.store.loads()) == ["other-auto-rm", "toy-auto-rm"]
    vocabulary = Candidates(toy_model.TOKENS, tuple(range(6)), "token")
    for i, result in enumerate(results):
        truth = expected(PROMPTS, WORDS) if i < 2 else expected(PROMPTS[:1], vocabulary)
        assert result == [truth.tobytes().hex()] * 2
    chunks = [line for line in toy_model.lines(folder) if line.startswith("chunk")]
    assert len(chunks) == 2 * (2 * 3 + 2)


def test_a_killed_run_resumes_where_it_was_stopped(folder, open_bench):
    """SIGKILL after the first chunk of the second prompt: four chunks stored, not one repeated."""
    running = process(folder, TOY_HANG=f"{PROMPTS[1].id} 0")
    assert running.stdout is not None
    assert running.stdout.readline() == "hanging\n"
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)
    spec = ModelSpec("other", "local", "other", None, "other")
    scores = open_bench().scorer(spec).score(PROMPTS, WORDS)
    assert scores.values.tobytes() == expected(PROMPTS, WORDS).tobytes()
    assert scores.provenance["head"] == "score"
    assert toy_model.lines(folder) == [
        "load other rm",
        *(f"chunk {PROMPTS[0].id} {start}" for start in (0, 4, 8)),
        f"chunk {PROMPTS[1].id} 0",
        "load other rm",
        *(f"chunk {PROMPTS[1].id} {start}" for start in (4, 8)),
    ]


# Real models


@pytest.mark.parametrize("role", ["rm", "llm"])
def test_stored_scores_are_those_of_the_model_itself(tmp_path, role):
    """A real, randomly initialised model of each role, loaded by the loaders."""
    from support.models import save_language_model, save_reward_model
    from valuebias.models.loading import load_language_model, load_reward_model

    by_role: dict[str, tuple[Callable[..., Path], Callable[..., Any]]] = {
        "rm": (save_reward_model, load_reward_model),
        "llm": (save_language_model, load_language_model),
    }
    save, load = by_role[role]
    spec, settings = parse_spec(str(save(tmp_path / "model"))), Settings(device="cpu")
    model = load(spec, settings)
    words = Candidates.words(["freedom", "love", "common good", "null"])
    for _ in range(2):  # the second reads what the first stored
        store = Store(tmp_path / "scores.sqlite")
        with Bench(store, settings, progress=Progress(quiet=True)) as bench:
            for asked, candidates in ((words, words), (VOCABULARY, model.vocabulary())):
                scores = bench.scorer(replace(spec, load_as=role)).score(PROMPTS, asked)
                direct = model.score(PROMPTS, candidates)
                assert scores.candidates == candidates
                assert scores.values.tobytes() == direct.values.tobytes()
                assert scores.provenance["fingerprint"] == model.fingerprint
            assert scores.provenance["left_out"].startswith("5 ")
            assert 0 < float(scores.provenance["round_trip"]) < 1
            assert [f for f, _, _ in store.loads()] == [model.fingerprint]
