"""Published lexicons and ratings, fetched for the user from a pinned public address and checked.

They have no licence that would let us ship them; a user may fetch them for their own use.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from valuebias.errors import LexiconError
from valuebias.store.database import default_folder

_RAW = "https://raw.githubusercontent.com/brchristian"
_REPOSITORY = "reward_models_inherit_value_biases_from_pretraining"
_COMMIT = "5d8d2e9d879bf0060c791b11300f0efda42c9bcf"
_BASE = f"{_RAW}/{_REPOSITORY}/{_COMMIT}/data/corpora/"
_TOKENS = "reward_model_optimal_pessimal_tokens/e82618bb58d96508eb2ad14908c6e8b204bb1ef1"
_ELO = "What, in one word, is the greatest thing ever.csv"
_TIMEOUT_SECONDS = 30.0

LICENCE = (
    "no licence is known: the repository it comes from states none, so the file is for your own "
    "use and not to be passed on"
)


@dataclass(frozen=True)
class Published:
    """A published lexicon or file of ratings: its address, and the SHA-256 and size in bytes it
    must have.

    ``suite`` is the shipped suite whose starter lexicon it can replace; ratings have ``columns``
    instead: those of the words and of the ``rating``, where higher is better.
    """

    name: str
    suite: str
    title: str
    file: str
    sha256: str
    size: int
    address: str = ""
    licence: str = LICENCE
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.address or _BASE + self.file

    @property
    def use(self) -> str:
        """The option that names it."""
        return (
            f"--human={self.name}"
            if self.columns
            else f"--valuebias-lexicon {self.suite}={self.name}"
        )


PUBLISHED = {
    lexicon.name: lexicon
    for lexicon in (
        Published(
            "big-two",
            "big_two",
            "Big Two nouns: agency and communion",
            "dict_big2_nouns.csv",
            "186886a25b2f03ea3ec7e78fad71fabee408e3b5ec1758683461df4359b45435",
            5_853,
        ),
        Published(
            "mfd2",
            "mfd2",
            "Moral Foundations Dictionary 2.0: virtue and vice of five foundations",
            "moral-foundations-dictionary-20.dicx",
            "973957f99129b324c8a4ebf3fcb7ed4e1f9f017b2d041f50288f991b0844ce7a",
            43_877,
        ),
        Published(
            "eloeverything",
            "",
            "EloEverything: 7,530 things rated by people in pairs, without a question",
            "eloeverything.csv",
            "b9f91f205ea558e035ed221355da5d2b6c158dcf7bdd234757ab5c9402f63d50",
            1_332_964,
            f"{_RAW}/{_TOKENS}/data/elo/{quote(_ELO)}",
            "MIT, of the repository it comes from; that of the rating site is not known, so the "
            "file is not passed on",
            {"word": "name", "rating": "elo_score"},
        ),
    )
}


def lexicon_folder(cache_dir: Path | None = None) -> Path:
    """Where lexicons are installed: ``lexicons`` in the cache folder."""
    return (cache_dir if cache_dir is not None else default_folder()) / "lexicons"


def installed(name: str, cache_dir: Path | None = None) -> Path | None:
    """The installed file of a published lexicon; None if it is unknown or not installed.

    Raises LexiconError if the file is no longer the published one.
    """
    lexicon = PUBLISHED.get(name)
    if lexicon is None:
        return None
    path = lexicon_folder(cache_dir) / lexicon.file
    content = _content(path)
    if content is None:
        return None
    if hashlib.sha256(content).hexdigest() != lexicon.sha256:
        raise LexiconError(
            f"the installed file of the lexicon {name} is not the published one",
            seen=path,
            remedy=f"Move it away, and run: valuebias lexicon install {name}",
        )
    return path


def install(
    name: str,
    cache_dir: Path | None = None,
    *,
    _opener: urllib.request.OpenerDirector | None = None,
    _url: str | None = None,
) -> tuple[Path, bool]:
    """Fetch a published lexicon, check it, and install it in one step.

    Returns its path, and whether it was fetched: False if it was installed already. Raises
    LexiconError if it cannot be fetched, is not the pinned content, or another file has its path;
    then nothing is changed.
    """
    lexicon = _published(name)
    already = installed(name, cache_dir)
    if already is not None:
        return already, False
    content = _fetch(lexicon, _url or lexicon.url, _opener or _https_only())
    folder = lexicon_folder(cache_dir)
    temporary = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{lexicon.file}.")
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.replace(temporary, folder / lexicon.file)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise LexiconError(
            f"cannot write the lexicon {name} ({error.strerror})",
            seen=folder,
            remedy="Give a writable folder as --cache-dir.",
        ) from None
    return folder / lexicon.file, True


def _published(name: str) -> Published:
    if name not in PUBLISHED:
        raise LexiconError(
            "unknown published lexicon",
            seen=name,
            remedy=f"Choose from {', '.join(PUBLISHED)}; a file of your own needs no installing.",
        )
    return PUBLISHED[name]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LexiconError(
            f"cannot read the installed lexicon ({error.strerror})",
            seen=path,
            remedy="Allow reading it, or give another folder as --cache-dir.",
        ) from None


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: object,
        code: int,
        msg: str,
        headers: object,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _https_only() -> urllib.request.OpenerDirector:
    """An opener that uses the environment's proxy and only https."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpsRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _fetch(lexicon: Published, url: str, opener: urllib.request.OpenerDirector) -> bytes:
    by_hand = f"Or fetch {url} by other means and give it as NAME=FILE."
    try:
        with opener.open(url, timeout=_TIMEOUT_SECONDS) as response:
            # One byte more than expected shows that a file is too long without reading all of it.
            content: bytes = response.read(lexicon.size + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise LexiconError(
                f"the server did not send the lexicon {lexicon.name}",
                seen=f"HTTP {error.code} {error.reason}",
                remedy=f"Try again later. {by_hand}",
            ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise LexiconError(
            f"cannot fetch the lexicon {lexicon.name}",
            seen=getattr(error, "reason", None) or error or type(error).__name__,
            remedy=f"Check the network and the proxy. {by_hand}",
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != lexicon.sha256:
        length = f"more than {lexicon.size}" if len(content) > lexicon.size else str(len(content))
        raise LexiconError(
            f"the server did not send the lexicon {lexicon.name}: {length} bytes with SHA-256 "
            f"{digest} instead of {lexicon.size} with {lexicon.sha256}",
            remedy="Nothing was installed. Try again on another network: a proxy may have "
            "answered instead of the server.",
        )
    return content
