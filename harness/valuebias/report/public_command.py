"""The command that made a report, as a public card shows it: which models and settings, and not
where their files lie or what else was on the line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator

_MODELS = ("--rm", "--llm", "--base", "--policy", "--human", "--reference")
_OURS = "--valuebias-"
FLAGS = frozenset(
    f"{_OURS}{name}" for name in ("update-baseline", "renew-anchor", "offline", "require-model")
)
"""Options of ours that have no value."""
TEXTS = frozenset(f"{_OURS}{name}" for name in ("matrix", "answer-cue"))
"""Options of ours whose value is a text, in which a slash is not part of a path."""

_NAMED = re.compile(r"([^\s/\\:@=\[\]]+=)(.*)", re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][\w+.-]+):(.*)", re.DOTALL)  # two letters: not C:\


def public(command: str, labels: Collection[str]) -> str:
    """The options that say what was measured, with the last part alone of every path.

    ``labels`` are what the report calls its models. Only a hub id has a slash in its label, so
    anything else with a slash may be a path, and is shown as one.
    """
    try:
        words = shlex.split(command)
    except ValueError:  # cut by hand
        words = []
    return shlex.join(["pytest", *_shown(words[1:], labels)])


def _shown(words: list[str], labels: Collection[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word == "--":
            return
        name, equals, value = word.partition("=")
        if name not in _MODELS and not name.startswith(_OURS):
            continue
        if name in FLAGS:
            yield name
        elif equals:
            yield f"{name}={_value(name, value, labels)}"
        else:
            yield f"{name}={_value(name, next(rest, ''), labels)}"


def _value(name: str, value: str, labels: Collection[str]) -> str:
    return value if name in TEXTS else _spec(value.strip(), labels)


def _spec(text: str, labels: Collection[str]) -> str:
    """``NAME=``, the scheme, and of a path its last part."""
    if named := _NAMED.fullmatch(text):
        return named[1] + _spec(named[2], labels)
    if scheme := _SCHEME.fullmatch(text):
        parts = scheme[2].split(",") if scheme[1] in ("dpo", "judge") else [scheme[2]]
        return f"{scheme[1]}:{','.join(_spec(part.strip(), labels) for part in parts)}"
    if any(text in label for label in labels):
        return text
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1]
