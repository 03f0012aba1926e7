"""A model of a few lines behind the loaders' face, whose every step leaves a line in a log file.

It stands where a test needs to count, fail or stop at a given chunk; what real models do is tested
with real models. ``install`` puts it in the loaders' place, in this process.
"""

from __future__ import annotations

import hashlib
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from valuebias.candidates import Candidates
from valuebias.errors import ModelError, SearchError

CHUNK = 4
WORDS = tuple(f"word{i}" for i in range(10))
TOKENS = ("a", "b", "a", "\ud800", "null", "\x1b[31m")


def log(folder: Path, line: str) -> None:
    with open(folder / "log", "a") as file:
        file.write(f"{os.getpid()} {line}\n")


def lines(folder: Path) -> list[str]:
    """What was logged, without process ids."""
    path = folder / "log"
    return [s.split(" ", 1)[1] for s in path.read_text().splitlines()] if path.exists() else []


def truth(prompt: str, response: str) -> np.float32:
    digest = hashlib.sha256(f"{prompt}|{response}".encode("utf-8", "surrogatepass")).digest()
    return np.float32(int.from_bytes(digest[:4], "little") / 2**31 - 1)


class TooSlow(SearchError):
    """In the place of the search's own, so that no test of the bench waits for torch."""

    def __init__(self, estimate: float) -> None:
        super().__init__("too slow", seen=estimate, remedy="Take a faster toy.")
        self.estimate = estimate


class ToyModel:
    threads = None

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self.stop_at: int | None = None
        self.provenance = {"model": "toy", "fingerprint": fingerprint, "head": "score"} | {
            "rung": "shared-prefix"
        }

    def vocabulary(self) -> Candidates:
        return Candidates(TOKENS, tuple(range(100, 100 + len(TOKENS))), injection="token")

    def token_counts(self, words) -> list[int]:
        return [1 + len(word) // 6 for word in words]

    def round_trip(self, candidates: Candidates) -> float:
        log(self.folder, "round-trip")
        return 0.75

    def score_prompt(self, prompt, candidates, *, done=None, on_chunk=None, time_limit=None):
        n = len(candidates)
        seconds = float(os.environ.get("TOY_SECONDS", "0"))
        out = np.full(n, np.nan, dtype=np.float32)
        for start in range(0, n, CHUNK):
            rows = np.arange(start, min(n, start + CHUNK))
            if done is not None and done[rows].all():
                continue
            log(self.folder, f"chunk {prompt.id} {start}")
            if prompt.id == "strange":
                raise ZeroDivisionError("division by zero")
            out[rows] = [truth(prompt.text, candidates.responses[i]) for i in rows]
            if "NaN" in [candidates.responses[i] for i in rows]:
                out[rows[-1]] = np.nan
            on_chunk(rows, out[rows])
            if os.environ.get("TOY_HANG") == f"{prompt.id} {start}":
                print("hanging", flush=True)
                sys.stdin.read()
            if time_limit is not None and seconds > time_limit:
                raise TooSlow(seconds)
        return out


def install(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Until ``patch`` is undone, every model is a toy that logs into ``folder``."""

    def fingerprint(spec, settings):
        return f"{spec.target}-{settings.dtype}-{spec.load_as}"

    def load(spec, settings):
        log(folder, f"load {spec.target} {spec.load_as}")
        if spec.target.endswith("refused"):
            raise ModelError("preflight refused the toy", seen="it", remedy="Take another.")
        if spec.target.endswith("broken"):
            raise RuntimeError("CUDA error: no kernel image")
        return ToyModel(folder, fingerprint(spec, settings))

    modules: dict[str, dict[str, object]] = {
        "models.fingerprint": {"fingerprint": fingerprint},
        "models.loading": {"load": load},
        "search": {"TooSlow": TooSlow},
    }
    for name, content in modules.items():
        module = types.ModuleType(f"valuebias.{name}")
        for key, value in content.items():
            setattr(module, key, value)
        package, _, attribute = module.__name__.rpartition(".")
        patch.setattr(sys.modules[package], attribute, module, raising=False)
        patch.setitem(sys.modules, module.__name__, module)
