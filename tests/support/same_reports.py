"""The data of a run's reports as a flat mapping, to compare two runs by, and what differs.

    python tests/support/same_reports.py REPORT.json JUNIT.xml [--published] > GOLDEN.json

Left out are prose, and what differs from run to run or machine to machine. Long lists of numbers
are told by a few numbers. With ``--published`` what belongs to others is told by a digest alone:
words of their lexicons, and scores and ranks of single words or prompts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

Leaf = str | float | bool | None
Records = dict[str, dict[str, Leaf]]
"""Of each entry of a report, such as 'verdicts[NODEID]', the value of each of its fields."""

OF_THE_RUN = {"created", "command", "tool", "versions", "settings"}
PROSE = {"reason", "margin_source", "headline", "detail", "notes", "paper", "left_out"}
KEYS = {
    "subjects": ("title",),
    "verdicts": ("nodeid",),
    "lexicons": ("name",),
    "prompts": ("id",),
    "ranks": ("subject", "kind", "lexicon"),
    "words": ("lexicon",),
    "matrices": ("contrast",),
}
"""By what the entries of each list are known."""
DIGESTED = {"raised_by", "lowered_by", "margin_source"}
"""Of published models: words of others' lexicons, and what is long."""
EXACT = {"coverage", "ci_level", "alpha", "margin_low", "margin_high"}
WITHOUT = "without"
"""Under it, in a golden file, the fields that an entry lacks and most others have."""


# What is compared


def records(report: Mapping[str, Any], *, published: bool = False) -> Records:
    """The data of a report."""
    found: Records = {"report": {}}
    for key, value in _data(report):
        if key in OF_THE_RUN:
            continue
        if key not in KEYS:
            found["report"] |= _flat(value, key, published)
            continue
        seen: Counter[str] = Counter()
        for entry in value:
            known = "|".join(str(entry[part]) for part in KEYS[key])
            seen[known] += 1
            number = f"|{seen[known]}" if seen[known] > 1 else ""
            found |= _entry(f"{key}[{known}{number}]", entry, published)
    return found


def _entry(name: str, entry: Mapping[str, Any], published: bool) -> Records:
    """What the report says of it; of a table of words, of each of its columns too."""
    own: dict[str, Leaf] = {}
    found = {name: own}
    for key, value in _data(entry):
        if key in KEYS[name.partition("[")[0]]:
            continue  # it is in the name
        if name.startswith("ranks[") and key == "prompts":
            own[key] = digest(value)
        elif key == "medians" and published:
            own["medians.digest"] = digest(value)
        elif key == "medians":
            for category, column in zip(entry["categories"], zip(*value, strict=True), strict=True):
                own |= _many(column, f"medians[{category}]", published)
        elif name.startswith("words[") and key == "rows":
            own |= {"rows": len(value), "rows.digest": digest(value)}
        elif name.startswith("words[") and key == "columns":
            for column in value:
                leaves: dict[str, Leaf] = {}
                for k, v in _data(column):
                    if k not in ("subject", "kind"):
                        many = k in ("positive", "negative")
                        leaves |= (_many if many else _flat)(v, k, published)
                found[f"{name[:-1]}|{column['subject']}|{column['kind']}]"] = leaves
        else:
            own |= _flat(value, key, published)
    return found


def _flat(value: Any, path: str, published: bool) -> dict[str, Leaf]:
    """The leaves of a value, by their paths."""
    name = path.rpartition(".")[2]
    if published and name in DIGESTED:
        return {path: digest(value)}
    if name in ("best", "worst") and isinstance(value, list):
        texts, scores = [text for text, _ in value], [score for _, score in value]
        if published:
            return {f"{path}.texts": digest(texts), **_many(scores, path, published)}
        value = {"texts": texts, "scores": scores}
    if name == "specifications":
        estimates, lows, highs = ([row[at] for row in value] for at in (-3, -2, -1))
        numbers = [*estimates, *lows, *highs]
        return {
            f"{path}.chosen": digest([row[:-3] for row in value]),
            **_many(numbers, path, published),
        }
    if name == "mass":
        value = [float(number) for number in re.findall(r"\d\.\d+", value)]
    if isinstance(value, Mapping):
        parts = [(f"{path}.{key}" if path else key, part) for key, part in _data(value)]
    elif isinstance(value, list) and value:
        parts = [(f"{path}[{at}]", part) for at, part in enumerate(value)]
    elif isinstance(value, list):
        parts = [(f"{path}.length", 0)]
    else:
        return {path: value[:16] if name.endswith("fingerprint") and value else value}
    return {k: v for inner, part in parts for k, v in _flat(part, inner, published).items()}


def _data(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((k, v) for k, v in entry.items() if k not in PROSE)


def _many(values: Sequence[float | None], path: str, published: bool) -> dict[str, Leaf]:
    """A long list of numbers. ``by_place`` is the mean in which each counts by its place: it tells
    one order of numbers from another."""
    if published:
        hashed = digest([None if x is None else round(x, 6) + 0.0 for x in values])
        return {f"{path}.length": len(values), f"{path}.digest": hashed}
    known = [(at, x) for at, x in enumerate(values, 1) if x is not None]
    found: dict[str, Leaf] = {"length": len(values), "missing": len(values) - len(known)}
    if known:
        numbers = [x for _, x in known]
        found |= {
            "mean": statistics.fmean(numbers),
            "by_place": statistics.fmean(numbers, [at for at, _ in known]),
            "spread": statistics.pstdev(numbers),
        }
    return {f"{path}.{name}": value for name, value in found.items()}


def digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def junit_records(root: ElementTree.Element) -> Records:
    """The outcome of each test and the names of its properties; their values are the JSON's."""
    found: Records = {}
    seen: Counter[str] = Counter()
    for suite in root.iter("testsuite"):
        found["junit"] = dict.fromkeys(_properties(suite), True)
    for case in root.iter("testcase"):
        known = f"{case.get('classname')}::{case.get('name')}"
        seen[known] += 1
        number = f"|{seen[known]}" if seen[known] > 1 else ""
        outcomes = [part.tag for part in case if part.tag in ("failure", "error", "skipped")]
        found[f"junit[{known}{number}]"] = {
            "outcome": ", ".join(outcomes) or "passed",
            **dict.fromkeys(_properties(case), True),
        }
    return found


def _properties(element: ElementTree.Element) -> Iterator[str]:
    for one in element.findall("properties/property"):
        name = one.get("name") or ""
        if not name.startswith(("valuebias.version.", "valuebias.setting.")):
            yield name


def of_run(report: Path, junit: Path, *, published: bool = False) -> Records:
    """The data of a run that left these two files."""
    document = json.loads(report.read_text(encoding="utf-8"))
    return records(document, published=published) | junit_records(
        ElementTree.parse(junit).getroot()
    )


# What differs

Close = Callable[[str, str], tuple[float, float]]
"""Of an entry's name and a field: the relative and the absolute tolerance of its numbers."""


def computed(name: str, field: str) -> tuple[float, float]:
    """Of models on a CPU, of which another rounds otherwise; a golden number has six decimals."""
    if field in EXACT:
        return 0, 1e-6
    return (0, 0.5) if name.startswith(("ranks[", "words[")) else (0, 2e-3)


def recorded(name: str, field: str) -> tuple[float, float]:
    """Of recorded scores; a golden number has eleven digits."""
    return 1e-9, 1e-12


def differences(
    before: Records, after: Records, close: Close, *, allowed_new: Collection[str] = ()
) -> list[str]:
    """What differs, is missing or is new: a line each. A field may be new where ``allowed_new``
    has one of the words of its path."""
    found = []
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after or name not in before:
            found.append(f"{name}: {'new' if name in after else 'missing'}")
            continue
        old, new = before[name], after[name]
        for field in [*old, *(field for field in new if field not in old)]:
            path = f"{name}.{field}"
            if field not in new:
                found.append(f"{path}: missing, was {old[field]!r}")
            elif field not in old:
                if not set(re.findall(r"\w+", field)) & set(allowed_new):
                    found.append(f"{path}: new, {new[field]!r}")
            elif not _same(old[field], new[field], *close(name, field)):
                found.append(f"{path}: {old[field]!r} before, {new[field]!r} now")
    shared = [name for name in before if name in after]
    for old_name, new_name in zip(shared, (name for name in after if name in before), strict=True):
        if old_name != new_name:
            found.append(f"another order: {new_name} in the place of {old_name}")
            break
    return found


def _same(old: Leaf, new: Leaf, relative: float, absolute: float) -> bool:
    if _is_number(old) and _is_number(new):
        if isinstance(old, int) and isinstance(new, int):  # counts
            return old == new
        return math.isclose(old, new, rel_tol=relative, abs_tol=absolute)  # type: ignore[arg-type]
    return type(old) is type(new) and old == new


def _is_number(value: Leaf) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# Golden files


def written(found: Records, *, published: bool = False) -> str:
    """A golden file: JSON, a line an entry. What most entries of a list have alike is in a line of
    its own, whose name ends in '[*]'."""
    packed: dict[str, dict[str, Any]] = {}
    for table, names in _tables(found).items():
        entries = {
            name: {field: _rounded(value, published) for field, value in found[name].items()}
            for name in names
        }
        common = _common(list(entries.values()))
        if common:
            packed[f"{table}[*]"] = dict(common)
        for name, entry in entries.items():
            packed[name] = {
                field: value
                for field, value in entry.items()
                if field not in common or not _same(value, common[field], 0, 0)
            }
            lacking = [field for field in common if field not in entry]
            if lacking:
                packed[name][WITHOUT] = lacking
    lines = (": ".join(json.dumps(x, ensure_ascii=False) for x in item) for item in packed.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read(path: Path) -> Records:
    """The entries of a golden file."""
    found: Records = {}
    for table, names in _tables(packed := json.loads(path.read_text(encoding="utf-8"))).items():
        common = packed.get(f"{table}[*]", {})
        for name in names:
            if name != f"{table}[*]":
                lacking = packed[name].pop(WITHOUT, ())
                found[name] = {k: v for k, v in common.items() if k not in lacking} | packed[name]
    return found


def _tables(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of the entries of each list."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.partition("[")[0], []).append(name)
    return found


def _common(entries: Sequence[Mapping[str, Leaf]]) -> dict[str, Leaf]:
    """What more than half of them have alike."""
    found: dict[str, Leaf] = {}
    for field in dict.fromkeys(field for entry in entries for field in entry):
        held = Counter(json.dumps(entry[field]) for entry in entries if field in entry)
        ((value, times),) = held.most_common(1)
        if times > max(1, len(entries) / 2):
            found[field] = json.loads(value)
    return found


def _rounded(value: Leaf, published: bool) -> Leaf:
    if not isinstance(value, float):
        return value
    return float(f"{value:.11g}") if published else round(value, 6) + 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, metavar="REPORT.json")
    parser.add_argument("junit", type=Path, metavar="JUNIT.xml")
    parser.add_argument("--published", action="store_true", help="of the authors' scores")
    args = parser.parse_args()
    found = of_run(args.report, args.junit, published=args.published)
    print(written(found, published=args.published), end="")


if __name__ == "__main__":
    main()
