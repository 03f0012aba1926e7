"""Report pages as the product makes them, to be opened in a browser."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml
from filelock import FileLock

from support.scores import write_scores
from valuebias.lexicons.files import starter

PUBLISHED = os.environ.get("VALUEBIAS_PUBLISHED_DATA")

SCRIPTS = (
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=2</script>",
    "</svg><script>window.hacked=3</script>",
    "<img src=x onerror=window.hacked=4>",
    "--><svg onload=window.hacked=5>",
    '"onmouseover=window.hacked=6 x="',
    "'autofocus onfocus=window.hacked=7 x='",
    "javascript:window.hacked=8",
    "{{ 700+637 }}",
    "<!--",
    "]]>",
    "</title><title>hacked</title>",
    "&lt;b&gt; &amp;",
    "$x^2$ | `tick` ![i](http://x.y/z)",
)
"""What acts on a page that does not escape."""
CONTROLS = {
    "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m",
    "\u202etfel": r"\u202etfel",
    "a\x07bell": r"a\x07bell",
    "zero\u200bwidth": r"zero\u200bwidth",
}
"""What acts on a reader, and how it is shown."""


@dataclass(frozen=True)
class Made:
    """A page, and the document of the same run."""

    path: Path

    @cached_property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.with_suffix(".json").read_text("utf-8"))
        return found


def make(name: str, folder: Path) -> Made:
    """The page of that name in that folder; whoever comes first makes it, in a run of pytest."""
    page = folder / f"{name}.html"
    with FileLock(folder / f"{name}.lock"):
        if not page.exists():
            data = Path(mkdtemp(dir=folder, prefix=f"{name}-"))
            arguments = PAGES[name](data)
            out = [f"--valuebias-html={page}", f"--valuebias-json={page.with_suffix('.json')}"]
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            done = subprocess.run(
                [*command, *arguments, *out],
                cwd=data,
                env=_environment(data),
                capture_output=True,
                text=True,
            )
            assert done.returncode in (0, 1), done.stdout + done.stderr
    return Made(page)


def _environment(folder: Path) -> dict[str, str]:
    others = ("VALUEBIAS_", "PYTEST_", "GITHUB_", "CI", "BUILD_NUMBER")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(others)}
    return kept | {"VALUEBIAS_CACHE_DIR": str(folder / "store"), "OMP_NUM_THREADS": "1"}


def published(folder: Path) -> list[str]:
    """The ten reward models of the paper on both of its lexicons."""
    data = Path(PUBLISHED or "") / "data"
    scores = data / "reward_model_scores"
    models = []
    for nouns in sorted((scores / "dict_big2_nouns").glob("*.csv")):
        name = nouns.stem.split("_", 3)[-1]
        (moral,) = (scores / "dict_MFD_20").glob(f"*_{name}.csv")
        models.append(f"--rm={name}=scores:{merged(nouns, moral, folder / f'{name}.csv')}")
    assert len(models) == 10
    return [
        *models,
        f"--valuebias-lexicon=big_two={data / 'corpora' / 'dict_big2_nouns.csv'}",
        f"--valuebias-lexicon=mfd2={data / 'corpora' / 'moral-foundations-dictionary-20.dicx'}",
    ]


def merged(first: Path, second: Path, out: Path) -> Path:
    """One model's two tables of scores as one, each response once."""
    tables = []
    for path in (first, second):
        with path.open(newline="", encoding="utf-8") as file:
            tables.append(list(csv.reader(file)))
    heads = [rows[0] for rows in tables]
    kept = [column for column in heads[0] if column in heads[1] and column != "token_id"]
    written = set()
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(kept)
        for head, (_, *rows) in zip(heads, tables, strict=True):
            at = [head.index(column) for column in kept]
            response = head.index("response")
            for row in rows:
                if row[response] not in written:
                    written.add(row[response])
                    writer.writerow([row[i] for i in at])
    return out


def every_kind(folder: Path) -> list[str]:
    """Models of every kind: a shift, a forecast, language models and their pairs, runs and their
    gap."""
    for run, shifts in (("llama", (1.2, 0.7, 0.6)), ("gemma", (-1.0, -0.4, -0.3))):
        (folder / run).mkdir()
        for at, shift in enumerate(shifts):
            path = folder / run / f"checkpoint-{100 * at}.csv"
            write_scores(path, shift=shift, noise=10 * len(run) + at)
    write_scores(folder / "a.csv", shift=1.5, seed=1)
    write_scores(folder / "b.csv", seed=2)
    write_scores(folder / "p.csv", seed=3, level=-9, control=None)
    for at in range(3):
        write_scores(folder / f"l{at}.csv", shift=0.5 * at, seed=at, level=-20)
    return [
        "--rm=candidate=scores:a.csv",
        "--reference=release-1=scores:b.csv",
        "--policy=P=scores:p.csv",
        *(f"--llm=llm-{at}=scores:l{at}.csv" for at in range(3)),
        "--valuebias-matrix=agency~communion",
        "--valuebias-checkpoints=llama",
        "--valuebias-checkpoints=gemma",
        *("-k", "big_two"),
    ]


def hostile(folder: Path) -> list[str]:
    """A vocabulary, a lexicon and the name of a file that would act on a careless page."""
    shipped = starter("big_two").categories
    words = {c: [*shipped[c][:40], *SCRIPTS[at::2]] for at, c in enumerate(shipped)}
    title = {"title": f"A title {SCRIPTS[0]}", "licence": f"A licence {SCRIPTS[3]}"}
    lexicon = {"name": "big_two", **title, "categories": words}
    (folder / "own.yaml").write_text(yaml.safe_dump(lexicon, allow_unicode=True), encoding="utf-8")
    scores = folder / "<img src=x onerror=window.hacked=9>.csv"
    strange = [*SCRIPTS, *CONTROLS]
    extra = {text: (-1) ** at * (50.0 + at) for at, text in enumerate(strange)}
    write_scores(scores, shift=1.0, seed=1, extra=extra)
    write_scores(folder / "b.csv", seed=2, extra=dict.fromkeys(SCRIPTS, 0.0))
    return [
        f"--rm=scores:{scores.name}",
        "--reference=release-1=scores:b.csv",
        "--valuebias-lexicon=big_two=own.yaml",
        "--valuebias-suite=big_two",
        "--valuebias-profile=paper",
    ]


PAGES: dict[str, Callable[[Path], list[str]]] = {
    "published": published,
    "every_kind": every_kind,
    "hostile": hostile,
}
