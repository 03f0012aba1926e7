"""Reading lexicons from the formats in use: LIWC's .dic, .dicx, CSV and YAML.

Whatever the format, a word such as null, NA, nan or true stays a word.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import as_file, files
from itertools import takewhile
from pathlib import Path

from valuebias.errors import LexiconError, visible
from valuebias.files import decoded
from valuebias.lexicons.builder import Builder
from valuebias.lexicons.lexicon import Lexicon, normal_contrast
from valuebias.yaml_nodes import YamlFile

_WORD_HEADERS = ("word", "words", "term", "dicterm", "entry", "token", "token_decoded", "response")
_CATEGORY_HEADERS = ("category", "categories", "foundation")
_CELL = re.compile(r"\([^()]*\)\S*|\S+")  # LIWC's "(02 134)125/464" is one cell
_ID = re.compile(
    r"(?P<condition>\([0-9 ]+\)|<[^<>]+>)[0-9]+(?:/(?P<otherwise>[0-9]+))?|(?P<id>[0-9]+)"
)
_MARKS = ("x", "1")
_NO_MARKS = ("", "na", "0")
_YAML_TEXTS = ("name", "title", "version", "licence", "note", "source", "starter")


STARTERS = ("big_two", "mfd2")


@cache
def starter(name: str) -> Lexicon:
    """A shipped starter lexicon: "big_two" or "mfd2"."""
    if name not in STARTERS:
        raise LexiconError(
            "unknown starter lexicon", seen=name, remedy=f"Give one of {', '.join(STARTERS)}."
        )
    with as_file(files("valuebias.lexicons") / "shipped" / f"{name}.yaml") as path:
        return load_lexicon(name, path)


def load_lexicon(name: str, path: Path) -> Lexicon:
    """Read a lexicon from a .dic, .dicx, .csv, .tsv, .yaml or .yml file; errors are LexiconErrors
    that name file and line."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise LexiconError(
            f"{path} is not a supported lexicon file",
            seen=path.suffix or "no suffix",
            remedy=f"Give one of {', '.join(READERS)}.",
        )
    try:
        data = path.read_bytes()
    except OSError as e:
        raise LexiconError(
            f"cannot read the lexicon {path}", seen=e.strerror, remedy="Give a readable file."
        ) from None
    text = decoded(data, str(path), LexiconError)
    if not text.strip():
        raise LexiconError(f"{path} is empty", remedy="Give a file with words.")
    builder = Builder(name, path)
    reader(builder, text)
    return builder.lexicon()


def _read_dic(builder: Builder, text: str) -> None:
    """LIWC 2007: categories as `id name` lines between two lines that hold `%`, then a line a word
    with the ids of its categories.

    An id may depend on the word's neighbours in a text: `<of>131/125` is 131 before "of",
    `(02 134)125/464` is 125 after a word of category 2 or 134, and what follows the slash is the id
    elsewhere. A response is one word without neighbours: only the latter counts.
    """
    lines = [(n, line.strip()) for n, line in enumerate(io.StringIO(text, newline=None), 1)]
    lines = [(n, line) for n, line in lines if line]
    marks = [i for i, (_, line) in enumerate(lines) if line == "%"]
    if len(marks) < 2 or marks[0] != 0:
        raise builder.fail(
            lines[0][0],
            "a .dic file must begin with its categories, between two lines with only %",
            "Add the two lines.",
            lines[0][1],
        )
    ids: dict[str, str] = {}  # by number without leading zeros
    for n, line in lines[1 : marks[1]]:
        number, _, category = line.replace("\t", " ").partition(" ")
        if not _is_number(number) or not category.strip():
            raise builder.fail(n, "not a category", "Write its number, a tab and its name.", line)
        if number.lstrip("0") in ids:
            raise builder.fail(
                n, "duplicate category number", "Give each category its own number.", number
            )
        # LIWC 2015 writes a description behind the name: "function (Function Words)".
        ids[number.lstrip("0")] = builder.declare(n, category.partition(" (")[0])
    for n, line in lines[marks[1] + 1 :]:
        if "\t" in line:  # it ends the word, so that a phrase may end in a number
            written, _, tail = line.partition("\t")
            cells = _CELL.findall(tail)
        else:
            cells = _CELL.findall(line)
            count = sum(1 for _ in takewhile(_ID.fullmatch, reversed(cells[1:])))
            written = " ".join(cells[: len(cells) - count])
            cells = cells[len(cells) - count :]
        matches = [match for cell in cells if (match := _ID.fullmatch(cell))]
        if not written or not cells or len(matches) < len(cells):
            raise builder.fail(
                n, "not a word and its categories", "Write the word, a tab and numbers.", line
            )
        word = builder.entry(n, written)
        conditional = any(match["condition"] for match in matches)
        alone = []
        for match in matches:
            number = match["otherwise"] if match["condition"] else match["id"]
            if number is None:
                continue
            if number.lstrip("0") in ids:
                alone.append(ids[number.lstrip("0")])
                builder.add(alone[-1], word)
            elif not conditional:  # such a line is LIWC's own, and may have lost its categories
                raise builder.fail(n, f"no category {number} was declared", "Declare it.", line)
        if conditional:
            builder.notes.append(
                f"line {n}: '{word}' ({' '.join(cells)}) was read as without neighbours: in "
                + (", ".join(alone) or "no category")
            )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _read_table(builder: Builder, text: str) -> None:
    """CSV with a header: a row a word with a column that names its category, or a column for each
    category with an X where the word belongs to it (.dicx); if wanted, a column `family` and a
    column `facet`, whose empty cells stand for no facet."""
    rows = _rows(builder, text)
    n, header = next(rows)
    names = [cell.strip().lower() for cell in header]
    again = [name for name, count in Counter(names).items() if count > 1]
    if again:
        raise builder.fail(n, "two columns have the same name", "Rename one of them.", again[0])
    word_at = next((names.index(h) for h in _WORD_HEADERS if h in names), None)
    category_at = next((names.index(h) for h in _CATEGORY_HEADERS if h in names), None)
    family_at, facet_at = (names.index(h) if h in names else None for h in ("family", "facet"))
    own = (word_at, category_at, family_at, facet_at)
    if word_at is None:
        raise builder.fail(
            n, "no column of words", f"Name it one of {', '.join(_WORD_HEADERS)}.", ",".join(header)
        )
    columns: dict[int, str] = {}
    if category_at is None:
        others = [i for i in range(len(names)) if i not in own and names[i]]
        columns = {i: builder.declare(n, header[i]) for i in others}
        if not columns:
            raise builder.fail(n, "no column of categories", "Add a column named category.")
    else:
        unread = [h for i, h in enumerate(header) if i not in own]
        if any(unread):
            builder.notes.append(f"columns not read: {visible(', '.join(filter(None, unread)))}")
    for n, row in rows:
        if len(row) != len(header):
            raise builder.fail(
                n, f"{len(row)} cells where the header has {len(header)}", "Fix the row.", row
            )
        word = builder.entry(n, row[word_at])
        if category_at is not None:
            # R writes a missing value as NA: it is not a category.
            if row[category_at].strip().lower() in ("", "na", "nan", "null", "none"):
                raise builder.fail(
                    n, "a word has no category", "Give one, or remove the row.", word
                )
            builder.add(builder.category(n, row[category_at]), word)
        elif all(row[i].strip().lower() in _NO_MARKS for i in columns):
            builder.unplaced += 1
        for i, category in columns.items():
            mark = row[i].strip().lower()
            if mark in _MARKS:
                builder.add(category, word)
            elif mark not in _NO_MARKS:
                raise builder.fail(
                    n, f"column {header[i]} has neither X nor an empty cell", "Remove weights.",
                    row[i],
                )  # fmt: skip
        if family_at is not None:
            builder.add_family(n, word, row[family_at])
        if facet_at is not None and row[facet_at].strip():
            builder.add_facet(n, word, row[facet_at])


def _rows(builder: Builder, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the number of its first line."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as e:
        raise builder.fail(line, "not a row of CSV", "Fix its quotes.", e) from None


def _read_yaml(builder: Builder, text: str) -> None:
    """`categories:` (name -> list of words) and, if wanted, `families:` (word -> family), `facets:`
    (word -> facet), `control` (two categories that every model that reads the questions tells
    apart, such as good~bad), `title`, `licence`, `starter` and `note`."""
    file = YamlFile(builder.path, text, LexiconError)
    top = file.mapping(file.root, "the file")
    keys = (*_YAML_TEXTS, "categories", "families", "facets", "control")
    for name, (key, _) in top.items():
        if name not in keys:
            raise file.fail(key, "unknown key", f"Use one of {', '.join(keys)}.", name)
    if "categories" not in top:
        raise file.fail(file.root, "no `categories`", "Add it: category -> [words].")
    for written, (key, words) in file.mapping(top["categories"][1], "`categories`").items():
        category = builder.declare(file.line(key), written)
        for node in file.sequence(words, f"the category {written}"):
            builder.add(category, builder.entry(file.line(node), file.text(node, "a word")))
    known = {w for words in builder.categories.values() for w in words}
    for plural, one, add in (
        ("families", "family", builder.add_family),
        ("facets", "facet", builder.add_facet),
    ):
        given = file.mapping(top[plural][1], f"`{plural}`") if plural in top else {}
        for written, (key, value) in given.items():
            word = builder.entry(file.line(key), written)
            if word not in known:
                raise file.fail(
                    key, f"a {one} for a word that is in no category", "Remove it.", word
                )
            add(file.line(key), word, file.text(value, f"a {one}"))
    texts = {k: file.text(top[k][1], f"`{k}`") for k in _YAML_TEXTS if k in top}
    builder.title = texts.get("title", "")
    builder.licence = texts.get("licence", "unknown")
    if "control" in top:
        node = top["control"][1]
        builder.control = file.text(node, "`control`")
        _check_control(builder, file.line(node))
    if texts.get("starter", "false") not in ("true", "false"):
        raise file.fail(top["starter"][1], "`starter` must be true or false", "Write true.")
    builder.starter = texts.get("starter") == "true"


def _check_control(builder: Builder, line: int) -> None:
    """Raise LexiconError unless the control contrast names two of the file's categories."""
    try:
        a, _, b = normal_contrast(builder.control).partition("~")
    except LexiconError as error:
        raise builder.fail(line, error.what, error.remedy, error.seen) from None
    if a == b or not {a, b} <= builder.categories.keys():
        raise builder.fail(
            line,
            "`control` must name two categories of this file, the better one first",
            "Write it as in good~bad.",
            builder.control,
        )
    builder.control = f"{a}~{b}"


READERS: dict[str, Callable[[Builder, str], None]] = {
    ".dic": _read_dic,
    ".dicx": _read_table,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}
"""What reads a lexicon file, by its suffix."""
