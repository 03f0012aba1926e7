"""What matplotlib wrote, made fit for a page: small, self-contained, themed and well-formed.

Ids are the figure's own, styles that siblings share are said once, coordinates have a tenth of a
pixel, stand-in colours are CSS variables, and the placeholders of texts are the texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from xml.etree import ElementTree as ET

from valuebias.errors import visible
from valuebias.report.figures.style import STAND_INS

_SVG = "http://www.w3.org/2000/svg"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_DEFAULTS = {"text-anchor": "start", "font-size": "10.5px", "stroke": "none", "opacity": "1"}
_COMMAND = re.compile(r"([MLCQz])([^MLCQz]*)")
_REFERENCE = re.compile(r"#([\w-]+)")
_INHERITED = (
    "fill", "fill-opacity", "font-size", "font-weight", "stroke", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-opacity", "stroke-width",
    "text-anchor",
)  # fmt: skip
_FONT = re.compile(r"(?P<weight>bold|\d{3})?\s*(?P<size>[\d.]+px)")

Style = dict[str, str]


def finished(text: str, figure: str, title: str, description: str, texts: Mapping[str, str]) -> str:
    """The <svg> element for a page, of one that matplotlib wrote.

    ``figure`` is the id that all ids in it begin with; ``texts`` what to write in the place of
    each placeholder.
    """
    root = ET.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("metadata", "style", "clipPath")) or _unseen(child):
                parent.remove(child)
    view = root.get("viewBox", "0 0 1 1")
    _plain(root, texts)
    _name(root, figure)
    body: list[ET.Element] = []
    for child in root:
        body += _flat(child)
    top = ET.Element("svg", _frame(figure, view))
    for tag, words in (("title", title), ("desc", description)):
        ET.SubElement(top, tag, {"id": f"{figure}-{tag}"}).text = xml_text(words)
    top.extend(_hoisted(body))
    return ET.tostring(top, encoding="unicode", short_empty_elements=True)


def _unseen(element: ET.Element) -> bool:
    """A background that is not painted."""
    style = _style(element.get("style", ""))
    return element.tag.endswith("path") and style == {"fill": "none"}


def _frame(figure: str, view: str) -> dict[str, str]:
    width = _short(view.split()[2])
    return {
        "xmlns": _SVG,
        "id": f"{figure}-svg",
        "role": "img",
        "aria-labelledby": f"{figure}-title {figure}-desc",
        "viewBox": _NUMBER.sub(lambda n: _short(n.group()), view),
        "style": f"display:block;width:100%;max-width:{width}px;height:auto;"
        "font-family:system-ui,sans-serif;font-size:10.5px",
    }


def xml_text(text: str) -> str:
    """The text without characters that XML does not allow."""
    return visible(text)


def _plain(root: ET.Element, texts: Mapping[str, str]) -> None:
    """Tags without a namespace, rounded coordinates, styles in CSS variables, the real texts."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib.pop("clip-path", None)  # nothing is drawn outside its plot
        for name in list(element.attrib):
            value = element.attrib.pop(name)
            name = name.rpartition("}")[2]
            if name == "style":
                element.set("style", _written(_style(value)))
            elif (
                name == "id"
                or not re.fullmatch(r"version|width|height|space", name)
                or (element.tag in ("rect", "pattern") and name in ("width", "height"))
            ):
                if name == "d":
                    fine = element.tag == "path" and "id" in element.attrib  # a marker
                    element.set(name, _path(value, 2 if fine else 1))
                else:
                    element.set(name, _rounded(value, 1))
        if re.match(r"rotate\(-?0 ", element.get("transform", "")):
            del element.attrib["transform"]
        element.tail = None
        if element.tag == "text":
            known = texts.get(element.text or "")
            element.text = xml_text(known if known is not None else element.text or "")
        elif element.text and not element.text.strip():
            element.text = None


def _path(value: str, digits: int) -> str:
    """A path rounded, its level and upright lines by the one coordinate that changes."""
    parts: list[str] = []
    x = y = ""
    for command, rest in _COMMAND.findall(value):
        numbers = [_short(n, digits) for n in rest.split()]
        if command == "L" and numbers == [x, y]:
            parts.append("h0")
        elif command == "L" and y == numbers[1]:
            parts.append(f"H{numbers[0]}")
        elif command == "L" and x == numbers[0]:
            parts.append(f"V{numbers[1]}")
        else:
            parts.append(command + " ".join(numbers).replace(" -", "-"))
        if numbers:
            x, y = numbers[-2:]
    return "".join(parts)


def _rounded(value: str, digits: int) -> str:
    return _NUMBER.sub(lambda n: _short(n.group(), digits), value)


def _short(number: str, digits: int = 1) -> str:
    text = f"{float(number):.{digits}f}".rstrip("0").rstrip(".") if "." in number else number
    return "0" if text in ("-0", "") else text


def _style(text: str) -> Style:
    style: Style = {}
    for part in text.split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name == "font":
            match = _FONT.search(value)
            if match is not None:
                style["font-size"] = match["size"]
                if match["weight"]:
                    style["font-weight"] = match["weight"]
        elif name and name != "font-family" and _DEFAULTS.get(name) != value:
            style[name] = STAND_INS.get(value, value)
    return {k: _rounded(v, 2) for k, v in style.items()}


def _written(style: Style) -> str:
    return ";".join(f"{name}:{value}" for name, value in sorted(style.items()))


def _parsed(element: ET.Element) -> Style:
    parts = (part.partition(":") for part in element.get("style", "").split(";") if part)
    return {name: value for name, _, value in parts}


def _name(root: ET.Element, figure: str) -> None:
    """Ids that something refers to are numbered, the figure's id before them; others go, and what
    a drawing called a part is a data-part."""
    used: dict[str, str] = {}
    for element in root.iter():
        for name in ("href", "style"):
            for old in _REFERENCE.findall(element.get(name, "")):
                if name == "href" or f"url(#{old})" in element.get(name, ""):
                    used.setdefault(old, f"{figure}-i{len(used)}")
    for element in root.iter():
        old = element.attrib.pop("id", "")
        if old in used:
            element.set("id", used[old])
        elif old.startswith("part:"):
            element.set("data-part", old.removeprefix("part:"))
        for name in ("href", "style"):
            value = element.get(name)
            if value is not None and "#" in value:
                element.set(name, _REFERENCE.sub(lambda m: f"#{used.get(m[1], m[1])}", value))


def _flat(element: ET.Element) -> list[ET.Element]:
    """The element, empty groups replaced by their children."""
    children: list[ET.Element] = []
    for child in list(element):
        children += _flat(child)
        element.remove(child)
    if element.tag in ("g", "defs") and not children:
        return []
    element.extend(_hoisted(children) if element.tag == "g" else children)
    if element.tag == "g" and (not element.attrib or len(element) == 1 == len(element.attrib) == 0):
        return list(element)
    return [element]


def _hoisted(elements: Iterable[ET.Element]) -> list[ET.Element]:
    """Runs of siblings with one style in a group that says it once."""
    hoisted: list[ET.Element] = []
    for style, run in groupby(_sorted(elements), key=lambda e: e.get("style", "")):
        members = list(run)
        shared = {k: v for k, v in _parsed(members[0]).items() if k in _INHERITED} if style else {}
        if len(members) < 2 or not shared or any(m.tag == "defs" for m in members):
            hoisted += members
            continue
        group = ET.Element("g", {"style": _written(shared)})
        for member in members:
            own = {k: v for k, v in _parsed(member).items() if k not in shared}
            member.attrib.pop("style")
            if own:
                member.set("style", _written(own))
            group.append(member)
        hoisted.append(group)
    return hoisted


def _sorted(elements: Iterable[ET.Element]) -> Iterator[ET.Element]:
    """The elements, texts beside one another by their style: they do not overlap."""
    for is_text, run in groupby(elements, key=lambda e: e.tag == "text"):
        if is_text:
            yield from sorted(run, key=lambda e: e.get("style", ""))
        else:
            yield from run
