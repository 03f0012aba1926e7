"""The published schema of reports, and the strict form in which nothing undescribed may be."""

from __future__ import annotations

import json
from copy import deepcopy
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA: dict[str, Any] = json.loads(
    files("valuebias.report").joinpath("schema.json").read_text(encoding="utf-8")
)


def closed(schema: Any) -> Any:
    """The same schema, in which an object has no key but those described."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "object" in schema.get("type", ()):
        found.setdefault("additionalProperties", False)
    return found


STRICT = Draft202012Validator(closed(deepcopy(SCHEMA)))


def problems(document: Any) -> list[str]:
    """What in a report is not as described."""
    return [f"{e.json_path}: {e.message[:200]}" for e in STRICT.iter_errors(document)]
