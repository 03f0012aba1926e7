"""The command line: what it writes, what it says, and that it never shows a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support import toy_model
from support.models import save_reward_model
from valuebias.cli.main import main
from valuebias.errors import LexiconError
from valuebias.prompts import resolve
from valuebias.scorers.recorded import RecordedScores
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store

ASK = "What is it, then?"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Every model is a toy; commands run in an empty folder with a cache of its own."""
    toy_model.install(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VALUEBIAS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return tmp_path


def search(*arguments: str, rm: str = "org/toy", prompt: str = ASK, out: str = "out.csv") -> int:
    return main(["search", "--rm", rm, "--prompt", prompt, "--out", out, *arguments])


def truth(texts, *responses):
    return [[toy_model.truth(text, r) for r in responses] for text in texts]


# search: what it writes


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_reads_back_bit_by_bit(toy, capsys, suffix):
    assert search("--prompt", "greatest_ever_one", out=f"out{suffix}") == 0
    back = RecordedScores.from_file(Path(parse_spec(f"scores:out{suffix}").target))
    prompts = (resolve(ASK), resolve("greatest_ever_one"))
    assert back.prompts == prompts
    assert back.recorded.candidates.token_ids == tuple(range(100, 106))
    assert back.responses == ("a", "b", "a", "\\ud800", "null", "\x1b[31m")
    expected = np.array(truth([p.text for p in prompts], *toy_model.TOKENS), np.float32)
    assert back.recorded.values.tobytes() == expected.tobytes()


def test_a_recorded_search_can_be_searched(toy):
    assert search() == 0
    (toy / "words.txt").write_text("null\nb\n")
    assert search("--candidates", "words.txt", rm="scores:out.csv", out="again.csv") == 0
    again = RecordedScores.from_file(toy / "again.csv")
    assert again.responses == ("null", "b")
    assert again.recorded.values.tolist() == truth([ASK], "null", "b")


def test_words_of_a_file_are_scored_as_text(toy, capsys):
    (toy / "words.txt").write_bytes(
        "\ufeff skill \r\n\r\nfriend\nskill\nNA\ncommon good\n".encode()
    )
    assert search("--candidates", "words.txt") == 0
    back = RecordedScores.from_file(toy / "out.csv")
    assert back.responses == ("skill", "friend", "NA", "common good")
    assert back.recorded.candidates.token_ids is None
    assert back.recorded.values.tolist() == truth([ASK], *back.responses)
    assert "4 candidates on 1 prompt, text injection" in capsys.readouterr().out


def test_the_words_of_a_lexicon_are_scored(toy, capsys):
    (toy / "values.csv").write_text("word,category\nskill,agency\nach*,agency\nfriend,communion\n")
    assert search("--candidates", "values.csv") == 0
    assert RecordedScores.from_file(toy / "out.csv").responses == ("skill", "friend")
    assert "wildcard entries left out (they do not name one word): 1" in capsys.readouterr().err


def test_the_vocabulary_as_text(toy, capsys):
    assert search("--injection", "text") == 0
    back = RecordedScores.from_file(toy / "out.csv")
    assert back.recorded.candidates.token_ids == (100, 101, 103, 104, 105)
    assert "5 candidates on 1 prompt, text injection" in capsys.readouterr().out


def test_the_summary_says_how_and_shows_best_and_worst(toy, capsys):
    assert search("--prompt", "greatest_ever_one") == 0
    out = capsys.readouterr().out
    assert "org/toy: 6 candidates on 2 prompts, token injection, rung shared-prefix, 75.0%" in out
    assert "\x1b" not in out
    assert '"\\x1b[31m"' in out
    assert '"\\ud800"' in out
    values = truth([ASK], *toy_model.TOKENS)[0]
    section = out.split(ASK)[1].split("What, in one word")[0]
    shown = [float(line.split()[0]) for line in section.splitlines() if '"' in line]
    best = sorted(values, reverse=True)
    assert shown == pytest.approx([*best, *best[::-1]], rel=1e-4)
    assert "written to out.csv" in out


def test_the_second_run_computes_nothing(toy, capsys):
    assert search() == 0
    log = toy_model.lines(toy)
    before = (toy / "out.csv").read_bytes()
    assert search() == 0
    assert toy_model.lines(toy) == log
    assert (toy / "out.csv").read_bytes() == before


def test_options_reach_the_model(toy, monkeypatch):
    seen = []
    from valuebias.models import loading

    load = loading.load

    def spy(spec, settings):
        seen.append(settings)
        return load(spec, settings)

    monkeypatch.setattr(loading, "load", spy)
    options = ["--device", "cpu", "--dtype", "float32", "--chunk-memory", "1.5G", "--offline"]
    trust = ["--trust-remote-code", "org/toy", "--trust-remote-code", "org/other"]
    assert search(*options, *trust, "--cache-dir", "elsewhere") == 0
    (settings,) = seen
    assert (settings.device, settings.dtype, settings.offline) == ("cpu", "float32", True)
    assert settings.chunk_memory == 3 << 29
    assert settings.trust_remote_code == ("org/toy", "org/other")
    assert (toy / "elsewhere" / "scores.sqlite").is_file()
    assert not (toy / "cache").exists()


def test_a_tilde_in_a_folder_is_the_home(toy, monkeypatch):
    monkeypatch.setenv("HOME", str(toy / "home"))
    assert search("--cache-dir", "~/mine") == 0
    assert (toy / "home" / "mine" / "scores.sqlite").is_file()
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", "~/environment")
    assert search() == 0
    assert (toy / "home" / "environment" / "scores.sqlite").is_file()
    assert not (toy / "~").exists()


# search: what can be wrong


def refused(capsys, status: int, *parts: str) -> None:
    """One message on standard error that holds the parts, and nothing on standard output."""
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert [part for part in parts if part not in err] == []
    assert not out
    assert status in (1, 2)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"rm": ""}, ["empty model spec", "unset"]),
        ({"rm": "demo:greed"}, ["demo:greed", "demo:agency"]),
        ({"rm": "tests/"}, ["tests/"]),
        ({"prompt": "greatest_ever_won"}, ["greatest_ever_won", "neither a prompt id"]),
        ({"prompt": ""}, ["neither a prompt id"]),
        ({"prompt": "greatest_ever_one"}, ["given twice"]),
        ({"out": "out.txt"}, ["out.txt", "CSV or Parquet"]),
        ({"out": "absent/out.csv"}, ["folder does not exist"]),
        ({"out": "folder.csv"}, ["it is a folder"]),
        ({"candidates": "absent.txt"}, ["absent.txt", "candidate file not found"]),
        ({"candidates": "empty.txt"}, ["empty.txt", "no word"]),
        ({"candidates": "latin.txt"}, ["latin.txt, line 2", "UTF-8"]),
        ({"candidates": "words.txt", "injection": "token"}, ["no token ids"]),
    ],
    ids=lambda x: " ".join(f"{k}={v}" for k, v in x.items()) if isinstance(x, dict) else "",
)
def test_a_wrong_command_is_refused_before_a_model_is_loaded(toy, capsys, arguments, parts):
    (toy / "folder.csv").mkdir()
    (toy / "empty.txt").write_text("\n\n")
    (toy / "latin.txt").write_bytes(b"skill\ncaf\xe9\n")
    (toy / "words.txt").write_text("skill\n")
    arguments = dict(arguments)
    options = [f"--{k}={arguments.pop(k)}" for k in ("candidates", "injection") if k in arguments]
    status = search(
        "--prompt", "What, in one word, is the greatest thing ever?", *options, **arguments
    )
    refused(capsys, status, *parts)
    assert status == 2
    assert toy_model.lines(toy) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["search"],
        ["search", "--rm", "org/toy", "--prompt", ASK, "--out", "o.csv", "--chunk-memory", "0"],
        ["search", "--rm", "org/toy", "--prompt", ASK, "--out", "o.csv", "--chunk-memory", "lots"],
        ["search", "--rm", "org/toy", "--prompt", ASK, "--out", "o.csv", "--injection", "magic"],
        [
            "search",
            "--rm",
            "org/toy",
            "--prompt",
            ASK,
            "--out",
            "o.csv",
            "--chunk-memory=1" + "0" * 400,
        ],
        ["search", "--rm", "org/toy", "--prompt", ASK, "--out", "o.csv", "--device", "cuda:one"],
        ["search", "--rm", "org/toy", "--prompt", ASK, "--out", "o.csv", "--device", "tpu"],
        ["search", "--rm", "org/toy", "--prompt", ASK, "--out", "o.csv", "--dtype", "float8"],
        ["search", "--rm", "org/toy", "--prompt", ASK, "--out", "o.csv", "--cache-dir", ""],
        ["lexicon", "list", "--cache-dir", "~no-such-user/cache"],
        ["search", "--r", "org/toy", "--prompt", ASK, "--out", "o.csv"],
        ["lexicon"],
        ["lexicon", "install"],
    ],
    ids=" ".join,
)
def test_usage_errors(toy, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: valuebias" in capsys.readouterr().err


def test_a_model_that_is_refused(toy, capsys):
    status = search(rm="org/refused")
    refused(capsys, status, "preflight refused the toy", "Take another.")
    assert status == 1
    assert not (toy / "out.csv").exists()


def test_a_store_that_cannot_be_used(toy, capsys):
    (toy / "cache" / "valuebias").mkdir(parents=True)
    (toy / "cache" / "valuebias" / "scores.sqlite").write_text("mine" * 1000)
    status = search()
    refused(capsys, status, "not a score store", "cache-dir")
    assert status == 1


def test_a_defect_is_one_line_unless_asked_for(toy, capsys, monkeypatch):
    def broken(path):
        raise RuntimeError("a defect\x1b[31m")

    monkeypatch.setattr("valuebias.store.database.Store.__init__", lambda *_: broken(None))
    status = search()
    refused(capsys, status, "RuntimeError: a defect\\x1b[31m", "--traceback")
    with pytest.raises(RuntimeError):
        main(["--traceback", "search", "--rm", "org/toy", "--prompt", ASK, "--out", "out.csv"])


def test_a_disk_that_refuses_the_scores(toy, capsys, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("os.replace", full)
    assert search() == 1
    assert "out.csv: No space left on device" in capsys.readouterr().err


# search: stopped and resumed


def test_ctrl_c_says_how_to_go_on(toy, capsys, monkeypatch):
    write = Store.write
    written: list[object] = []

    def interrupted(self, *chunk):
        if written:
            raise KeyboardInterrupt
        written.append(write(self, *chunk))

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", interrupted)
        assert search() == 130
    out, err = capsys.readouterr()
    assert "scores.sqlite" in err
    assert "same command" in err
    assert "stopped at 4 of 6" in err
    assert not out
    assert search() == 0
    assert "4 of them stored before" in capsys.readouterr().err
    starts = [int(s.split()[-1]) for s in toy_model.lines(toy) if s.startswith("chunk")]
    assert starts == [0, 4, 4]
    back = RecordedScores.from_file(toy / "out.csv")
    assert back.recorded.values.tolist() == truth([ASK], *toy_model.TOKENS)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A real, randomly initialised Llama on disk."""
    return save_reward_model(tmp_path_factory.mktemp("models") / "rm")


KILLED = """
import os, signal, sys
import torch
from valuebias.cli.main import main
from valuebias.store.database import Store
torch.set_num_threads(1)
write, chunks, kill_after = Store.write, [], int(sys.argv[1])

def counted(*chunk):
    chunks.append(write(*chunk))
    if len(chunks) == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)

Store.write = counted
main(sys.argv[2:])
"""

STORED = """
import sys
from valuebias.cli.main import main
assert main(sys.argv[1:]) == 0
assert not {"torch", "transformers"} & set(sys.modules)
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")
def test_a_killed_search_of_a_real_model_resumes_to_the_same_bits(tmp_path, model, monkeypatch):
    """Killed in the second prompt, then run again: no finished chunk is computed a second time, the
    scores are those of a run that nothing stopped, and what is stored needs no torch to be read."""
    import torch

    write, chunks = Store.write, []

    def counted(self, address, n, indices, values):
        write(self, address, n, indices, values)
        chunks.append(len(indices))

    monkeypatch.setattr(Store, "write", counted)
    command = f"search --rm {model} --prompt greatest_ever_one --chunk-memory 1M --device cpu"

    def arguments(name: str) -> list[str]:
        out, cache = str(tmp_path / f"{name}.csv"), str(tmp_path / name)
        return [*command.split(), "--prompt", ASK, "--out", out, "--cache-dir", cache]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert main(arguments("whole")) == 0
        whole = chunks.copy()
        before = len(whole) // 2 + 1
        assert before >= 3
        killed = run(KILLED, str(before), *arguments("resumed"))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not (tmp_path / "resumed.csv").exists()
        chunks.clear()
        assert main(arguments("resumed")) == 0
    finally:
        torch.set_num_threads(threads)
    assert chunks == whole[before:]
    assert (tmp_path / "resumed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sum(whole) == 2 * len(RecordedScores.from_file(tmp_path / "whole.csv").responses)
    stored = run(STORED, *arguments("resumed"))
    assert stored.returncode == 0, stored.stderr


# lexicon


def test_lexicons_are_installed_and_listed(toy, capsys, monkeypatch):
    fetched = []

    def fetch(lexicon, url, opener):
        fetched.append(url)
        if lexicon.name == "mfd2":
            raise LexiconError("offline", remedy="Get a cable.")
        return b"content"

    monkeypatch.setattr("valuebias.lexicons.install._fetch", fetch)
    assert main(["lexicon", "install", "mfd2", "big-two", "--cache-dir", "here"]) == 1
    out, err = capsys.readouterr()
    assert "offline. Get a cable." in err
    assert "big-two: installed at here/lexicons/dict_big2_nouns.csv" in out
    assert "no licence is known" in out
    assert "--valuebias-lexicon big_two=big-two" in out
    assert len(fetched) == 2
    assert main(["lexicon", "list", "--cache-dir", "here"]) == 1
    out, _ = capsys.readouterr()
    assert "NOT USABLE" in out, "what was put there is not the pinned content"
    assert "mfd2: Moral Foundations Dictionary 2.0" in out
    assert "not installed" in out
    assert "big_two: " in out
    assert main(["lexicon", "install", "eloeverything", "--cache-dir", "here"]) == 0
    out, _ = capsys.readouterr()
    assert "licence: MIT, of the repository it comes from" in out
    assert "use it: pytest --rm=MODEL --human=eloeverything" in out
    assert fetched[-1].endswith("is%20the%20greatest%20thing%20ever.csv")


def test_an_unknown_lexicon_is_told_before_anything_is_fetched(toy, capsys, monkeypatch):
    monkeypatch.setattr("valuebias.lexicons.install._fetch", None)
    assert main(["lexicon", "install", "big-two", "liwc"]) == 2
    refused(capsys, 2, "liwc", "big-two, mfd2")


# cost


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from valuebias.cli.main import main\n"
        "try: main(['search', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'transformers', 'pyarrow', 'rich', 'sqlite3', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, stdout=subprocess.DEVNULL)
