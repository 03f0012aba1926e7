"""What a model's files say of repairs: a lexicon it was fitted to is no independent evidence of it.

A repair writes its certificate into the model's folder, and the same fact into config.json, so that
it travels where the certificate is left behind. Imports nothing heavy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from valuebias.errors import ModelError
from valuebias.models.files import CERTIFICATE, ModelFiles, read_json

KEY = "valuebias_repaired"
"""The key of config.json and of the certificate: a list of what was repaired."""
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class RepairedOn:
    """A lexicon (its name and digest) and the contrast that a head was fitted to."""

    lexicon: str
    sha256: str
    contrast: str

    def entry(self) -> dict[str, str]:
        return asdict(self)


def repairs_of(files: ModelFiles) -> tuple[RepairedOn, ...]:
    """Every repair that config.json or the certificate beside it tells of. Raises ModelError where
    either holds something else under that key."""
    told = []
    if (files.model / "config.json").is_file():  # a GGUF file has none, and no repair writes one
        told += _entries(files.config, "config.json")
    for folder in filter(None, (files.model, files.adapter)):
        if (folder / CERTIFICATE).is_file():
            told += _entries(read_json(folder / CERTIFICATE), CERTIFICATE)
    return tuple(dict.fromkeys(told))


def _entries(content: Mapping[str, Any], where: str) -> list[RepairedOn]:
    given = content.get(KEY, [])
    try:
        found = [RepairedOn(**each) for each in given]
        sound = isinstance(given, list) and all(
            isinstance(each.lexicon, str) and isinstance(each.contrast, str)
            and _DIGEST.fullmatch(each.sha256) for each in found
        )  # fmt: skip
    except TypeError:
        sound = False
    if not sound:
        raise ModelError(
            f"{where} does not say which lexicon the model was repaired on",
            seen=given,
            remedy=f"Restore its `{KEY}`, as `valuebias repair` wrote it.",
        )
    return found


def told(repairs: tuple[RepairedOn, ...]) -> str:
    """What the provenance of scores says of them; empty without any."""
    return "; ".join(f"{one.lexicon} sha256:{one.sha256} {one.contrast}" for one in repairs)
