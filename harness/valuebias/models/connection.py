"""Questions to a server that the user named, and to no other: JSON over HTTP, with retries."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import json
import os
import random
import ssl
import threading
import time
from typing import Any, NoReturn
from urllib.parse import urlsplit

from valuebias.errors import ModelError, SpecError, visible

KEY = "VALUEBIAS_SERVED_KEY"
"""The environment variable with the key. It is sent to the server, and goes nowhere else."""

TIMEOUT_SECONDS = 120.0
ATTEMPTS = 6
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_LARGEST = 1 << 26
_TOO_LONG = (
    "Its log says more. Where a conversation is too long for it, leave that word out, or serve the "
    "model for longer ones (vllm serve MODEL --max-model-len N)."
)
_REFUSED = {
    404: "Serve the model for pooling (vllm serve MODEL --runner pooling), and leave it served.",
    400: _TOO_LONG,
    413: _TOO_LONG,
}
"""What to do about a status."""


class _AgainError(Exception):
    """Something that may pass: ``seen`` says what, ``wait`` how long the server asked to wait."""

    def __init__(self, seen: str, wait: float | None = None) -> None:
        super().__init__(seen)
        self.seen = seen
        self.wait = wait


class Connection:
    """One server, asked from any number of threads. ``close`` it when nobody asks.

    No redirect is followed and no proxy used. What is too busy (429, 5xx) or does not answer in
    time is asked again, after a wait that doubles each time, or as long as it says (Retry-After).
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._secure = parts.scheme == "https"
        self._name, self._port, self._path = str(parts.hostname), parts.port, parts.path
        self._key = _key()
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._reached = False

    def close(self) -> None:
        """Close what is open; a later question opens it again."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def get(self, path: str) -> Any:
        """The JSON at a path; None if the server has none there (404)."""
        return self._asked("GET", path, None, threading.Event())

    def post(self, path: str, body: object, stop: threading.Event) -> Any:
        """The JSON that the server answers. Once ``stop`` is set, it is not asked again.

        Raises ModelError, as ``get`` does, if it cannot be reached or refuses; here also where it
        has no such path or no such model (404).
        """
        return self._asked("POST", path, json.dumps(body).encode(), stop)

    def _asked(self, method: str, path: str, body: bytes | None, stop: threading.Event) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(method, path, body, stop)
            except _AgainError as error:
                wait = FIRST_WAIT_SECONDS * 2 ** (attempt - 1) * random.uniform(1, 1.5)
                if error.wait is not None:
                    wait = error.wait
                if wait > LONGEST_WAIT_SECONDS:
                    self._fail("the server asks for a long wait", f"{wait:.0f} s ({error.seen})")
                if attempt == ATTEMPTS or stop.is_set():
                    self._fail(f"the server did not answer {attempt} times", error.seen)
            stop.wait(wait)
        raise AssertionError("the last attempt raises")

    def _once(self, method: str, path: str, body: bytes | None, stop: threading.Event) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        with self._lock:
            client = self._idle.pop() if self._idle else self._new()
        kept = False
        try:
            client.request(method, self._path + path, body=body, headers=headers)
            response = client.getresponse()
            content = response.read(_LARGEST + 1)
            kept = not response.will_close and len(content) <= _LARGEST
        except TimeoutError:
            raise _AgainError(f"no answer in {TIMEOUT_SECONDS:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            seen = str(error) or type(error).__name__
            if not self._reached:
                self._fail("the server cannot be reached", seen)
            raise _AgainError(seen) from None
        finally:
            with self._lock:
                if kept and not stop.is_set():
                    self._idle.append(client)
                else:
                    client.close()
        self._reached = True
        status = response.status
        if status in _RETRIED:
            raise _AgainError(
                f"HTTP {status}: {self._shown(content)}", _seconds(response.headers["Retry-After"])
            )
        if status == 404 and method == "GET":
            return None
        if status != 200:
            self._refused(status, path, content, response.headers["Location"])
        return self._json(path, content)

    def _json(self, path: str, content: bytes) -> Any:
        if len(content) <= _LARGEST:
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(content)
        self._fail(
            f"the server's answer at {path} is not JSON",
            self._shown(content),
            "Check the address: a gateway may have answered in the server's place.",
        )

    def _refused(self, status: int, path: str, content: bytes, location: str | None) -> NoReturn:
        if status in (401, 403):
            self._fail(
                "the server wants another key" if self._key else "the server wants a key",
                f"HTTP {status} at {path}",
                f"Set the environment variable {KEY}.",
            )
        if 300 <= status < 400:
            self._fail(
                "the server sends on to another address, which is not followed",
                f"HTTP {status} to {urlsplit(location or '').netloc or 'nowhere'}",
                "Give the address at which the model itself answers.",
            )
        self._fail(
            f"the server refused a question at {path}",
            f"HTTP {status}: {self._shown(content)}",
            _REFUSED.get(status, "Its log says more."),
        )

    def _fail(
        self, what: str, seen: str, remedy: str = "Check that it is running, and its log."
    ) -> NoReturn:
        raise ModelError(f"{what}: {self.host}", seen=seen, remedy=remedy)

    def _shown(self, content: bytes) -> str:
        """The beginning of an answer, without the key, should it repeat that. Of an error as vLLM
        and text-embeddings-inference write them, its message."""
        text = _message(content) or content[:2000].decode("utf-8", "replace").strip()
        if self._key:
            text = text.replace(self._key, "***")
        return visible(text[:200]) or "nothing"

    def _new(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._name, self._port, timeout=TIMEOUT_SECONDS)
        return http.client.HTTPSConnection(
            self._name,
            self._port,
            timeout=TIMEOUT_SECONDS,
            context=ssl.create_default_context(),
        )


def _message(content: bytes) -> str:
    """``{"error": {"message": TEXT}}`` and ``{"error": TEXT}``; empty for anything else."""
    if len(content) > 1 << 16:
        return ""
    try:
        error = json.loads(content)["error"]
        text = error["message"] if isinstance(error, dict) else error
        return text.strip().rstrip(".") if isinstance(text, str) else ""
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def _key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SpecError(
            f"the key in {KEY} has a space or a character that no header can hold",
            remedy="Set it to the key alone.",
        )
    return key


def _seconds(retry_after: str | None) -> float | None:
    """What Retry-After asks for: seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = email.utils.parsedate_to_datetime(retry_after)
        return max(0.0, date.timestamp() - time.time())
    except (TypeError, ValueError):
        return None
