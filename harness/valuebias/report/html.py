"""The document as one HTML page that needs nothing else: no network, no other file, no storage.

The template is ``page/page.html.j2``, which includes the others there; style and script are written
into it, and the page's own
Content-Security-Policy lets those two run and nothing besides.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from valuebias.errors import visible
from valuebias.format import bracketed, margin, p_text, percent, signed, token, unsigned
from valuebias.report import category_ranks, figures, first_tokens, forecasts, view
from valuebias.report.wording import above_zero, of_step, path_of, prompts_of

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

    from valuebias.report.document import Document
from valuebias.report.margin_words import ONE_OF_TEN, origin

_SCALE = 1.2  # figures, where there is room for them: their labels are then as large as our notes
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def page(document: Document) -> str:
    """The whole page. The same document gives the same text."""
    from markupsafe import Markup

    style, script = _part("page.css"), _part("page.js")
    lexicons = view.lexicons(document)
    drawn = {name: figures.of_lexicon(document, name) for name in (x.name for x in lexicons)}
    return _template().render(
        document=document,
        run=view.run(document),
        subjects=view.subjects(document),
        lexicons=lexicons,
        category_ranks=document.get("category_ranks", []),
        first_tokens=document.get("first_tokens", []),
        figures=drawn,
        matrix_figures=figures.matrices(document),
        words={words["lexicon"]: words for words in document["words"]},
        tokens=view.tokens(document),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


@cache
def _part(name: str) -> str:
    return (files("valuebias.report") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _template() -> jinja2.Template:
    import jinja2

    env = jinja2.Environment(
        loader=jinja2.PackageLoader("valuebias.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    env.filters |= {
        "signed": signed,
        "spaced": token,
        "p": p_text,
        "unbroken": lambda text: max(map(len, re.split(r"[\s-]+", text))),
        "unsigned": unsigned,
        "above_zero": above_zero,
        "of_step": of_step,
        "about": category_ranks.about,
        "key": category_ranks.key,
        "columns": category_ranks.columns,
        "steps": category_ranks.steps,
        "ends": category_ranks.ends,
        "about_tokens": first_tokens.about,
        "named": first_tokens.named,
        "percent": percent,
        "token_rows": first_tokens.rows,
        "asked": forecasts.asked,
        "said": forecasts.said,
        "path_of": path_of,
        "prompts_of": prompts_of,
        "curve": figures.curve,
        "strip": lambda record, reach: _svg(figures.strip(record, reach)),
        "attributes": _attributes,
        "data": _data,
        "svg": _svg,
        "hundreds": lambda px: min(max(-(-px // 100), 3), 12) * 100,
    }
    env.globals |= {
        "bracketed": bracketed,
        "marks": view.MARKS,
        "how_first_tokens": first_tokens.HOW,
        "margin": margin,
        "origin": origin,
        "one_of_ten": ONE_OF_TEN,
    }
    return env.get_template("page.html.j2")


def _shown(value: object) -> object:
    """Make control characters visible again, whatever made the document."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "\n".join(map(visible, value.split("\n")))


def _attributes(entry: Mapping[str, Any]) -> Markup:
    """Every number of a record, in full, and what it belongs to, as ``data-*`` attributes."""
    from markupsafe import Markup, escape

    return Markup(" ").join(
        Markup('data-{}="{}"').format(name.replace("_", "-"), escape(_shown(_plain(value))))
        for name, value in entry.items()
        if value is not None
    )


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _data(value: object) -> Markup:
    """JSON for a <script> element: nothing in it can end the element or begin a comment."""
    from markupsafe import Markup

    text = json.dumps(_all_shown(value), separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_ESCAPES))


def _all_shown(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _all_shown(x) for key, x in value.items()}
    return [_all_shown(x) for x in value] if isinstance(value, list | tuple) else _shown(value)


def _svg(text: str) -> Markup:
    """A figure as it was drawn; its strings were escaped there.

    Its styles become attributes of the same names, because the page's policy does not allow style
    attributes.
    """
    from markupsafe import Markup

    head, bracket, rest = text.partition(">")
    width = re.search(r'viewBox="\S+ \S+ (\S+) ', head)
    larger = f' width="{_SCALE * float(width[1]):.0f}"' if width else ""
    head = re.sub(r' style="[^"]*"', "", head) + larger
    return Markup(head + bracket + re.sub(r'(?<= )style="([^"]*)"', _presented, rest))


def _presented(style: re.Match[str]) -> str:
    pairs = (part.partition(":") for part in style[1].split(";") if part)
    return " ".join(f'{name.strip()}="{value.strip()}"' for name, _, value in pairs)
