"""Served models: what is asked of a server, and what becomes of each way in which it misbehaves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import taste
from support.models import build_tokenizer
from support.served import TEMPLATE, Reply, Served, Wishes, hang, reply, serving, sigmoid
from valuebias.candidates import Candidates
from valuebias.errors import ModelError, SpecError, ValueBiasError
from valuebias.models import connection
from valuebias.models.opaque import OpaqueModel
from valuebias.models.served import AT_ONCE, open_served
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.store.database import Store

WORDS = Candidates.words([f"word{i}" for i in range(40)])
TRUE = np.array(taste.rewards(1.5)([(GREATEST.text, w) for w in WORDS.responses]), np.float32)
PREFLIGHT = 32 * 3
"""Conversations that opening a model asks for."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.delenv(connection.KEY, raising=False)


@pytest.fixture
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


def opened(served: Served, **options: Any) -> OpaqueModel:
    given = {"tokenizer": None, "model": None, "pairs": False, "store": None} | options
    given.setdefault("settings", Settings())
    return open_served(served.url, name="served", **given)


def test_conversations_go_as_messages_through_the_servers_template(server: Served) -> None:
    model = opened(server)
    assert len(server.requests) == PREFLIGHT
    assert model.score_prompt(GREATEST, WORDS).tobytes() == TRUE.tobytes()
    assert server.scored() == len(server.requests) == PREFLIGHT + len(WORDS)
    path, headers, body = server.requests[-1]
    assert path == "/classify"
    assert "Authorization" not in headers
    assert body["model"] == "org/served"
    assert body["chat_template_kwargs"] == {"date_string": "26 Jul 2024"}, (
        "the day of a local model"
    )
    host = server.url.removeprefix("http://")
    about = model.provenance
    assert about["head"] == f"org/served on vLLM 0.32.0 at {host}"
    assert about["host"] == host
    assert about["served_model"] == "org/served"
    assert about["input"] == "messages, in the server's own template"
    assert about["repeatability"].endswith("of the spread)")


def test_a_bounded_number_of_questions_is_under_way(server: Served) -> None:
    model = opened(server)
    server.wishes.trouble = lambda number, path: time.sleep(0.01)
    model.score_prompt(GREATEST, WORDS)
    assert 2 <= server.most <= AT_ONCE


def test_conversations_go_as_token_ids_with_a_tokenizer_of_ours(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(TEMPLATE)
    tokenizer.save_pretrained(tmp_path)
    with serving(Wishes(tokenizer=tokenizer)) as server:
        model = opened(server, tokenizer=str(tmp_path))
        before = len(server.requests)
        assert model.score_prompt(GREATEST, WORDS).tobytes() == TRUE.tobytes()
    bodies = sorted((body["input"] for _, _, body in server.requests[before:]), key=len)
    assert [len(ids) for ids in bodies] == [8, 32]
    assert {path for path, _, _ in server.requests} == {"/pooling"}
    turns = [(("user", GREATEST.text), ("assistant", word)) for word in WORDS.responses]
    messages = [[{"role": role, "content": text} for role, text in pair] for pair in turns]
    expected = [tokenizer.apply_chat_template(each, return_dict=False) for each in messages]
    assert bodies[1] + bodies[0] == expected
    assert model.provenance["template"] == "chat_template"
    assert model.provenance["input"].startswith("token ids ")


def test_a_tokenizer_without_a_template_needs_its_format_declared(
    server: Served, tmp_path: Path
) -> None:
    build_tokenizer(None).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"has no chat template.*--valuebias-template"):
        opened(server, tokenizer=str(tmp_path))


def test_question_and_answer_go_as_a_pair_of_texts() -> None:
    with serving(Wishes(software="tei")) as server:
        model = opened(server, pairs=True)
        before = len(server.requests)
        assert model.score_prompt(GREATEST, WORDS).tobytes() == TRUE.tobytes()
        sizes = [len(body["inputs"]) for _, _, body in server.requests[before:]]
        assert sizes == [8] * 5, "no more than the server takes at a time"
    about = model.provenance
    assert about["server"] == "text-embeddings-inference 1.9.0"
    assert (about["dtype"], about["revision"]) == ("float32", "abc123")


# Whom it is asked, and with what


def test_the_key_is_sent_and_told_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(connection.KEY, "sk-very-secret")
    path = tmp_path / "scores.sqlite"
    with serving(Wishes(key="sk-very-secret")) as server, Store(path) as store:
        model = opened(server, store=store)
        model.score_prompt(GREATEST, WORDS)
        assert all(h["Authorization"] == "Bearer sk-very-secret" for _, h, _ in server.requests)
        assert "secret" not in json.dumps(dict(model.provenance)) + repr(vars(model).keys())
        # A server that repeats it in an error does not get it into ours.
        server.wishes.trouble = lambda number, path: reply(400, "bad Bearer sk-very-secret")
        with pytest.raises(ModelError, match=r"HTTP 400: bad Bearer \*\*\*") as refused:
            model.score_prompt(GREATEST, WORDS)
        assert "secret" not in str(refused.value)
    assert b"secret" not in path.read_bytes()


@pytest.mark.parametrize(("given", "message"), [("", "wants a key"), ("wrong", "another key")])
def test_a_key_that_is_missing_or_wrong_is_said(
    given: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(connection.KEY, given)
    with (
        serving(Wishes(key="right")) as server,
        pytest.raises(ModelError, match=f"{message}.*HTTP 401.*{connection.KEY}") as refused,
    ):
        opened(server)
    assert "wrong" not in str(refused.value)


def test_a_key_that_is_no_header_is_not_shown(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(connection.KEY, "sk-secret\nHost: other")
    with pytest.raises(SpecError, match=connection.KEY) as refused:
        opened(server)
    assert "secret" not in str(refused.value)


def test_no_other_host_is_contacted(server: Served) -> None:
    with serving() as other:
        moved = reply(307, "", Location=f"{other.url}/v1/models?key=abc")
        server.wishes.get["/v1/models"] = moved
        with pytest.raises(ModelError, match=r"another address.*HTTP 307 to 127\.0\.0\.1") as sent:
            opened(server)
        assert "abc" not in str(sent.value)
        server.wishes.get.clear()
        server.wishes.trouble = lambda number, path: reply(302, "", Location=other.url)
        with pytest.raises(ModelError, match="another address"):
            opened(server)
        assert not other.requests


def test_proxies_of_the_environment_are_not_used(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert opened(server)


# Which server it is: asked, never guessed


@pytest.mark.parametrize(
    ("wishes", "options", "message"),
    [
        (Wishes(software="none"), {}, "neither a vLLM server nor text-embeddings-inference"),
        (Wishes(get={"/v1/models": reply(200, {"data": [{"id": "x", "owned_by": "openai"}]})}), {},
         "another kind than vLLM.*owned by openai"),
        (Wishes(get={"/v1/models": reply(200, {"data": []})}), {}, "no models at /v1/models"),
        (Wishes(get={"/v1/models": reply(200, {"data": 3})}), {}, "another kind than vLLM"),
        (Wishes(get={"/v1/models": reply(200, "<html>Sign in</html>")}), {},
         "answer at /v1/models is not JSON.*<html>Sign in"),
        (Wishes(models=("base", "lora")), {}, "several models.*base, lora.*model=ID"),
        (Wishes(models=("base", "lora")), {"model": "other"}, "no model 'other'"),
        (Wishes(labels=2), {}, "several numbers a conversation.*2 numbers"),
        (Wishes(), {"pairs": True}, "not by pairs"),
        (Wishes(software="tei"), {}, "writes no conversations.*input=pairs"),
        (Wishes(software="tei"), {"tokenizer": "."}, "writes no conversations"),
        (Wishes(software="tei", labels=3), {"pairs": True}, "does not give one number.*3 labels"),
        (Wishes(software="tei"), {"pairs": True, "model": "other"}, "no model 'other'"),
        (Wishes(software="tei", get={"/info": reply(200, {"model_id": "e", "model_type":
         {"embedding": {}}})}), {"pairs": True}, "a model of type {'embedding': {}}"),
        (Wishes(), {"tokenizer": "."}, "the tokenizer cannot be loaded"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_be_asked_is_told_why(
    wishes: Wishes, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    if "tokenizer" in options:
        options = options | {"tokenizer": str(tmp_path)}
    with serving(wishes) as server, pytest.raises(ValueBiasError, match=message):
        opened(server, **options)


def test_one_of_several_models_is_named() -> None:
    with serving(Wishes(models=("base", "lora"))) as server:
        assert opened(server, model="lora").provenance["served_model"] == "lora"
        assert {body["model"] for _, _, body in server.requests} == {"lora"}


def test_where_nobody_listens_is_said_at_once() -> None:
    with serving() as server:
        pass
    with pytest.raises(ModelError, match=r"cannot be reached: 127\.0\.0\.1:\d+.*refused"):
        opened(server)


# Trouble that passes


Trouble = Callable[[int, str], Reply | None]


def _hangs(number: int, path: str) -> None:
    if number == PREFLIGHT + 4:
        hang(1.0)


@pytest.mark.parametrize(
    "trouble",
    [
        lambda number, path: reply(429, "busy", Retry_After="0") if number % 7 == 5 else None,
        lambda number, path: reply(
            429, "busy", Retry_After=formatdate(time.time() - 5, usegmt=True)
        ) if number % 7 == 5 else None,
        lambda number, path: reply(503, "", Retry_After="soon") if number % 7 == 5 else None,
        lambda number, path: reply(500, "<html>oops</html>") if number % 5 == 3 else None,
        _hangs,
    ],
    ids=["429", "429 with a date", "503", "500", "hangs"],
)  # fmt: skip
def test_what_passes_is_asked_again(
    server: Served, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.5)
    model = opened(server)
    server.wishes.trouble = trouble
    assert model.score_prompt(GREATEST, WORDS).tobytes() == TRUE.tobytes()
    assert len(server.requests) > PREFLIGHT + len(WORDS)


# Trouble that stays


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (reply(200, {"data": []}), "number of scores. Seen: 0 for 1"),
        (reply(200, {"data": [{"index": 0, "probs": [math.nan]}]}), "not finite: org/served"),
        (reply(200, {"data": [{"index": 0, "probs": [10**400]}]}), "not finite"),
        (reply(200, {"data": [{"index": 0, "probs": ["1.5"]}]}), "not a number. Seen: 1.5"),
        (reply(200, {"data": [{"index": 0, "probs": [None]}]}), "not a number. Seen: None"),
        (reply(200, {"data": [{"index": 0, "logit": 1.5}]}), "vLLM documents: its form"),
        (reply(200, [1, 2]), "its form"),
        (reply(200, {"data": 3}), "its form"),
        (reply(200, "<html>Sign in</html>"), "is not JSON.*Sign in"),
        (reply(400, {"error": "too long\x1b[31m"}), r"refused a question.*HTTP 400.*too long"),
        (reply(404, {"detail": "Not Found"}), "question at /classify.*HTTP 404.*--runner pooling"),
        (reply(404, {"error": {"message": "The model `x` does not exist.", "code": 404}}),
         "HTTP 404: The model `x` does not exist. Serve"),
        (reply(400, {"error": {"message": "maximum context length is 512"}}),
         "HTTP 400: maximum context length is 512.*max-model-len" ),
        (reply(400, '{"error": {"code": '), r'HTTP 400: {"error": {"code":'),
        (reply(500, "broken"), r"did not answer \d times.*HTTP 500: broken"),
    ],
)  # fmt: skip
def test_what_stays_wrong_is_said(server: Served, trouble: Reply, message: str) -> None:
    model = opened(server)
    server.wishes.trouble = lambda number, path: trouble
    with pytest.raises(ModelError, match=message) as refused:
        model.score_prompt(GREATEST, WORDS)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (sigmoid, r"an end of \[0, 1\]: an activation squashes them"),
        (lambda x: round(x), "only . different scores"),
        (lambda x: 2.5, "the same score"),
        (lambda x: x + time.time_ns() % 997 / 300, "when asked again"),
    ],
)
def test_scores_that_cannot_be_trusted_are_refused(
    activation: Callable[[float], float], message: str
) -> None:
    with serving(Wishes(activation=activation)) as server, pytest.raises(ModelError, match=message):
        opened(server)


# One model behind one name, or another


def test_changed_weights_have_another_address(server: Served, tmp_path: Path) -> None:
    with Store(tmp_path / "scores.sqlite") as store:
        first = opened(server, store=store)
        assert opened(server, store=store).fingerprint == first.fingerprint
        server.wishes.seed = 1
        assert opened(server, store=store).fingerprint != first.fingerprint
        with pytest.raises(ModelError, match="another model now"), first.unchanged():
            pass
        server.wishes.seed = 0
        assert opened(server, store=store).fingerprint == first.fingerprint
        with serving() as replica:
            assert opened(replica, store=store).fingerprint == first.fingerprint
        server.wishes.model = "org/other"
        assert opened(server, store=store).fingerprint != first.fingerprint
