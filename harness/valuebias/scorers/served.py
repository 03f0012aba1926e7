"""A reward model behind a server, as a scorer: ``served:URL``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from valuebias.errors import SpecError
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.scorers.loader import Loaded
from valuebias.scorers.protocol import Opener
from valuebias.scorers.stored_model import StoredModel
from valuebias.store.database import Store

FORM = (
    "Give served:http://HOST:PORT, and after commas, where they are needed, tokenizer=DIRECTORY, "
    "model=ID or input=pairs."
)
_OPTION = re.compile(r"(tokenizer|model|input)=(.+)", re.DOTALL)


def parse(target: str, spec: str, text: str) -> ModelSpec:
    """Read ``served:URL[,tokenizer=DIRECTORY][,model=ID][,input=pairs]``. Nothing is contacted.

    Its label is ``served:`` and the URL, without the options.
    """
    url, *rest = (part.strip() for part in target.split(","))
    options: dict[str, str] = {}
    for part in rest:
        option = _OPTION.fullmatch(part)
        if option is None or option[1] in options:
            raise SpecError(
                "a served model has no such option"
                if option is None
                else f"the option {option[1]} is given twice",
                seen=part,
                remedy=FORM,
            )
        options[option[1]] = option[2]
    if options.get("input", "pairs") != "pairs":
        raise SpecError("unknown input", seen=options["input"], remedy=FORM)
    if "tokenizer" in options:
        if "input" in options:
            raise SpecError(
                "a tokenizer writes conversations, which are no pairs of texts",
                seen=",".join(rest),
                remedy="Give either tokenizer=DIRECTORY or input=pairs.",
            )
        options["tokenizer"] = _directory(options["tokenizer"])
    base = _checked(url)
    written = ",".join([base, *(f"{key}={value}" for key, value in sorted(options.items()))])
    return ModelSpec(f"served:{base}", "served", written, None, text)


def _directory(given: str) -> str:
    path = Path(os.path.abspath(os.path.expanduser(given)))
    if not path.is_dir():
        raise SpecError(
            "the tokenizer's directory was not found",
            seen=given,
            remedy="Give the directory that tokenizer.save_pretrained wrote; one of the hub is "
            "downloaded first.",
        )
    return str(path)


def _checked(url: str) -> str:
    """The server's address: scheme, host, port and path, without a slash at the end."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        parts, known = urlsplit(""), False
    if "@" in parts.netloc:
        raise SpecError(
            "the address of a server holds a user name or password",
            seen=f"{parts.scheme}://***@{parts.hostname}",
            remedy="Leave it out: a key goes into the environment variable VALUEBIAS_SERVED_KEY.",
        )
    if not known or not url.isprintable() or " " in url:
        raise SpecError("not the address of a server", seen=_without_query(url), remedy=FORM)
    if parts.query or parts.fragment:
        raise SpecError(
            "the address of a server has a query",
            seen=_without_query(url),
            remedy="Give the address alone: a key goes into the environment variable "
            "VALUEBIAS_SERVED_KEY.",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _without_query(url: str) -> str:
    return re.split(r"[?#]", url)[0].rpartition("@")[2]


@dataclass(frozen=True)
class Address:
    """What a spec says of a server. ``tokenizer`` is a directory; ``pairs`` says that question and
    answer go as two texts."""

    url: str
    tokenizer: str | None
    model: str | None
    pairs: bool

    @classmethod
    def of(cls, spec: ModelSpec) -> Address:
        """Of a spec that `parse` made."""
        url, *rest = spec.target.split(",")
        options = dict(part.split("=", 1) for part in rest)
        return cls(url, options.get("tokenizer"), options.get("model"), "input" in options)


def open_scorer(spec: ModelSpec, opener: Opener) -> StoredModel:
    def open_model(spec: ModelSpec, settings: Settings, store: Store) -> Loaded:
        from valuebias.models.served import open_served

        at = Address.of(spec)
        return open_served(
            at.url,
            tokenizer=at.tokenizer,
            model=at.model,
            pairs=at.pairs,
            name=spec.label,
            settings=settings,
            store=store,
        )

    return StoredModel(spec, opener.loader, open_model)
