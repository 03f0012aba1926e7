"""Log-probabilities of words by the trie, against one forward a token without a cache."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    GraniteConfig,
    LlamaConfig,
    OPTConfig,
    PretrainedConfig,
    Qwen3Config,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from support.llama2c import convert
from support.models import test_data
from valuebias.errors import ModelError, SearchError
from valuebias.search import RUNGS, TooSlow
from valuebias.search.language_head import OwnLogits, language_head
from valuebias.search.shared_prefix import IMPLEMENTATION, SharedPrefix, shared_prefix_attention
from valuebias.search.trie import Trie
from valuebias.search.words import WordSearcher

torch.set_num_threads(1)
VOCABULARY, MEMORY = 300, 1 << 28
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    "llama": lambda: LlamaConfig(**SIZES),
    "gemma2": lambda: Gemma2Config(
        **SIZES,
        head_dim=16,
        query_pre_attn_scalar=7,
        sliding_window=9,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0,
    ),
    "qwen3": lambda: Qwen3Config(**SIZES, head_dim=16),
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCABULARY, n_embd=64, n_layer=3, n_head=4, n_positions=128, pad_token_id=0
    ),
}
OTHERS: dict[str, Callable[[], PretrainedConfig]] = {
    "logits times a factor": lambda: CohereConfig(**SIZES, logit_scale=0.3),
    "logits divided": lambda: GraniteConfig(**SIZES, logits_scaling=4.0),
    "a language head with a bias": lambda: _phi(),
    "a projection behind the decoder": lambda: OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        ffn_dim=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=128,
        word_embed_proj_dim=32,
        pad_token_id=0,
    ),
}
PREFIX = np.random.default_rng(1).integers(20, VOCABULARY, 23).tolist()


def _phi() -> PretrainedConfig:
    from transformers import PhiConfig

    return PhiConfig(**{**SIZES, "num_key_value_heads": 4})


def build(config: PretrainedConfig) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data.normal_(0, 0.2)
        elif parameter.ndim == 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture(scope="module")
def llama() -> Any:
    return build(CONFIGS["llama"]())


def naive(model: Any, prefix: Sequence[int], words: Sequence[Sequence[int]]) -> Any:
    """One forward a token, in float32, and a softmax of its own."""
    known: dict[tuple[int, ...], Any] = {}

    def next_token(ids: tuple[int, ...]) -> Any:
        if ids not in known:
            with torch.inference_mode():
                out = model(input_ids=torch.tensor([ids]), use_cache=False)
            logits = out.logits[0, -1].float().numpy().astype(np.float64)
            known[ids] = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        return known[ids]

    return np.array(
        [
            sum(next_token((*prefix, *word[:i]))[token] for i, token in enumerate(word))
            for word in words
        ]
    )


def some_words(count: int = 60, vocabulary: int = VOCABULARY) -> list[list[int]]:
    """Words of one to five tokens that share beginnings, some the beginning of another."""
    rng = random.Random(2)
    firsts = [rng.randrange(vocabulary) for _ in range(12)]
    words = [
        [rng.choice(firsts), *(rng.randrange(vocabulary // 20) for _ in range(rng.randrange(5)))]
        for _ in range(count)
    ]
    words += [words[-1][:1], [*words[-1], 5], [7, 7, 7], [7], [0, 0]]
    return [list(word) for word in dict.fromkeys(map(tuple, words))]


SHALLOW = some_words()
WORDS = [*SHALLOW, [9, 8, 7, 6, 5, 4, 3, 2] * 3]  # one very deep


def searcher(model: Any, **options: Any) -> WordSearcher:
    return WordSearcher(language_head(model)[0], **{"chunk_memory": MEMORY, **options})


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_rung_repeats_the_naive_chain_rule(name: str, rung: str) -> None:
    model = build(CONFIGS[name]())
    search = searcher(model, rungs=[rung])
    expected = naive(model, PREFIX, WORDS)
    values = search.run(PREFIX, WORDS)
    np.testing.assert_allclose(values, expected, atol=1e-5, rtol=1e-6)
    assert (search.rung, search.notes) == (rung, ())
    assert search.self_check < 1e-4
    assert values.dtype == np.float32
    assert expected.std() > 1


@pytest.mark.parametrize("name", OTHERS)
def test_the_way_to_the_logits_is_the_models_own(name: str) -> None:
    model = build(OTHERS[name]())
    head, note = language_head(model)
    assert (type(head) is OwnLogits, bool(note)) == (False, False)
    values = WordSearcher(head, chunk_memory=MEMORY).run(PREFIX, WORDS)
    np.testing.assert_allclose(values, naive(model, PREFIX, WORDS), atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("rung", RUNGS)
def test_logits_that_are_made_in_a_way_unknown_here(rung: str) -> None:
    model = build(CONFIGS["llama"]())
    own = model.lm_head.forward
    model.lm_head.forward = lambda hidden: 1.5 * own(hidden).clamp(-2, 2)
    head, note = language_head(model)
    assert type(head) is OwnLogits
    assert "differ from the model's own" in note
    search = WordSearcher(head, chunk_memory=MEMORY, rungs=[rung])
    values = search.run(PREFIX, WORDS)
    np.testing.assert_allclose(values, naive(model, PREFIX, WORDS), atol=1e-5, rtol=1e-6)


def test_a_really_trained_model() -> None:
    folder = test_data()
    if folder is None:
        pytest.skip("VALUEBIAS_TEST_DATA is not set")
    model = convert(folder / "models" / "stories260K" / "stories260K.bin")
    prefix = [1, 403, 407, 261, 378]  # "Once upon a time"
    words = some_words(vocabulary=512)
    search = searcher(model)
    np.testing.assert_allclose(
        search.run(prefix, words), naive(model, prefix, words), atol=1e-5, rtol=1e-6
    )
    assert search.rung == "shared-prefix"
    log_p = search.next_token(prefix)
    distribution = np.exp(log_p.astype(np.float64))
    # They share a normaliser that is rounded to float32, as they are themselves.
    rounding = float(np.finfo(np.float32).eps * np.abs(log_p).max())
    assert distribution.sum() == pytest.approx(1, abs=rounding)
    assert distribution.max() > 0.5  # what a model without training never says


@pytest.mark.parametrize("name", CONFIGS)
def test_a_prompt_of_one_token(name: str) -> None:
    model = build(CONFIGS[name]())
    np.testing.assert_allclose(
        searcher(model).run([5], WORDS), naive(model, [5], WORDS), atol=1e-5, rtol=1e-6
    )


def test_a_word_given_twice_and_words_of_one_token_alone(llama: Any) -> None:
    search = searcher(llama)
    singles = search.run(PREFIX, [[4], [9], [4]])
    assert search.rung == ""  # the prompt was enough
    np.testing.assert_array_equal(singles, search.next_token(PREFIX)[[4, 9, 4]])
    twice = search.run(PREFIX, [[4, 5], [4], [4, 5]])
    assert twice[0] == twice[2] < twice[1] == singles[0]


def test_another_prompt_is_not_taken_for_the_first(llama: Any) -> None:
    search = searcher(llama)
    for prefix in (PREFIX, PREFIX[::-1], PREFIX[:7]):
        np.testing.assert_allclose(
            search.run(prefix, WORDS), naive(llama, prefix, WORDS), atol=1e-5, rtol=1e-6
        )


def test_bfloat16_makes_logits_in_float32(llama: Any) -> None:
    model = build(CONFIGS["llama"]()).to(torch.bfloat16)
    search = searcher(model)
    values = search.run(PREFIX, WORDS)
    assert (search.rung, search.notes) == ("shared-prefix", ())
    exact = naive(llama, PREFIX, WORDS)
    assert np.abs(values - exact).max() < 0.1 * exact.std()
    next_token = search.next_token(PREFIX)
    assert len(set(next_token.tolist())) == VOCABULARY  # bfloat16 would have ties
    assert np.exp(next_token.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)


def test_rows_of_the_language_head_without_a_token_count(llama: Any) -> None:
    logits = llama(input_ids=torch.tensor([PREFIX])).logits[0, -1].double()
    assert len(logits) == VOCABULARY
    expected = logits.log_softmax(-1).detach().numpy()
    np.testing.assert_allclose(searcher(llama).next_token(PREFIX), expected, atol=1e-5)


# -- the trie --------------------------------------------------------------------------------------

Tries = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=30)


@settings(max_examples=300, deadline=None)
@given(words=Tries, rows=st.integers(1, 5))
def test_sums_along_the_trie_are_the_chain_rule(words: list[list[int]], rows: int) -> None:
    trie = Trie(words)
    table: dict[tuple[int, ...], float] = {}

    def value(prefix: tuple[int, ...]) -> float:
        return table.setdefault(prefix, float(len(table) + 1))

    values = np.full(len(trie.tokens), np.nan, dtype=np.float32)
    below_root = np.flatnonzero(trie.parents < 0)
    values[below_root] = [value((int(trie.tokens[e]),)) for e in below_root]
    tokens_run = 0
    for block in trie.blocks(lambda length: (rows, 2 * rows)):
        assert len(block.paths) <= 2 * rows
        tokens_run += block.paths.size
        length = block.paths.shape[1]
        for edge, owner in zip(block.edges, block.owners, strict=True):
            row, step = divmod(int(block.nodes[owner]), length)
            node = tuple(block.paths[row, : step + 1].tolist())
            assert np.isnan(values[edge])  # read once
            values[edge] = value((*node, int(trie.tokens[edge])))
    expected = [sum(value(tuple(w[: i + 1])) for i in range(len(w))) for w in words]
    np.testing.assert_array_equal(trie.totals(values, np.arange(len(words))), expected)
    inner = {tuple(w[:i]) for w in words for i in range(1, len(w))}
    longest = {w for w in inner if not any(w == v[: len(w)] and w != v for v in inner)}
    assert tokens_run == sum(map(len, longest))


# -- chunks, resumption, memory, time --------------------------------------------------------------

SMALL = 30_000  # bytes: a few paths a pass


def test_a_small_budget_makes_many_chunks_of_the_same_numbers(llama: Any) -> None:
    chunks: dict[int, list[list[int]]] = {SMALL: [], MEMORY: []}

    def noting(memory: int) -> Callable[[Any, Any], None]:
        return lambda indices, _: chunks[memory].append(indices.tolist())

    values = {
        memory: searcher(llama, chunk_memory=memory).run(PREFIX, SHALLOW, on_chunk=noting(memory))
        for memory in chunks
    }
    np.testing.assert_allclose(values[SMALL], values[MEMORY], atol=1e-5)
    for each in chunks.values():
        assert sorted(i for chunk in each for i in chunk) == list(range(len(SHALLOW)))
    assert len(chunks[SMALL]) > 2 * len(chunks[MEMORY])


@pytest.mark.parametrize("stop", [1, 2, 5, 9])
def test_a_resumed_run_repeats_every_bit_and_skips_what_is_done(llama: Any, stop: int) -> None:
    whole = searcher(llama, chunk_memory=SMALL).run(PREFIX, SHALLOW)
    done, kept = np.zeros(len(SHALLOW), bool), np.full(len(SHALLOW), np.nan, np.float32)

    class Killed(Exception):
        pass

    handed: list[Any] = []

    def keep(indices: Any, values: Any) -> None:
        if len(handed) == stop:
            raise Killed
        handed.append(indices)
        done[indices], kept[indices] = True, values

    with pytest.raises(Killed):
        searcher(llama, chunk_memory=SMALL).run(PREFIX, SHALLOW, on_chunk=keep)
    first = done.copy()
    stop = -1
    rest = searcher(llama, chunk_memory=SMALL).run(PREFIX, SHALLOW, done=done.copy(), on_chunk=keep)
    assert 0 < first.sum() < len(SHALLOW)
    assert done.all()
    assert np.isnan(rest[first]).all()
    np.testing.assert_array_equal(kept, whole)


def test_passes_that_only_done_words_need_are_skipped(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = []
    own = SharedPrefix.hidden
    search = searcher(llama, chunk_memory=SMALL)
    whole = search.run(PREFIX, SHALLOW)

    def counted(self: SharedPrefix, tails: Any, rows: Any) -> Any:
        run.append(rows)
        return own(self, tails, rows)

    monkeypatch.setattr(SharedPrefix, "hidden", counted)
    search.run(PREFIX, SHALLOW)
    every = len(run)
    done = np.ones(len(SHALLOW), bool)
    done[3] = False
    run.clear()
    assert len(SHALLOW[3]) > 1
    assert search.run(PREFIX, SHALLOW, done=done)[3] == whole[3]
    assert 0 < len(run) <= len(SHALLOW[3]) - 1 < every
    run.clear()
    assert np.isnan(search.run(PREFIX, SHALLOW, done=np.ones(len(SHALLOW), bool))).all()
    assert not run


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory."),
        lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
    ],
    ids=["cuda", "cpu"],
)
def test_out_of_memory_halves_and_keeps_what_is_finished(
    llama: Any, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    expected = searcher(llama).run(PREFIX, WORDS)
    own, tried = SharedPrefix.hidden, []

    def hidden(self: SharedPrefix, tails: Any, rows: int) -> torch.Tensor:
        tried.append(rows)
        if rows > 4:
            raise error()
        return own(self, tails, rows)

    monkeypatch.setattr(SharedPrefix, "hidden", hidden)
    search = searcher(llama)
    handed: list[int] = []
    values = search.run(PREFIX, WORDS, on_chunk=lambda i, _: handed.extend(i))
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert sorted(handed) == list(range(len(WORDS)))
    assert search.rung == "shared-prefix"
    assert max(tried) > 4 >= tried[-1]


def test_budgets_below_one_path_or_one_nodes_logits_are_errors(llama: Any) -> None:
    with pytest.raises(SearchError, match="Allow more chunk memory"):
        searcher(llama, chunk_memory=100).run(PREFIX, WORDS)
    wide = build(LlamaConfig(**{**SIZES, "vocab_size": 30_000}))
    with pytest.raises(SearchError, match="logits of one position"):
        searcher(wide, chunk_memory=200_000).run(PREFIX, WORDS)


def test_too_slow_says_how_long_and_keeps_what_was_handed_out(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = searcher(llama, chunk_memory=SMALL)
    search.run(PREFIX, SHALLOW)
    clock = iter(float(second) for second in range(1000))
    monkeypatch.setattr("valuebias.search.clock.time.monotonic", lambda: next(clock))
    handed: list[int] = []
    with pytest.raises(TooSlow) as caught:
        search.run(PREFIX, SHALLOW, on_chunk=lambda i, _: handed.extend(i), time_limit=3.0)
    assert caught.value.estimate > 3
    assert 0 < len(handed) < len(SHALLOW)


# -- the ladder, and bad input ---------------------------------------------------------------------


def masked(module: Any, query: Any, key: Any, value: Any, mask: Any, **kwargs: Any) -> Any:
    return shared_prefix_attention(module, query, key, value, torch.zeros(1), **kwargs)


def slightly_wrong(*args: Any, **kwargs: Any) -> Any:
    return shared_prefix_attention(*args, **{**kwargs, "scaling": 1.01 * kwargs["scaling"]})


@pytest.mark.parametrize(("family", "rung"), [("Bloom", "prefix-cache"), ("Mamba", "full")])
def test_families_that_the_upper_rungs_cannot_run(family: str, rung: str) -> None:
    config = getattr(transformers, f"{family}Config")(
        vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=3, num_attention_heads=4
    )
    model = build(config)
    search = searcher(model)
    values = search.run(PREFIX, SHALLOW)
    assert search.rung == rung
    np.testing.assert_allclose(values, naive(model, PREFIX, SHALLOW), atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (masked, "builds an attention mask of its own"),
        (slightly_wrong, "log-probabilities differ from the model's own forward by"),
        (lambda *_, **__: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_rung_that_refuses_or_differs_falls_to_the_next(
    llama: Any, monkeypatch: pytest.MonkeyPatch, function: Any, reason: str
) -> None:
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, IMPLEMENTATION, function)
    search = searcher(llama)
    values = search.run(PREFIX, WORDS)
    assert search.rung == "prefix-cache"
    assert len(search.notes) == 1
    assert reason in search.notes[0]
    np.testing.assert_allclose(values, naive(llama, PREFIX, WORDS), atol=1e-5, rtol=1e-6)


def test_no_rung_that_agrees_is_an_error(llama: Any) -> None:
    head, _ = language_head(llama)
    own = head.own
    head.own = lambda ids, last, mask=None: (  # type: ignore[method-assign]
        own(ids, last, mask) * 1.01
    )
    search = WordSearcher(head, chunk_memory=MEMORY)
    with pytest.raises(SearchError, match="no way to search this model") as caught:
        search.run(PREFIX, WORDS)
    assert all(f"{rung}: log-probabilities differ" in str(caught.value) for rung in RUNGS)


def test_bad_input(llama: Any) -> None:
    search = searcher(llama)
    for bad in (-1, VOCABULARY):
        with pytest.raises(SearchError, match=f"outside the model's vocabulary.*Seen: {bad}"):
            search.run(PREFIX, [[5, 7], [5, bad]])
    with pytest.raises(SearchError, match="a word has no token"):
        search.run(PREFIX, [[5], []])
    with pytest.raises(SearchError, match="no token before"):
        search.run([], WORDS)
    assert search.run(PREFIX, []).shape == (0,)


def test_values_that_are_not_finite() -> None:
    model = build(CONFIGS["llama"]())
    model.lm_head.weight.data[7] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        searcher(model).run(PREFIX, [[5]])
