"""What a server says of itself: which software it is, and which model it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from valuebias.errors import ModelError, visible
from valuebias.models.connection import Connection

VLLM: Literal["vLLM"] = "vLLM"
TEI: Literal["text-embeddings-inference"] = "text-embeddings-inference"
BATCH = 32
"""How many conversations a question holds, where it can hold several."""


@dataclass(frozen=True)
class Server:
    """``model`` is the server's name of it, ``revision`` and ``dtype`` are what it says of it;
    ``batch`` is how many conversations a question may hold."""

    software: Literal["vLLM", "text-embeddings-inference"]
    version: str
    model: str
    revision: str = ""
    dtype: str = ""
    batch: int = BATCH

    @property
    def told(self) -> str:
        """One line for a report or an error."""
        return f"{visible(self.model)[:100]} on {self.software} {self.version}"


def ask_server(connection: Connection, model: str | None) -> Server:
    """What serves there. ``model`` is the name of one, where it has several.

    Raises ModelError if the server cannot be reached, is neither of the two, or has no such model.
    """
    listed = connection.get("/v1/models")
    if isinstance(listed, dict):
        return _vllm(connection, listed, model)
    info = connection.get("/info")
    if isinstance(info, dict) and "model_id" in info and "model_type" in info:
        return _tei(connection, info, model)
    raise ModelError(
        f"neither a vLLM server nor text-embeddings-inference: {connection.host}",
        seen="nothing that is known at /v1/models and /info",
        remedy="Give the address under which these paths lie, such as http://localhost:8000.",
    )


def _vllm(connection: Connection, listed: Mapping[str, Any], model: str | None) -> Server:
    entries = listed.get("data")
    models = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    ids = [str(entry.get("id")) for entry in models]
    owners = ", ".join(str(entry.get("owned_by")) for entry in models)
    if not models or any(entry.get("owned_by") != "vllm" for entry in models):
        raise ModelError(
            f"a server of another kind than vLLM: {connection.host}",
            seen=f"models owned by {owners}" if models else "no models at /v1/models",
            remedy="Serve the model with vLLM (vllm serve MODEL --runner pooling).",
        )
    if model not in ids and (model is not None or len(ids) > 1):
        raise ModelError(
            "the server has several models"
            if model is None
            else f"the server has no model {model!r}",
            seen=", ".join(ids),
            remedy="Name one of them: served:URL,model=ID.",
        )
    version = connection.get("/version")
    told = version.get("version") if isinstance(version, dict) else None
    return Server(VLLM, _text(told or "of unknown version"), ids[0] if model is None else model)


def _tei(connection: Connection, info: Mapping[str, Any], model: str | None) -> Server:
    kind, served = info["model_type"], str(info["model_id"])
    named = kind if isinstance(kind, dict) else {}
    heads = [named[name] for name in ("classifier", "reranker") if name in named]
    labels = [len(head.get("id2label") or ()) for head in heads if isinstance(head, dict)]
    if labels != [1]:
        raise ModelError(
            f"the served model does not give one number: {connection.host}",
            seen=f"{labels[0]} labels" if labels else f"a model of type {kind}",
            remedy="Serve a sequence classifier of one label.",
        )
    if model not in (None, served):
        raise ModelError(
            f"the server has no model {model!r}",
            seen=served,
            remedy="Leave model= out, or name that one.",
        )
    largest = info.get("max_client_batch_size")
    return Server(
        TEI,
        _text(info.get("version") or "of unknown version"),
        served,
        revision=_text(info.get("model_sha") or ""),
        dtype=_text(info.get("model_dtype") or ""),
        batch=min(BATCH, largest) if isinstance(largest, int) and largest > 0 else BATCH,
    )


def _text(value: object) -> str:
    return visible(str(value))[:100]
