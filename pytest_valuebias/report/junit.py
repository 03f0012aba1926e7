"""Suite-level properties of JUnit XML: what the whole run rests on. A test's own are `record`'s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from valuebias.report.document import Outline


_OF_MODELS = ("fingerprint", "reference_fingerprint", "template", "dtype", "device", "base")


def add_properties(config: pytest.Config, document: Outline) -> None:
    """Add them to the file that ``--junitxml`` writes, if any.

    On the controller, where the file is written: the fixture ``record_testsuite_property`` loses
    them under xdist.
    """
    try:
        from _pytest.junitxml import xml_key
    except ImportError:  # it is private to pytest
        return
    xml = config.stash.get(xml_key, None)
    if xml is not None:
        for name, value in _properties(document):
            xml.add_global_property(f"valuebias.{name}", value)


def _properties(document: Outline) -> Iterator[tuple[str, str]]:
    held: Mapping[str, object] = document
    for name in ("tool", "profile", "outcome", "headline", "command", "created", "not_run"):
        yield name, str(held[name])
    yield "complete", str(document["complete"]).lower()
    for name, version in document["versions"].items():
        yield f"version.{name}", version
    for setting in document["settings"]:
        yield f"setting.{setting['name']}", setting["value"]
    for lexicon in document["lexicons"]:
        words = f"{lexicon['words']} words"
        starter = ", starter, not validated" if lexicon["starter"] else ""
        yield f"lexicon.{lexicon['name']}", f"sha256:{lexicon['sha256']}, {words}{starter}"
    for number, subject in enumerate(document["subjects"], 1):
        yield f"model.{number}", subject["title"]
        for name, value in subject.items():
            if name in _OF_MODELS and value:
                yield f"model.{number}.{name}", str(value)
