"""The typed document and its published schema say the same."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import pytest

from support.schema import SCHEMA
from valuebias.outcomes import Cause
from valuebias.report import document as typed

DEFINITIONS = {f"#/$defs/{name}": about for name, about in SCHEMA["$defs"].items()}
ANY = {"string", "number"}


def resolved(about: Mapping[str, Any]) -> Mapping[str, Any]:
    return DEFINITIONS[about["$ref"]] if "$ref" in about else about


def kinds(about: Mapping[str, Any]) -> set[str]:
    """The JSON types that a description allows."""
    if "enum" in about:
        return {"string"}
    if "const" in about:
        return {"integer" if isinstance(about["const"], int) else "string"}
    found = about["type"]
    return {found} if isinstance(found, str) else set(found)


def check(hint: Any, about: Mapping[str, Any], where: str) -> None:
    about = resolved(about)
    if get_origin(hint) is NotRequired:
        hint = get_args(hint)[0]
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    wanted: set[str] = set()
    literals: set[str] = set()
    for option in options:
        origin = get_origin(option)
        if option is type(None):
            wanted.add("null")
        elif origin is Literal:
            wanted.add("string")
            literals |= set(get_args(option))
        elif option is Cause:
            wanted.add("string")
            literals |= set(Cause)
        elif origin is list:
            wanted.add("array")
            if "items" in about and about["items"] is not False:
                check(get_args(option)[0], about["items"], f"{where}[]")
        elif origin is dict:
            wanted.add("object")
        elif is_typeddict(option):
            wanted.add("object")
            compare(option, about, where)
        else:
            wanted.add({bool: "boolean", int: "integer", float: "number", str: "string"}[option])
    assert wanted == kinds(about), where
    if "enum" in about:
        assert literals == set(about["enum"]), where


def compare(kind: Any, about: Mapping[str, Any], where: str) -> None:
    hints = get_type_hints(kind, include_extras=True)
    assert set(hints) == set(about["properties"]), where
    needed = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
    assert needed == set(about["required"]), where
    for name, hint in hints.items():
        check(hint, about["properties"][name], f"{where}.{name}")


def test_the_types_are_those_of_the_schema() -> None:
    compare(typed.Document, SCHEMA, "$")


def test_a_key_or_a_type_that_differs_is_found() -> None:
    class Setting(typed.Setting):
        more: str

    about = SCHEMA["properties"]["settings"]["items"]
    with pytest.raises(AssertionError):
        compare(Setting, about, "settings")
    with pytest.raises(AssertionError):
        check(str | None, {"type": "string"}, "x")
    with pytest.raises(AssertionError):
        check(Literal["a", "b"], {"enum": ["a"]}, "x")
