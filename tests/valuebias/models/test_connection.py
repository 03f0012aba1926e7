"""Questions to a server: how long it waits, and how it tells what the server says."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from support.served import Reply, Served, reply, serving
from valuebias.errors import ModelError
from valuebias.models import connection


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.delenv(connection.KEY, raising=False)
    with serving() as served:
        yield served


def test_it_waits_as_long_as_the_server_says_or_doubles(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Event:
        def wait(self, seconds: float) -> None:
            waited.append(seconds)

        def is_set(self) -> bool:
            return False

    link = connection.Connection(server.url)
    monkeypatch.setattr(connection, "FIRST_WAIT_SECONDS", 1.0)
    server.wishes.trouble = lambda number, path: (
        reply(429, "", Retry_After="7") if number == 1 else reply(503, "")
    )
    link.get("/v1/models")
    with pytest.raises(ModelError, match=r"did not answer 6 times.*HTTP 503: nothing"):
        link.post("/classify", {}, Event())  # type: ignore[arg-type]
    assert waited[0] == 7
    assert all(2**k <= waited[k] <= 1.5 * 2**k for k in range(1, 5))
    server.wishes.trouble = lambda number, path: reply(429, "", Retry_After="86400")
    with pytest.raises(ModelError, match=r"asks for a long wait.*86400 s"):
        link.post("/classify", {}, Event())  # type: ignore[arg-type]
    link.close()


NO_MODEL = {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError"}}
TOO_LONG = {"error": {"message": "maximum context length is 512 tokens"}}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(404, NO_MODEL), r"HTTP 404: The model `x` does not exist\. Serve the model"),
        (reply(400, TOO_LONG), r"HTTP 400: maximum context length is 512 tokens\. .*max-model-len"),
        (reply(413, {"error": "batch size > 8"}), r"HTTP 413: batch size > 8\. "),
        (reply(422, {"detail": []}), r'HTTP 422: {"detail": \[\]}\. Its log'),
        (reply(400, {"error": None}), r'HTTP 400: {"error": null}'),
        (reply(400, '{"error": {"code": '), r'HTTP 400: {"error": {"code":'),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(
    server: Served, answer: Reply, message: str
) -> None:
    server.wishes.trouble = lambda number, path: answer
    link = connection.Connection(server.url)
    with pytest.raises(ModelError, match=message):
        link.post("/classify", {}, threading.Event())
    link.close()
