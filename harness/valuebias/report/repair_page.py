"""The page of a repair: its certificate for people, one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from valuebias.report.html import hash_of, part, template


def repair_page(certificate: Mapping[str, Any]) -> str:
    """The whole page of a certificate (`repair.certificate`); the same gives the same text."""
    from markupsafe import Markup

    style = part("page.css")
    return template("repair.html.j2").render(
        of=certificate, style=Markup(style), style_hash=hash_of(style)
    )
