"""Judge templates: how a language model is asked what it thinks of an answer, read from YAML."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import yaml

from valuebias.errors import SpecError
from valuebias.yaml_nodes import YamlFile

Mode = Literal["expected", "log-odds"]
"""What a judge's number is: the expected value of its rating, or the natural logarithm of the odds
of the better ratings against the worse."""

DEFAULT = "rating"
"""The shipped template."""

_MODES: tuple[Mode, ...] = get_args(Mode)
_REQUIRED = ("mode", "text", "ratings")
_KEYS = (*_REQUIRED, "system")
_QUESTION, _ANSWER = "{question}", "{answer}"


@dataclass(frozen=True)
class JudgeTemplate:
    """What a judge is shown, and what its ratings count.

    ``text`` is what stands before the question, between it and the answer, and after the answer;
    ``system`` the turn before it, empty for none. ``ratings`` are the texts that it may answer
    with, each with its value; higher is better.
    """

    name: str
    mode: Mode
    text: tuple[str, str, str]
    ratings: tuple[tuple[str, float], ...]
    system: str = ""

    def filled(self, question: str, answer: str) -> str:
        """The text of one question and answer, each as it is, whatever braces it has."""
        before, between, after = self.text
        return f"{before}{question}{between}{answer}{after}"

    @property
    def best(self) -> float:
        """The highest value."""
        return max(value for _, value in self.ratings)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides a judge's numbers; the name does not."""
        content = [self.mode, self.text, sorted(self.ratings), self.system]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def shipped_judges() -> tuple[str, ...]:
    """The names of the templates that are shipped."""
    folder = files("valuebias.declarations") / "judges"
    return tuple(sorted(Path(each.name).stem for each in folder.iterdir()))


def judge_template(given: str) -> JudgeTemplate:
    """A shipped template by its name, or that of a YAML file, called as the file is.

    A file has the keys ``mode`` (expected: the mean of the ratings' values, by their
    probabilities; log-odds: the natural logarithm of the odds of the better against the worse, of
    two values), ``text`` (what the judge is shown, with {question} and after it {answer}) and
    ``ratings`` (each text that it may answer with, and its value), and may have ``system`` (a
    system turn). Raises SpecError for neither a name nor a file, and, naming file and line, for a
    file that cannot be used.
    """
    if given in shipped_judges():
        return _read(Path(str(files("valuebias.declarations") / "judges" / f"{given}.yaml")))
    path = Path(given).expanduser()
    if not os.path.isfile(path):
        raise SpecError(
            "neither the name of a judge template nor a file",
            seen=given,
            remedy=f"Give {', '.join(shipped_judges())}, or a YAML file.",
        )
    return _read(path)


def _read(path: Path) -> JudgeTemplate:
    file = YamlFile.read(path, "the judge template", SpecError)
    top = file.mapping(file.root, "the file")
    for key, (node, _) in top.items():
        if key not in _KEYS:
            raise file.fail(node, "unknown key", f"Use {', '.join(_KEYS)}.", key)
    for key in _REQUIRED:
        if key not in top:
            raise file.fail(file.root, f"no `{key}`", f"Give `{key}: ...`.")
    mode = file.text(top["mode"][1], "`mode`")
    if mode not in _MODES:
        raise file.fail(top["mode"][1], "unknown mode", f"Give {' or '.join(_MODES)}.", mode)
    return JudgeTemplate(
        path.stem,
        mode,
        _text(file, top["text"][1]),
        _ratings(file, top["ratings"][1], mode),
        _system(file, top["system"][1]) if "system" in top else "",
    )


def _text(file: YamlFile, node: yaml.Node) -> tuple[str, str, str]:
    text = file.text(node, "`text`")
    for place in (_QUESTION, _ANSWER):
        if text.count(place) != 1:
            raise file.fail(
                node, f"`text` must contain {place} once", f"Write {place} where it belongs.", text
            )
    before, _, rest = text.partition(_QUESTION)
    between, answered, after = rest.partition(_ANSWER)
    if not answered:
        raise file.fail(
            node,
            f"{_ANSWER} comes before {_QUESTION}",
            "Put the question first: the answers to one question then share it.",
            text,
        )
    return before, between, after


def _system(file: YamlFile, node: yaml.Node) -> str:
    text = file.text(node, "`system`")
    if not text.strip():
        raise file.fail(node, "`system` is empty", "Leave it out.")
    if _QUESTION in text or _ANSWER in text:
        raise file.fail(
            node, "`system` is the same for every question", f"Put {_QUESTION} into `text`.", text
        )
    return text


def _ratings(file: YamlFile, node: yaml.Node, mode: Mode) -> tuple[tuple[str, float], ...]:
    ratings = []
    for text, (key, value) in file.mapping(node, "`ratings`").items():
        if not text.strip():
            raise file.fail(key, "a rating is empty", "Give the text of each rating.", repr(text))
        number = file.number(value, f"the value of {text}", "Give 1 or 0.5.")
        ratings.append((text, number))
    values = {value for _, value in ratings}
    if mode == "log-odds" and len(values) != 2:
        raise file.fail(
            node,
            "log-odds need two values, one for the better ratings and one for the worse",
            "Give for example {yes: 1, no: 0}.",
            ", ".join(f"{value:g}" for value in sorted(values)),
        )
    if len(values) < 2:
        raise file.fail(
            node, "ratings of one value tell no answers apart", "Give two values or more."
        )
    return tuple(ratings)
