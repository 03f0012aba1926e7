"""A model card on disk: our block and our results in it, and everything else unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from valuebias.errors import ReportError
from valuebias.files import write_whole
from valuebias.report.card import BEGIN, DATASET, END, Card

_KEY = "model-index"
_FRONT = re.compile(r"\A(\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|\Z))")
"""The hub's own idea of front matter; ours also knows an empty one."""
_LIKE = re.compile(r"\A\s*---[^\S\r\n]*[\r\n](?:[\S\s]*?[\r\n])?---[^\S\r\n]*(?:[\r\n]|\Z)")
"""What a reader takes for front matter, whether the hub does or not."""
_EMPTY = re.compile(r"\A(\s*---(?:\r\n|\r|\n))()(---[ \t]*(?:\r\n|\n|\Z))")


def read(path: Path) -> str:
    """The card as it stands, line ends included; empty where there is none."""
    if not path.is_file():  # none yet, or a pipe, which has no old text to keep
        return ""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ReportError(
            "the card is not UTF-8", seen=path, remedy="Save it as UTF-8, or give another --out."
        ) from None


def write(path: Path, text: str) -> None:
    """Replace the card by this text, whole or not at all."""
    try:
        write_whole(path, text.encode("utf-8"))
    except OSError as error:
        raise ReportError(
            f"the card cannot be written: {error.strerror or error}",
            seen=path,
            remedy="Give --out a file that you can write to, on a disk with free space.",
        ) from None


def merged(text: str, card: Card) -> str:
    """A card's text with our block in it, in place of the last one or at its end, and our results
    in the model-index of its front matter, beside those of others.

    Nothing else changes, line ends included. Raises ReportError if that is not possible.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    newline = "\r\n" if "\r\n" in text else "\n"
    match = _EMPTY.match(text) or _FRONT.match(text)
    if match is None and _LIKE.match(text):
        raise _unusable(
            "the hub would not find it: its first line is not exactly ---, or its line ends are "
            "unusual"
        )
    begin, front, end = match.groups() if match else (f"---{newline}", "", f"{newline}---{newline}")
    body = text[match.end() :] if match else text
    if match and not front:
        end = f"{newline}{end}"
    block = card.block.replace("\n", newline)
    new_text = f"{mark}{begin}{_front(front, card, newline)}{end}{_body(body, block, newline)}"
    _check(new_text, front, card)
    return new_text


def _body(body: str, block: str, newline: str) -> str:
    begins, ends = body.count(BEGIN), body.count(END)
    if not begins and not ends:
        apart = newline if body.endswith(("\n", "\r")) or not body else 2 * newline
        return f"{body}{apart}{block}"
    if (begins, ends) != (1, 1) or body.index(END) < body.index(BEGIN):
        raise ReportError(
            "the card does not contain exactly one block of ours",
            seen=f"{begins} times {BEGIN}, {ends} times {END}",
            remedy="Remove these lines and everything between them; the block is then added again.",
        )
    before, _, rest = body.partition(BEGIN)
    return f"{before}{block.rstrip()}{rest.partition(END)[2]}"


def _front(front: str, card: Card, newline: str) -> str:
    """The front matter with our results; the text of every other key is unchanged."""
    start, stop, index = _index(front)
    written = yaml.safe_dump(
        {_KEY: _with_ours(index, card)}, sort_keys=False, allow_unicode=True, line_break=newline
    ).rstrip()
    before, after = front[:start].rstrip("\r\n"), front[stop:].strip("\r\n")
    return newline.join(part for part in (before, written, after) if part)


def _index(front: str) -> tuple[int, int, Any]:
    """Where the model-index stands in the front matter (its end where there is none), and what it
    holds."""
    try:
        node = yaml.compose(front, Loader=yaml.SafeLoader)
        value = yaml.safe_load(front)
    except yaml.YAMLError as error:
        raise _unusable(f"it is not YAML: {error}") from None
    if node is None:
        return len(front), len(front), None
    if not isinstance(node, yaml.MappingNode) or not isinstance(value, dict):
        raise _unusable("it is not a mapping of keys")
    if node.flow_style:
        raise _unusable("it is written in braces")
    entries = [(key, held) for key, held in node.value if key.value == _KEY]
    if not entries:
        return len(front), len(front), None
    if len(entries) > 1:
        raise _unusable(f"it has {_KEY} twice")
    (key, held) = entries[0]
    start, stop = key.start_mark.index, held.end_mark.index
    # A block ends where the next key begins; comments in between are the user's.
    lines = front[start:stop].splitlines(keepends=True)
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].startswith("#")):
        stop -= len(lines.pop())
    return start, stop, value[_KEY]


def _with_ours(index: Any, card: Card) -> list[dict[str, Any]]:
    """The model-index with our results in place of our last ones; those of others stay."""
    from huggingface_hub.repocard_data import eval_results_to_model_index

    ours = eval_results_to_model_index(card.label, list(card.results))
    if not index:
        return ours
    entries = []
    for entry in index if isinstance(index, list) else [index]:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("results"), list):
            raise _unusable(f"its {_KEY} is not a list of names and results")
        others = [result for result in entry["results"] if not _is_ours(result)]
        entries.append({**entry, "results": others})
    entries[0]["results"] += ours[0]["results"]
    return [entry for entry in entries if entry["results"]]


def _is_ours(result: Any) -> bool:
    dataset = result.get("dataset") if isinstance(result, Mapping) else None
    kind = dataset.get("type") if isinstance(dataset, Mapping) else None
    return isinstance(kind, str) and kind.startswith(DATASET)


def _check(text: str, front: str, card: Card) -> None:
    """Read the card back as the hub does: our results are there, and no other key has changed."""
    from huggingface_hub import ModelCard

    try:
        metadata = ModelCard(text.removeprefix("\ufeff")).data
    except (ValueError, yaml.YAMLError) as error:
        raise _unusable(f"the hub could not read it: {error}") from None
    results: Sequence[Any] = metadata.get("eval_results", [])
    if not all(result in results for result in card.results):
        raise _unusable("our results could not be added to it")
    match = _FRONT.match(text.removeprefix("\ufeff"))
    after = yaml.safe_load(match[2]) if match else None
    before = yaml.safe_load(front) or {}
    if not isinstance(after, dict) or {**before, _KEY: after.get(_KEY)} != after:
        raise _unusable("another key would have changed")


def _unusable(why: str) -> ReportError:
    return ReportError(
        f"the card's front matter cannot be added to: {why}",
        remedy="Fix the part between the --- lines, or give another --out and copy the card.",
    )
