"""A server of ours that speaks as vLLM's pooling server or text-embeddings-inference does, and
misbehaves on demand.

    with serving(Wishes()) as server:
        server.url, server.requests
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from support import taste

Pair = tuple[str, str]
Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Wishes:
    """How the server behaves. ``trouble`` may answer a POST itself: it gets the number of the
    request (from 1) and its path, and returns a reply or None. It may change while it serves."""

    software: str = "vllm"
    model: str = "org/served"
    shift: float = 1.5
    seed: int = 0
    key: str = ""
    tokenizer: Any = None
    """Decodes token ids, for /pooling; its template must be that of ``TEMPLATE``."""
    models: tuple[str, ...] = ()
    labels: int = 1
    activation: Callable[[float], float] = float
    """What is done to a raw score though raw scores were asked for."""
    trouble: Callable[[int, str], Reply | None] = lambda number, path: None
    get: dict[str, Reply] = field(default_factory=dict)
    """Replies to GET in place of the right ones."""


TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"


@dataclass
class Served:
    url: str
    wishes: Wishes
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """(path, headers, body) of each POST, in the order they came."""
    most: int = 0
    """The most questions that were under way at a time."""
    under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def scored(self, *, but: int = 0) -> int:
        """How many conversations were scored, but for the first ``but`` requests."""
        bodies = [body for _, _, body in self.requests[but:]]
        return sum(len(body.get("input") or body.get("inputs") or [0]) for body in bodies)


def reply(status: int, content: object, **headers: str) -> Reply:
    text = content if isinstance(content, str) else json.dumps(content)
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, text.encode()


@contextmanager
def serving(wishes: Wishes | None = None) -> Iterator[Served]:
    """Serve on this machine until the block ends."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    listener.daemon_threads = True
    listener.block_on_close = False
    served = Served(f"http://127.0.0.1:{listener.server_port}", wishes or Wishes())
    cast(Any, listener).served = served
    thread = threading.Thread(target=lambda: listener.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def hang(seconds: float = 30.0) -> None:
    time.sleep(seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    @property
    def served(self) -> Served:
        return cast(Any, self.server).served

    def do_GET(self) -> None:
        wishes = self.served.wishes
        if not self._allowed():
            return self._send(reply(401, {"error": "no key"}))
        name = {"model_id": wishes.model, "model_sha": "abc123", "model_dtype": "float32"}
        listed = [{"id": each, "owned_by": "vllm"} for each in wishes.models or (wishes.model,)]
        labels = {str(i): f"LABEL_{i}" for i in range(wishes.labels)}
        known: dict[str, dict[str, object]] = {
            "vllm": {"/v1/models": {"data": listed}, "/version": {"version": "0.32.0"}},
            "tei": {
                "/info": name
                | {"model_type": {"reranker": {"id2label": labels}}, "version": "1.9.0"}
                | {"max_client_batch_size": 8}
            },
        }
        right = known.get(wishes.software, {})
        if self.path in wishes.get:
            return self._send(wishes.get[self.path])
        if self.path in right:
            return self._send(reply(200, right[self.path]))
        return self._send(reply(404, {"detail": "Not Found"}))

    def do_POST(self) -> None:
        served, wishes = self.served, self.served.wishes
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with served.lock:
            served.requests.append((self.path, dict(self.headers), body))
            number = len(served.requests)
            served.under_way += 1
            served.most = max(served.most, served.under_way)
        try:
            trouble = wishes.trouble(number, self.path)
            if not self._allowed():
                trouble = reply(401, {"error": f"not {self.headers['Authorization']}"})
            self._send(trouble or self._right(wishes, body))
        finally:
            with served.lock:
                served.under_way -= 1

    def _right(self, wishes: Wishes, body: Any) -> Reply:
        if (wishes.software, self.path) == ("vllm", "/classify"):
            assert body["use_activation"] is False
            turns = body["messages"]
            assert [turn["role"] for turn in turns] == ["user", "assistant"]
            numbers = self._numbers(wishes, [(turns[0]["content"], turns[1]["content"])])
            data: list[dict[str, Any]] = [
                {"index": 0, "label": None, "probs": numbers[0], "num_classes": wishes.labels}
            ]
            return reply(200, {"model": wishes.model, "data": data})
        if (wishes.software, self.path) == ("vllm", "/pooling"):
            assert body["use_activation"] is False
            pairs = [self._pair(wishes.tokenizer.decode(ids)) for ids in body["input"]]
            each = self._numbers(wishes, pairs)
            data = [{"index": i, "object": "pooling", "data": x} for i, x in enumerate(each)]
            return reply(200, {"model": wishes.model, "data": data[::-1]})
        if (wishes.software, self.path) == ("tei", "/predict"):
            assert body["raw_scores"] is True
            assert body["truncate"] is False
            if len(body["inputs"]) > 8:
                return reply(413, {"error": "batch size > maximum allowed batch size 8"})
            each = self._numbers(wishes, [(q, a) for q, a in body["inputs"]])
            return reply(
                200,
                [[{"score": x, "label": f"LABEL_{i}"} for i, x in enumerate(xs)] for xs in each],
            )
        return reply(404, {"detail": "Not Found"})

    def _pair(self, text: str) -> Pair:
        """What `TEMPLATE` made of a pair, undone."""
        turns = [part.partition("<|im_end|>")[0] for part in text.split("<|im_start|>")[1:]]
        return turns[0], turns[1]

    def _numbers(self, wishes: Wishes, pairs: list[Pair]) -> list[list[float]]:
        raw = [taste.reward(*pair, shift=wishes.shift, seed=wishes.seed) for pair in pairs]
        return [[wishes.activation(x) + i for i in range(wishes.labels)] for x in raw]

    def _allowed(self) -> bool:
        key = self.served.wishes.key
        return not key or self.headers["Authorization"] == f"Bearer {key}"

    def _send(self, given: Reply) -> None:
        status, headers, content = given
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # whoever asked has gone


def sigmoid(x: float) -> float:
    """A steep one, as of a model whose rewards are large."""
    return 1 / (1 + math.exp(-8 * x))
