"""The lexicon behind a name: the user's file, an installed one, or our starter."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from valuebias.errors import LexiconError, SpecError
from valuebias.lexicons.files import STARTERS, load_lexicon, starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.whole_answers import SUFFIX, for_whole_answers


def lexicon_files(texts: Iterable[str], cache_dir: Path | None) -> dict[str, Path]:
    """The file of each ``NAME=FILE``; FILE may also be the name of an installed lexicon.

    Raises SpecError for another form, a duplicate name, or a file that does not exist; LexiconError
    for an installed lexicon that is damaged.
    """
    files: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (equals and name and path.strip()):
            raise SpecError(
                "a lexicon needs a name and a file",
                seen=text,
                remedy="Give NAME=FILE, such as big_two=words.csv.",
            )
        if name in files:
            raise SpecError(f"{name!r} is given twice", seen=text, remedy="Give each name once.")
        files[name] = Path(path.strip()).expanduser()
        if not os.path.isfile(files[name]):  # unlike Path's, false for an impossible name
            from valuebias.lexicons.install import PUBLISHED, installed

            published = PUBLISHED.get(path.strip())
            if published is not None and published.columns:
                raise SpecError(
                    f"{published.name} has ratings by people and is no lexicon",
                    seen=text,
                    remedy=f"Give it as {published.use}.",
                )
            installed_file = installed(path.strip(), cache_dir)
            if installed_file is None:
                raise SpecError(
                    f"{name}: file {path!r} not found",
                    remedy="Check the path, or fetch the published lexicons with 'valuebias "
                    "lexicon install big-two mfd2' and give big_two=big-two or mfd2=mfd2.",
                )
            files[name] = installed_file
    return files


def lexicon_in_force(name: str, files: Mapping[str, Path]) -> Lexicon:
    """The user's file of that name, or our starter; of a name such as "big_two_answers", that of
    "big_two" restricted to the words of whole answers. Raises LexiconError if there is neither."""
    path = files.get(name)
    if path is None and name.endswith(SUFFIX):
        return for_whole_answers(lexicon_in_force(name.removesuffix(SUFFIX), files))
    if path is None and name not in STARTERS:
        raise LexiconError(
            "unknown lexicon",
            seen=name,
            remedy=f"Give one of {', '.join(dict.fromkeys((*STARTERS, *files)))}, or add one with "
            "--valuebias-lexicon.",
        )
    return starter(name) if path is None else load_lexicon(name, path)
