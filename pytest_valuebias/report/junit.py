"""Suite-level properties of JUnit XML: what the whole run rests on. A test's own are `record`'s."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_valuebias.report.document import Document


def add_properties(config: pytest.Config, document: Document) -> None:
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


def _properties(document: Document) -> Iterator[tuple[str, str]]:
    for name in ("tool", "profile", "outcome", "headline", "command", "created", "not_run"):
        yield name, str(document[name])
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
        for name in ("fingerprint", "reference_fingerprint", "template", "dtype", "device", "base"):
            if subject.get(name):
                yield f"model.{number}.{name}", str(subject[name])
