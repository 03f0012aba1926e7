"""Published lexicons are fetched whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
import urllib.request
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.request import OpenerDirector

import pytest

from valuebias.errors import LexiconError
from valuebias.lexicons import install as module
from valuebias.lexicons.install import PUBLISHED, install, installed, lexicon_folder

CONTENT = b'"Category","token_decoded"\n"Agency","skill"\n"Communion","friend"\n'


class Server(ThreadingHTTPServer):
    """Keeps what it was asked for, and gives the answers it was given."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.asked.append(self.path)
        status, headers, body = self.server.answers[self.path]
        self.send_response(status)
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lexicon(monkeypatch):
    """A published lexicon of three lines in the place of Big Two."""
    lexicon = replace(
        PUBLISHED["big-two"], sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT)
    )
    monkeypatch.setitem(PUBLISHED, "big-two", lexicon)
    return lexicon


@pytest.fixture
def fetch(server, tmp_path):
    """Install over plain http, which only a test may."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(status=200, body=CONTENT, headers=None):
        headers = {"Content-Length": str(len(body))} if headers is None else headers
        server.answers["/file"] = (status, headers, body)
        return install("big-two", tmp_path, _opener=opener, _url=f"{server.url}/file")

    return fetch


def nothing_left(tmp_path: Path) -> bool:
    return not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_lexicon_is_installed_once(fetch, server, lexicon, tmp_path):
    assert installed("big-two", tmp_path) is None
    path, fetched = fetch()
    assert fetched
    assert path == tmp_path / "lexicons" / "dict_big2_nouns.csv"
    assert path.read_bytes() == CONTENT
    assert installed("big-two", tmp_path) == path
    assert fetch() == (path, False)
    assert server.asked == ["/file"]
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("body", "headers", "seen"),
    [
        (CONTENT[:-1] + b"!", None, f"{len(CONTENT)} bytes"),
        (CONTENT[:20], None, "20 bytes"),
        (CONTENT + b"x" * 10**6, None, f"more than {len(CONTENT)} bytes"),
        (b"<html>log in to the hotel's network</html>", None, "42 bytes"),
        (b"", None, "0 bytes"),
    ],
    ids=["altered", "short", "long", "portal", "empty"],
)
def test_other_content_is_refused(fetch, lexicon, tmp_path, body, headers, seen):
    with pytest.raises(LexiconError, match=re.escape(seen)) as caught:
        fetch(body=body, headers=headers)
    assert lexicon.sha256 in str(caught.value)
    assert "Nothing was installed" in str(caught.value)
    assert nothing_left(tmp_path)


def test_no_more_is_read_than_shows_that_a_file_is_too_long(lexicon, tmp_path):
    class Long(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            asked.append(len(buffer))
            return len(buffer) if len(asked) < 100 else 0

    class Opener:
        def open(self, url, timeout):
            assert timeout
            return Long()

    asked: list[int] = []
    with pytest.raises(LexiconError, match=f"more than {len(CONTENT)} bytes"):
        install("big-two", tmp_path, _opener=cast(OpenerDirector, Opener()))
    assert sum(asked) == len(CONTENT) + 1


def test_a_transfer_cut_short_is_refused(fetch, lexicon, tmp_path):
    with pytest.raises(LexiconError, match=r"cannot fetch|did not send the lexicon"):
        fetch(body=CONTENT[:20], headers={"Content-Length": str(len(CONTENT))})
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_server_that_refuses(fetch, lexicon, tmp_path, status):
    with pytest.raises(LexiconError, match=rf"HTTP {status}.*by other means"):
        fetch(status=status, body=CONTENT)
    assert nothing_left(tmp_path)


def test_offline(fetch, server, lexicon, tmp_path):
    gone = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gone.server_close()
    with pytest.raises(LexiconError, match=r"cannot fetch.*network.*by other means"):
        install(
            "big-two", tmp_path, _opener=module._https_only(),
            _url=f"https://127.0.0.1:{gone.server_port}/file",
        )  # fmt: skip
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("scheme", ["http", "file", "ftp"])
def test_nothing_but_https_is_opened(server, lexicon, tmp_path, scheme):
    (tmp_path / "own").write_bytes(CONTENT)
    url = {
        "http": f"{server.url}/file",
        "file": (tmp_path / "own").as_uri(),
        "ftp": "ftp://127.0.0.1/file",
    }[scheme]
    with pytest.raises(LexiconError, match=f"unknown url type: {scheme}"):
        install("big-two", tmp_path, _url=url)
    assert not server.asked


def test_a_redirect_away_from_https_is_not_followed(server, lexicon, tmp_path):
    server.answers["/file"] = (302, {"Location": f"{server.url}/elsewhere"}, b"")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), module._HttpsRedirects())
    with pytest.raises(LexiconError, match=r"elsewhere, which is not https"):
        install("big-two", tmp_path, _opener=opener, _url=f"{server.url}/file")
    assert server.asked == ["/file"]


def test_an_unknown_name(tmp_path):
    assert installed("liwc", tmp_path) is None
    with pytest.raises(LexiconError, match=r"Seen: liwc.*big-two, mfd2"):
        install("liwc", tmp_path)


def test_another_file_in_its_place_is_kept(fetch, server, lexicon, tmp_path):
    place = tmp_path / "lexicons" / "dict_big2_nouns.csv"
    place.parent.mkdir()
    place.write_text("mine")
    for ask in (fetch, lambda: installed("big-two", tmp_path)):
        with pytest.raises(LexiconError, match=r"not the published one.*Move it away"):
            ask()
    assert place.read_text() == "mine"
    assert not server.asked


def test_a_folder_that_cannot_be_written(fetch, lexicon, tmp_path):
    (tmp_path / "lexicons").write_text("")
    with pytest.raises(LexiconError, match=r"cannot (read|write).*--cache-dir"):
        fetch()


def test_they_lie_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("VALUEBIAS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert lexicon_folder() == tmp_path / "valuebias" / "lexicons"
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "mine"))
    assert lexicon_folder() == tmp_path / "mine" / "lexicons"


def test_the_address_is_pinned_to_a_commit():
    for lexicon in PUBLISHED.values():
        assert re.fullmatch(
            r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/[\w./%-]+",
            lexicon.url,
        )


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_pins_are_those_of_the_published_files(name):
    published = PUBLISHED[name]
    variable = "VALUEBIAS_TEST_DATA" if published.columns else "VALUEBIAS_PUBLISHED_DATA"
    if not (data := os.environ.get(variable)):
        pytest.skip(f"needs {variable}")
    folder = Path(data, "human") if published.columns else Path(data, "data", "corpora")
    content = (folder / published.file).read_bytes()
    assert published.sha256 == hashlib.sha256(content).hexdigest()
    assert published.size == len(content)
