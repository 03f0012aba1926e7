"""``served:URL``: the spec, and that what is stored is asked once, whatever befalls the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import taste
from support.served import Served, reply, serving
from valuebias.candidates import Candidates
from valuebias.errors import ModelError, SpecError
from valuebias.models import connection
from valuebias.models.settings import Settings
from valuebias.progress import Progress
from valuebias.prompts import PAPER_PROMPTS
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import check_language_model, parse_spec
from valuebias.scorers.served import Address
from valuebias.store.database import Store

PROMPTS = PAPER_PROMPTS[:2]
WORDS = Candidates.words([f"word{i}" for i in range(40)])
TRUE = np.array(
    [taste.rewards(1.5)([(p.text, w) for w in WORDS.responses]) for p in PROMPTS], np.float32
)
PREFLIGHT, CHECKS = 96, 64
"""Conversations asked for when it is opened; and around a job, that it is the same model still."""

Open = Callable[[], Any]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_WAIT_SECONDS", 0.001)


@pytest.fixture
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def scorer(server: Served, tmp_path: Path) -> Iterator[Open]:
    """The scorer of a new process each time."""
    benches: list[Bench] = []

    def scorer() -> Any:
        store = Store(tmp_path / "scores.sqlite")
        benches.append(Bench(store, Settings(), progress=Progress(quiet=True)))
        return benches[-1].scorer(parse_spec(f"served:{server.url}"))

    yield scorer
    for bench in benches:
        bench.close()


# The spec


@pytest.mark.parametrize(
    ("text", "label", "address"),
    [
        ("served:http://host:8000", "served:http://host:8000",
         Address("http://host:8000", None, None, pairs=False)),
        ("served:https://host/rm/", "served:https://host/rm",
         Address("https://host/rm", None, None, pairs=False)),
        ("mine=served:http://[::1]:80,model=org/a=b", "mine",
         Address("http://[::1]:80", None, "org/a=b", pairs=False)),
        ("served:http://host, input=pairs", "served:http://host",
         Address("http://host", None, None, pairs=True)),
        ("served:http://host,tokenizer=.", "served:http://host",
         Address("http://host", "{here}", None, pairs=False)),
    ],
)  # fmt: skip
def test_forms(
    text: str, label: str, address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = parse_spec(text)
    assert (spec.label, spec.scheme) == (label, "served")
    here = address.tokenizer and address.tokenizer.format(here=tmp_path)
    assert Address.of(spec) == Address(address.url, here, address.model, address.pairs)
    assert not spec.has_files


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("served:", "not the address of a server"),
        ("served:host:8000", "not the address of a server"),
        ("served:ftp://host", "not the address of a server"),
        ("served:http://", "not the address of a server"),
        ("served:http://host:port", "not the address of a server"),
        ("served:http://[host", "not the address of a server"),
        ("served:http://host/a b", "not the address of a server"),
        ("served:http://host?key=secret", "has a query"),
        ("served:http://host#secret", "has a query"),
        ("served:http://me:secret@host", "user name or password.*VALUEBIAS_SERVED_KEY"),
        ("served:http://secret@host:1", "user name or password"),
        ("served:http://host,tokenizer=missing", "tokenizer's directory was not found"),
        ("served:http://host,tokeniser=.", "no such option.*tokeniser=.*tokenizer=DIRECTORY"),
        ("served:http://host,model=", "no such option"),
        ("served:http://host,", "no such option"),
        ("served:http://host,model=a,model=b", "model is given twice"),
        ("served:http://host,input=texts", "unknown input"),
        ("served:http://host,input=pairs,tokenizer=.", "no pairs of texts"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as refused:
        parse_spec(text)
    assert "secret" not in str(refused.value)


@given(st.text(max_size=40))
def test_any_target_is_a_spec_or_a_spec_error(target: str) -> None:
    try:
        spec = parse_spec(f"served:{target}")
    except SpecError:
        return
    assert spec.label.isprintable()
    assert Address.of(spec).url.startswith("http")


def test_it_is_a_reward_model() -> None:
    with pytest.raises(SpecError, match="not a language model"):
        check_language_model(parse_spec("served:http://host", load_as="llm"))


# The store


def test_what_is_stored_is_not_asked_again(scorer: Open, server: Served) -> None:
    first = scorer().score(PROMPTS, WORDS)
    assert first.values.tobytes() == TRUE.tobytes()
    asked = PREFLIGHT + CHECKS + TRUE.size
    assert server.scored() == asked
    again = scorer().score(PROMPTS, WORDS)
    assert again.values.tobytes() == first.values.tobytes()
    assert again.provenance == first.provenance
    assert server.scored() == asked + PREFLIGHT, "every run looks whether it is the same model"


def test_what_came_before_the_server_died_is_kept(scorer: Open, server: Served) -> None:
    enough = PREFLIGHT + CHECKS // 2 + 60
    server.wishes.trouble = lambda number, path: reply(500, "") if number > enough else None
    with pytest.raises(ModelError, match="did not answer"):
        scorer().score(PROMPTS, WORDS)
    before = len(server.requests)
    server.wishes.trouble = lambda number, path: None
    assert scorer().score(PROMPTS, WORDS).values.tobytes() == TRUE.tobytes()
    new = server.scored(but=before) - PREFLIGHT - CHECKS
    assert 0 < new <= TRUE.size - 40, "the first prompt was stored, and part of the second"


def test_changed_weights_are_scored_anew(scorer: Open, server: Served) -> None:
    first = scorer().score(PROMPTS, WORDS)
    server.wishes.shift, server.wishes.seed = 0.0, 5
    changed = scorer().score(PROMPTS, WORDS)
    assert not np.isclose(changed.values, first.values).any()
    assert changed.provenance["fingerprint"] != first.provenance["fingerprint"]
    server.wishes.shift, server.wishes.seed = 1.5, 0
    before = server.scored()
    assert scorer().score(PROMPTS, WORDS).values.tobytes() == TRUE.tobytes()
    assert server.scored() == before + PREFLIGHT, "those before are known still"


def test_weights_that_change_while_they_score_leave_nothing_to_be_found(
    scorer: Open, server: Served
) -> None:
    def change(number: int, path: str) -> None:
        server.wishes.seed = 5 if number > PREFLIGHT + 70 else 0

    server.wishes.trouble = change
    with pytest.raises(ModelError, match="another model now"):
        scorer().score(PROMPTS, WORDS)
    server.wishes.trouble = lambda number, path: None
    server.wishes.seed = 0
    before = server.scored()
    assert scorer().score(PROMPTS, WORDS).values.tobytes() == TRUE.tobytes()
    assert server.scored() - before == PREFLIGHT + CHECKS + TRUE.size
