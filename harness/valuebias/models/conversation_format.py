"""The format a reward model's conversations are written in: stated, declared, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from valuebias.errors import ModelError
from valuebias.models.chat import Chat
from valuebias.models.files import TEMPLATE
from valuebias.models.settings import FORMATS, PAIR, PLAIN, Settings
from valuebias.models.text_pair import TextPair


def conversations(tokenizer: Any, stated: object, settings: Settings, name: str) -> Chat:
    """How a reward model reads conversations.

    What its config states comes first, then the tokenizer's chat template, then what the settings
    declare. Raises ModelError where none of them says: a reward model that is asked in another
    format than its own gives numbers all the same, and nothing shows that they are not its own.
    """
    if stated is not None and stated not in FORMATS:
        raise ModelError(
            f"the config's {TEMPLATE} is not a known format",
            seen=stated,
            remedy=f"Use {' or '.join(FORMATS)}, or save a chat template with the tokenizer.",
        )
    chosen = stated
    if chosen is None and not tokenizer.chat_template:
        chosen = settings.template
        if not chosen:
            raise ModelError(
                f"{name} has no chat template, so the format of its conversations is not known",
                seen="neither chat_template.jinja nor chat_template in tokenizer_config.json",
                remedy="Save the tokenizer with the template that the model was trained with, or "
                "declare the format: --valuebias-template=plain (User: ... Assistant: ...), pair "
                "(the tokenizer's pair of texts) or the file of a Jinja template; in config.json "
                f'"{TEMPLATE}": "plain" or "pair".',
            )
        if chosen not in FORMATS:
            tokenizer.chat_template = _read(Path(chosen))
    if chosen == PAIR:
        return TextPair(tokenizer)
    return Chat(tokenizer, named=PLAIN if chosen == PLAIN else "")


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ModelError(
            "the declared chat template cannot be read",
            seen=f"{file}: {error}",
            remedy="Give a UTF-8 text file.",
        ) from None
    if not text.strip():
        raise ModelError(
            "the declared chat template is empty", seen=file, remedy="Give a Jinja template."
        )
    return text
