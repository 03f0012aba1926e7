"""Messages that a table holds as text: JSON is read, Python's own writing of them is refused.

A CSV file, or a data frame's column of objects, keeps lists of messages as texts. A model trained
on such a text would learn to write brackets and quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from valuebias.errors import TrainingError

_OPENS = re.compile(  # brackets, perhaps a class's name, and the first key
    r"""["'\\\s]*(?:\w+\(|[\[({])[\s\[({]*(?:\w+\(\s*)?[\s\[({]*(?:\\*["']\w+\\*["']\s*[:,]|\w+=)"""
)
_SPEAKS = re.compile(
    r"""\b(?:role|from)\\*["']?\s*[:=,]\s*\\*["'](?:system|developer|user|human|prompter|assistant"""
    r"""|gpt|chatgpt|bot|model|ai|tool|function)\\*["']|\b(?:System|Human|AI)Message\(""",
    re.IGNORECASE,
)
_SAYS = re.compile(r"""\b(?:content|value)\\*["']?\s*[:=,]""")
_WRAPPERS = ("messages", "conversation", "conversations")


def messages(value: Any, name: str, where: str) -> Any:
    """The messages that a text holds as JSON; any other value as it is.

    Raises TrainingError, naming ``where`` and the field, on a text that is messages in any other
    writing: Python's or numpy's repr, or JSON that was cut off.
    """
    if not isinstance(value, str) or not _is_serialised(value):
        return value
    try:
        read = json.loads(value)
        if isinstance(read, str):  # written as JSON twice
            read = json.loads(read)
    except (ValueError, RecursionError):
        raise TrainingError(
            f"{where}: `{name}` is a text that holds messages, but not as JSON",
            seen=value,
            remedy="Write messages as lists of objects, or as text with json.dumps, not with str "
            "or repr; a spreadsheet cuts long cells.",
        ) from None
    if isinstance(read, Mapping):
        read = next((read[key] for key in _WRAPPERS if key in read), [read])
    return read


def _is_serialised(text: str) -> bool:
    """Whether a text begins as a list or object does and has a speaker and what they say. Code and
    data in an answer have no speakers."""
    start = text.lstrip()[:200]
    return bool(_OPENS.match(start) and _SPEAKS.search(text) and _SAYS.search(text))
