"""The document as JSON, as ``valuebias/report/schema.json`` describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from valuebias.report.document import Document


def text(document: Document) -> str:
    """Standard JSON: no NaN and no infinity, which other languages may not read."""
    return json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1) + "\n"
