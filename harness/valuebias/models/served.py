"""Reward models behind a server: vLLM's pooling server, or text-embeddings-inference.

vLLM takes conversations as messages, which it writes by its own chat template, or as the token ids
that a tokenizer given here makes of them. text-embeddings-inference takes question and answer as a
pair of texts. Raw scores are asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from valuebias.errors import ModelError, SpecError, first_line
from valuebias.models.canary import CONVERSATIONS, FloatArray, Pair
from valuebias.models.chat import TODAY, Chat
from valuebias.models.connection import Connection
from valuebias.models.conversation_format import conversations
from valuebias.models.files import CONFIG, TEMPLATE, ModelFiles
from valuebias.models.opaque import IntArray, OpaqueModel
from valuebias.models.server import TEI, VLLM, Server, ask_server
from valuebias.models.settings import Settings
from valuebias.store.database import Store

AT_ONCE = 16
"""How many questions are under way at a time."""

Part = tuple[IntArray, FloatArray]


def open_served(
    url: str,
    *,
    tokenizer: str | None,
    model: str | None,
    pairs: bool,
    name: str,
    settings: Settings,
    store: Store | None,
) -> OpaqueModel:
    """The reward model behind a URL.

    ``tokenizer`` is the directory of one that makes token ids of conversations, ``model`` the
    server's name of a model, where it has several, ``pairs`` sends question and answer as two
    texts; ``settings`` may declare the format of a tokenizer without a template. Raises ModelError
    if the server cannot be reached, is neither of the two, or serves no model that gives one
    number; and where preflight refuses its scores.
    """
    connection = Connection(url)
    try:
        server = ask_server(connection, model)
    finally:
        connection.close()
    if server.software == TEI and not pairs:
        raise SpecError(
            "text-embeddings-inference takes texts, and writes no conversations",
            seen="tokenizer=" if tokenizer else url,
            remedy="If its model was trained on pairs of texts, give input=pairs. Serve one that "
            "was trained on conversations with vLLM.",
        )
    if server.software == VLLM and pairs:
        raise SpecError(
            "vLLM is asked by messages or token ids, not by pairs",
            seen="input=pairs",
            remedy="Leave it out, or give tokenizer=DIRECTORY.",
        )
    if pairs:
        how = _pairs(server)
    else:
        how = _messages(server) if tokenizer is None else _token_ids(server, tokenizer, settings)
    return OpaqueModel(_Served(connection, server, how), name=name, store=store)


@dataclass(frozen=True)
class _Questions:
    """How a server is asked: ``body`` makes a question of some pairs, ``read`` takes the numbers
    of each pair from its answer. ``said`` tells what is sent; ``facts`` tell more."""

    path: str
    said: str
    batch: int
    body: Callable[[Sequence[Pair]], dict[str, Any]]
    read: Callable[[Any], list[list[Any]]]
    facts: Mapping[str, str] = field(default_factory=dict)


def _messages(server: Server) -> _Questions:
    def body(pairs: Sequence[Pair]) -> dict[str, Any]:
        ((question, answer),) = pairs
        messages = [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
        return {
            "model": server.model,
            "messages": messages,
            "chat_template_kwargs": {"date_string": TODAY},
            "use_activation": False,
        }

    def read(answer: Any) -> list[list[Any]]:
        return [list(entry["probs"]) for entry in answer["data"]]  # raw, in spite of their name

    return _Questions("/classify", "messages, in the server's own template", 1, body, read)


def _token_ids(server: Server, directory: str, settings: Settings) -> _Questions:
    chat = _chat(Path(directory), settings)

    def ids(pair: Pair) -> list[int]:
        written: list[int] = chat.conversations(pair[0], [pair[1]])[0]
        return written

    def body(pairs: Sequence[Pair]) -> dict[str, Any]:
        return {"model": server.model, "input": list(map(ids, pairs)), "use_activation": False}

    def read(answer: Any) -> list[list[Any]]:
        in_order = sorted(answer["data"], key=lambda entry: int(entry["index"]))
        return [list(entry["data"]) for entry in in_order]

    known = json.dumps([ids(pair) for pair in CONVERSATIONS])
    said = f"token ids {hashlib.sha256(known.encode()).hexdigest()[:16]}"
    template = {"template": chat.template, "template_sha256": chat.template_sha256, "bos": chat.bos}
    return _Questions("/pooling", said, server.batch, body, read, template)


def _pairs(server: Server) -> _Questions:
    def body(pairs: Sequence[Pair]) -> dict[str, Any]:
        return {"inputs": [list(pair) for pair in pairs], "raw_scores": True, "truncate": False}

    def read(answer: Any) -> list[list[Any]]:
        return [[prediction["score"] for prediction in predictions] for predictions in answer]

    return _Questions("/predict", "pairs of texts", server.batch, body, read)


def _chat(directory: Path, settings: Settings) -> Chat:
    """How conversations are written with this tokenizer; what the config beside it states counts
    as it does for a model."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except Exception as error:
        raise ModelError(
            "the tokenizer cannot be loaded",
            seen=first_line(error),
            remedy="Give the directory that tokenizer.save_pretrained wrote.",
        ) from error
    files = ModelFiles(directory.name, directory)
    stated = files.config if (directory / CONFIG).is_file() else files.stated
    return conversations(tokenizer, stated.get(TEMPLATE), settings, files.name)


class _Served:
    """A server as a source of scores (`models.opaque.Source`)."""

    def __init__(self, connection: Connection, server: Server, how: _Questions) -> None:
        self._connection, self._server, self._how = connection, server, how

    @property
    def facts(self) -> Mapping[str, str]:
        server = self._server
        facts = {
            "head": f"{server.told} at {self._connection.host}",
            "source": "server",
            "host": self._connection.host,
            "server": f"{server.software} {server.version}",
            "served_model": server.model,
            "input": self._how.said,
            "revision": server.revision,
            "dtype": server.dtype,
        }
        return {key: value for key, value in {**facts, **self._how.facts}.items() if value}

    @property
    def identity(self) -> Mapping[str, str]:
        server = self._server
        return {
            "served": server.model,
            "revision": server.revision,
            "software": f"{server.software} {server.version}",
            "input": self._how.said,
        }

    def scores(self, pairs: Sequence[Pair]) -> Iterator[Part]:
        n = self._how.batch
        batches = ((i, pairs[i : i + n]) for i in range(0, len(pairs), n))
        # The bodies are made in this thread: a tokenizer serves one at a time.
        questions = ((i, some, self._how.body(some)) for i, some in batches)
        return self._at_once(questions)

    def _at_once(
        self, questions: Iterable[tuple[int, Sequence[Pair], Mapping[str, Any]]]
    ) -> Iterator[Part]:
        """The answers as they come, with a bounded number of questions under way. After an error
        no other question is asked."""
        left, stop = iter(questions), threading.Event()
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="valuebias-served")
        try:
            under_way: set[Future[Part]] = {
                pool.submit(self._asked, *each, stop) for each in islice(left, AT_ONCE)
            }
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                more = islice(left, len(done))
                under_way |= {pool.submit(self._asked, *each, stop) for each in more}
                for future in done:
                    yield future.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            self._connection.close()

    def _asked(
        self, start: int, pairs: Sequence[Pair], body: Mapping[str, Any], stop: threading.Event
    ) -> Part:
        answer = self._connection.post(self._how.path, body, stop)
        try:
            each = self._how.read(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._misread("its form", json.dumps(answer)[:200]) from None
        if len(each) != len(pairs):
            raise self._misread("the number of scores", f"{len(each)} for {len(pairs)}")
        for numbers in each:
            if len(numbers) != 1:
                raise ModelError(
                    f"the served model gives several numbers a conversation: {self._server.told}",
                    seen=f"{len(numbers)} numbers",
                    remedy="Serve a sequence classifier of one label.",
                )
            if isinstance(numbers[0], bool) or not isinstance(numbers[0], (int, float)):
                raise self._misread("a score that is not a number", str(numbers[0])[:200])
        with np.errstate(over="ignore"):  # too large for float32: not finite
            values = np.array([_float(x) for (x,) in each]).astype(np.float32)
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ModelError(
                f"the server gives scores that are not finite: {self._server.told}",
                seen=f"{values[at]:g} for {pairs[at]!r}",
                remedy="Serve the model in float32 (--dtype float32), and look at its weights.",
            )
        return np.arange(start, start + len(pairs)), values

    def _misread(self, what: str, seen: str) -> ModelError:
        return ModelError(
            f"an answer at {self._how.path} is not what {self._server.software} documents: {what}",
            seen=seen,
            remedy=f"Check the version of the server ({self._server.told}).",
        )


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf
