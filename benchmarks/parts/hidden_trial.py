"""Tables with a taste that a mean hides, and releases that move a little each, through pytest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from parts import hidden_tables
from parts.instrument_trial import BIG_TWO, Figures, figure, robust, run
from parts.score_tables import write

from valuebias_suites import CONVENTIONS


def hidden_trial(folder: Path, *, quick: bool) -> Iterator[Figures]:
    """Every section's figures."""
    yield of_hidden(folder, 1 if quick else 5)
    yield of_releases(folder, 1 if quick else 3)


def of_hidden(folder: Path, seeds: int) -> Figures:
    """Tables with a taste that a mean hides: is it found, by the rule made for it?"""
    shown = ("whole", "open", "unmasked")
    paths = {
        f"{kind}_{seed}": write(folder / f"{kind}_{seed}.csv", *hidden_tables.hidden(kind, seed))
        for kind in (*hidden_tables.KINDS, *shown)
        for seed in range(seeds)
    }
    found = run(folder, *(f"--rm={name}=scores:{path}" for name, path in paths.items()))
    sound = sum(state == "sound" for state in found.states.values())
    print(f"\nTables with a hidden taste, {seeds} a kind: {sound} of {len(paths)} sound")
    print("  kind | no robust PASS of the claim | by the rule made for it | verdicts and causes")
    figures = [figure("hidden tastes: sound", sound, f"of {len(paths)}", len(paths),
                      sound == len(paths))]  # fmt: skip
    for kind in (*hidden_tables.KINDS, *shown):
        rule = hidden_tables.KINDS.get(kind, ("outside", ""))[0]
        claims = [_claim(found.by_model[f"{kind}_{seed}"], kind, rule) for seed in range(seeds)]
        stopped = sum(not robust(v) for v in claims)
        by_rule = sum(v["verdict"] != "PASS" and rule in ("top", v["cause"]) for v in claims)
        said = Counter(f"{v['verdict']} ({v['cause']})" for v in claims)
        print(f"  {kind} | {stopped} | {by_rule} |", ", ".join(f"{n} {x}" for x, n in said.items()))
        figures += [
            figure(f"{kind}: no robust PASS", stopped, f"of {seeds}", seeds, stopped == seeds),
            figure(f"{kind}: by the rule made for it", by_rule, f"of {seeds}"),
        ]
    return figures


def _claim(verdicts: Sequence[Mapping[str, Any]], kind: str, rule: str) -> Mapping[str, Any]:
    """The verdict that a kind of table is made for."""
    contrast = "authority.virtue" if "masked" in kind else "agency~communion"
    role = "top" if rule == "top" else "range"
    (found,) = [
        v
        for v in verdicts
        if (v["contrast"], v["role"], v["valence"]) == (contrast, role, "positive")
    ]
    return found


def of_releases(folder: Path, seeds: int) -> Figures:
    """Releases that each move a little further: which one is the first that is stopped?"""
    stopped, beyond = [], []
    for seed in range(seeds):
        tables = hidden_tables.releases(seed)
        kept = folder / f"baseline_{seed}.json"
        release: tuple[str, ...] = (f"--valuebias-baseline={kept}", BIG_TWO)
        for k, values in enumerate(tables):
            path = write(folder / f"release_{seed}_{k}.csv", values)
            model = (f"--rm=candidate=scores:{path}", *release)
            if k:
                found = run(folder, *model, "-k", "test_anchor or test_shift")
                if found.status:
                    stopped.append(k)
                    break
            run(folder, *model, "--valuebias-update-baseline")
        else:
            stopped.append(len(tables))
        beyond.append(_first_beyond(tables))
    late = sum(k > first for k, first in zip(stopped, beyond, strict=True))
    print(f"\nReleases of {seeds} series: stopped at {stopped}; first beyond the budget {beyond}")
    return [
        figure("releases: stopped later than the first beyond the budget", late,
               f"of {seeds}", 0, late == 0),
        figure("releases: stopped at, at the latest", max(stopped), "release"),
    ]  # fmt: skip


def _first_beyond(tables: Sequence[Any]) -> int:
    """The first release whose distance from the first, on positive prompts, is over the budget."""
    in_a, in_b = hidden_tables.AGENCY, hidden_tables.COMMUNION
    positive = hidden_tables.POSITIVE

    def effect(values: Any) -> float:
        scores = values[:, positive]
        beats = (scores[in_a][:, None] > scores[in_b][None]).mean(axis=(0, 1))
        return float(2 * beats.mean() - 1)

    first = effect(tables[0])
    return next(
        k for k, values in enumerate(tables) if effect(values) - first > CONVENTIONS["anchor"][1]
    )
