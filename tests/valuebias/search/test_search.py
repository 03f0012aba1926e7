"""The exhaustive search against one-by-one forwards of the model class, and its guards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForSequenceClassification,
    Gemma2Config,
    GPT2Config,
    GptOssConfig,
    LlamaConfig,
    PretrainedConfig,
    Qwen3Config,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from valuebias.errors import SearchError
from valuebias.search import RUNGS, Searcher, TooSlow
from valuebias.search import plan as planning
from valuebias.search.shared_prefix import IMPLEMENTATION, SharedPrefix, shared_prefix_attention

torch.set_num_threads(1)
VOCABULARY, PAD, MEMORY = 300, 0, 1 << 28
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 512,
    "pad_token_id": PAD,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "num_labels": 1,
}


class PlainHead:
    """A linear score at the rightmost token that is not padding, as transformers has it."""

    name = "score"

    def __init__(self, model: Any) -> None:
        self.model = model
        self.backbone: torch.nn.Module = getattr(model, model.base_model_prefix)

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        pad = self.model.config.pad_token_id
        return {"last": max((i for i, token in enumerate(ids) if token != pad), default=0)}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return F.linear(hidden["last"].float(), self.model.score.weight.float())[:, 0]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)
        logits: torch.Tensor = out.logits[:, 0].float()
        return logits


class GatedHead(PlainHead):
    """A second read, at a token pattern of the prompt, that decides how the rewards are mixed."""

    name = "gated"
    pattern = (11, 12)

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        generator = torch.Generator().manual_seed(3)
        self.gate = torch.randn(2, 64, generator=generator)
        self.parts = torch.randn(2, 64, generator=generator)

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        gate = max(i for i, pair in enumerate(pairwise(ids)) if pair == self.pattern)
        return {**super().reads(ids), "gate": gate}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        share = F.linear(hidden["gate"].float(), self.gate).softmax(-1)
        return (share * F.linear(hidden["last"].float(), self.parts)).sum(-1)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state
        reads = [self.reads(row) for row in input_ids.tolist()]
        at = {name: torch.tensor([read[name] for read in reads]) for name in reads[0]}
        rows = torch.arange(len(reads))
        return self.rewards({name: hidden[rows, where] for name, where in at.items()})


def build(config: PretrainedConfig) -> Any:
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data.normal_(0, 0.1)
    return model


@pytest.fixture(scope="module")
def llama() -> Any:
    return build(LlamaConfig(**SIZES))


def one_by_one(head: PlainHead, prefix: Sequence[int], tails: Sequence[Sequence[int]]) -> Any:
    rows = [torch.tensor([[*prefix, *tail]]) for tail in tails]
    with torch.inference_mode():
        return torch.cat([head.forward(row, torch.ones_like(row)) for row in rows]).numpy()


def tokens(count: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(20, VOCABULARY, count).tolist()


PREFIX = [*tokens(8, 1), 11, 12, *tokens(13, 2)]
TAILS = [[token, 7] for token in tokens(20, 3)] + [[PAD, 7]]

LABELS: dict[str, Any] = {"num_labels": 1}
CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    "grouped queries": lambda: LlamaConfig(**SIZES),
    "one key head each": lambda: LlamaConfig(**{**SIZES, "num_key_value_heads": 4}),
    "softcap, window shorter than the prompt": lambda: Gemma2Config(
        **SIZES, head_dim=16, query_pre_attn_scalar=7, sliding_window=9, attn_logit_softcapping=2.0
    ),
    "absolute positions": lambda: GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=64,
        n_layer=3,
        n_head=4,
        **LABELS,
        pad_token_id=PAD,
        bos_token_id=1,
        eos_token_id=2,
    ),
    "query norms": lambda: Qwen3Config(**SIZES, head_dim=16),
    "attention sinks": lambda: GptOssConfig(
        **SIZES, head_dim=16, num_local_experts=4, num_experts_per_tok=2, sliding_window=9
    ),
}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_rung_repeats_one_by_one_forwards(name: str, rung: str) -> None:
    head = PlainHead(build(CONFIGS[name]()))
    ragged = [*TAILS, [5], *([token, 9, 4] for token in (3, PAD, 8)), [9, 8, 7, 6], [PAD] * 3]
    searcher = Searcher(head, chunk_memory=MEMORY, rungs=[rung])
    values = searcher.run(PREFIX, ragged)
    expected = one_by_one(head, PREFIX, ragged)
    assert (searcher.rung, searcher.notes) == (rung, ())
    assert expected.std() > 0.05
    np.testing.assert_allclose(values, expected, atol=1e-5, rtol=0)
    assert searcher.self_check < 1e-5
    assert values.dtype == np.float32


@pytest.mark.parametrize("tail", [1, 2, 3, 4, 7])
def test_tails_of_any_length(llama: Any, tail: int) -> None:
    head = PlainHead(llama)
    tails = [tokens(tail, seed) for seed in range(12)]
    searcher = Searcher(head, chunk_memory=MEMORY)
    np.testing.assert_allclose(
        searcher.run(PREFIX, tails), one_by_one(head, PREFIX, tails), atol=1e-5, rtol=0
    )
    assert searcher.rung == "shared-prefix"


@pytest.mark.parametrize("rung", RUNGS)
def test_reads_inside_the_prefix_and_moved_by_a_candidate(llama: Any, rung: str) -> None:
    head = GatedHead(llama)
    tails = [*TAILS, [11, 12], [12, 11], [PAD, PAD]]  # one of these repeats the gate's pattern
    searcher = Searcher(head, chunk_memory=MEMORY, rungs=[rung])
    expected = one_by_one(head, PREFIX, tails)
    np.testing.assert_allclose(searcher.run(PREFIX, tails), expected, atol=1e-5, rtol=0)


def test_a_candidate_equal_to_pad_and_suffix_reads_in_the_prefix() -> None:
    head = PlainHead(build(LlamaConfig(**{**SIZES, "pad_token_id": 7})))
    tails = [[7, 7], [8, 7], [9, 7]]
    searcher = Searcher(head, chunk_memory=MEMORY)
    values = searcher.run([*PREFIX, 7], tails)
    np.testing.assert_allclose(values, one_by_one(head, [*PREFIX, 7], tails), atol=1e-5, rtol=0)
    assert searcher.rung == "shared-prefix"


@pytest.mark.parametrize("rung", RUNGS)
def test_a_model_without_a_pad_token(rung: str) -> None:
    head = PlainHead(build(LlamaConfig(**{**SIZES, "pad_token_id": None})))
    searcher = Searcher(head, chunk_memory=MEMORY, rungs=[rung])
    np.testing.assert_allclose(
        searcher.run(PREFIX, TAILS), one_by_one(head, PREFIX, TAILS), atol=1e-5, rtol=0
    )


def test_bfloat16_takes_the_top_rung_within_the_scatter_of_batch_sizes() -> None:
    model = build(LlamaConfig(**SIZES))
    exact = one_by_one(PlainHead(model), PREFIX, TAILS)
    searcher = Searcher(PlainHead(model.to(torch.bfloat16)), chunk_memory=MEMORY)
    values = searcher.run(PREFIX, TAILS)
    assert (searcher.rung, searcher.notes) == ("shared-prefix", ())
    assert np.abs(values - exact).max() < 0.3 * exact.std()
    assert len(set(values.tolist())) == len(set(map(tuple, TAILS)))  # the head runs in float32


def test_the_models_own_attention_is_put_back(llama: Any) -> None:
    head = PlainHead(llama)
    before = llama.config._attn_implementation
    seen = []
    Searcher(head, chunk_memory=MEMORY).run(
        PREFIX, TAILS, on_chunk=lambda *_: seen.append(llama.config._attn_implementation)
    )

    def fail(hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        raise ValueError("a head that fails")

    head.rewards = fail  # type: ignore[method-assign]
    Searcher(head, chunk_memory=MEMORY).run(PREFIX, TAILS)
    assert {before, *seen, llama.config._attn_implementation} == {before}
    assert before != IMPLEMENTATION


# -- blocks, resumption, independence --------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(count=st.integers(1, 400), extra=st.integers(1, 200), seed=st.integers(0, 99))
def test_scores_do_not_depend_on_how_many_candidates_follow(
    llama: Any, count: int, extra: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tails = [rng.integers(0, VOCABULARY, rng.integers(1, 4)).tolist() for _ in range(count + extra)]
    searcher = Searcher(PlainHead(llama), chunk_memory=MEMORY)
    all_of_them = searcher.run(PREFIX, tails)
    some = Searcher(PlainHead(llama), chunk_memory=MEMORY).run(PREFIX, tails[:count])
    np.testing.assert_array_equal(some, all_of_them[:count])


def test_a_resumed_search_repeats_every_bit_and_skips_what_is_done(llama: Any) -> None:
    tails = [[token, 7] for token in range(VOCABULARY)] + [[token, 8, 7] for token in range(150)]
    whole = Searcher(PlainHead(llama), chunk_memory=MEMORY).run(PREFIX, tails)
    done, kept = np.zeros(len(tails), bool), np.full(len(tails), np.nan, np.float32)

    class Killed(Exception):
        pass

    def keep_one_then_die(indices: Any, values: Any) -> None:
        if done.any():
            raise Killed
        done[indices], kept[indices] = True, values

    with pytest.raises(Killed):
        Searcher(PlainHead(llama), chunk_memory=MEMORY).run(
            PREFIX, tails, on_chunk=keep_one_then_die
        )
    first = done.copy()
    again: list[int] = []

    def keep(indices: Any, values: Any) -> None:
        again.extend(indices)
        kept[indices] = values

    done[-1] = True  # part of a block: the block is computed whole
    resumed = Searcher(PlainHead(llama), chunk_memory=MEMORY).run(
        PREFIX, tails, done=done, on_chunk=keep
    )
    assert 0 < first.sum() < len(tails)
    assert sorted(again) == np.flatnonzero(~first).tolist()
    assert np.isnan(resumed[first]).all()
    np.testing.assert_array_equal(kept, whole)


def test_one_block_ahead_on_a_device_hands_out_the_same(llama: Any) -> None:
    tails = [[token, 7] for token in range(VOCABULARY)]
    expected = Searcher(PlainHead(llama), chunk_memory=MEMORY).run(PREFIX, tails)
    searcher = Searcher(PlainHead(llama), chunk_memory=MEMORY)
    searcher._device = torch.device("cuda")  # only the planning asks; the model stays on the CPU
    handed: list[int] = []
    values = searcher.run(PREFIX, tails, on_chunk=lambda indices, _: handed.extend(indices))
    np.testing.assert_allclose(values, expected, atol=1e-6, rtol=0)
    assert handed == list(range(len(tails)))


def test_nothing_runs_when_all_is_done(llama: Any) -> None:
    searcher = Searcher(PlainHead(llama), chunk_memory=MEMORY)
    values = searcher.run(PREFIX, TAILS, done=np.ones(len(TAILS), bool))
    assert np.isnan(values).all()
    assert searcher.rung == ""


@settings(max_examples=200, deadline=None)
@given(count=st.integers(1, 5000), first=st.integers(1, 64), doublings=st.integers(0, 6))
def test_blocks_cut_a_bucket_without_gap_and_end_in_padding_only(
    count: int, first: int, doublings: int
) -> None:
    largest = first << doublings
    cut = list(planning.blocks(np.arange(count), np.zeros((count, 2), np.int64), first, largest))
    np.testing.assert_array_equal(np.concatenate([b.indices for b in cut]), np.arange(count))
    assert all(len(block.indices) == block.rows for block in cut[:-1])
    assert len(cut[-1].indices) <= cut[-1].rows <= largest
    assert sum(block.rows for block in cut) <= 1.5 * count + first


def test_an_empty_tail_borrows_from_the_prefix(llama: Any) -> None:
    head = PlainHead(llama)
    tails = [[], [5], [6, 7]]
    values = Searcher(head, chunk_memory=MEMORY).run(PREFIX, tails)
    np.testing.assert_allclose(values, one_by_one(head, PREFIX, tails), atol=1e-5, rtol=0)


# -- memory ----------------------------------------------------------------------------------------


def short_of_memory(
    monkeypatch: pytest.MonkeyPatch, rows: int, error: Callable[[], Exception]
) -> list[int]:
    """Make passes of more than ``rows`` rows fail; returns the rows tried."""
    own, tried = SharedPrefix.rewards, []

    def rewards(self: SharedPrefix, tails: Any, padded: int) -> torch.Tensor:
        tried.append(padded)
        if padded > rows:
            raise error()
        return own(self, tails, padded)

    monkeypatch.setattr(SharedPrefix, "rewards", rewards)
    return tried


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
    head = PlainHead(llama)
    tails = [[token, 7] for token in range(VOCABULARY)]
    expected = Searcher(head, chunk_memory=MEMORY).run(PREFIX, tails)
    tried = short_of_memory(monkeypatch, 40, error)
    handed: list[int] = []
    searcher = Searcher(head, chunk_memory=MEMORY)
    values = searcher.run(PREFIX, tails, on_chunk=lambda indices, _: handed.extend(indices))
    np.testing.assert_allclose(values, expected, atol=1e-6, rtol=0)
    assert searcher.rung == "shared-prefix"
    assert sorted(handed) == list(range(len(tails)))
    assert [rows for rows in tried if rows > 40] == [128, 64]  # found once, remembered after


def test_one_candidate_that_does_not_fit_is_an_error(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 0, lambda: torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(SearchError, match="not enough memory for one candidate of 2 tokens"):
        Searcher(PlainHead(llama), chunk_memory=MEMORY).run(PREFIX, TAILS)


def test_a_budget_below_one_candidate_is_an_error(llama: Any) -> None:
    with pytest.raises(SearchError, match="Allow more chunk memory"):
        Searcher(PlainHead(llama), chunk_memory=100).run(PREFIX, TAILS)


def test_a_smaller_budget_makes_smaller_blocks(llama: Any) -> None:
    tails = [[token, 7] for token in range(VOCABULARY)]
    sizes: dict[int, list[int]] = {1 << 17: [], MEMORY: []}

    def noting(memory: int) -> Callable[[Any, Any], None]:
        return lambda indices, _: sizes[memory].append(len(indices))

    for memory in sizes:
        Searcher(PlainHead(llama), chunk_memory=memory).run(PREFIX, tails, on_chunk=noting(memory))
    assert max(sizes[1 << 17]) < max(sizes[MEMORY])


# -- the ladder ------------------------------------------------------------------------------------


def attention(**changes: Any) -> Callable[..., Any]:
    """An attention function that hands ours altered arguments."""
    return lambda *args, **kwargs: shared_prefix_attention(*args, **{**kwargs, **changes})


def masked(module: Any, query: Any, key: Any, value: Any, mask: Any, **kwargs: Any) -> Any:
    return shared_prefix_attention(module, query, key, value, torch.zeros(1), **kwargs)


def crossed(module: Any, query: Any, key: Any, value: Any, mask: Any, **kwargs: Any) -> Any:
    return shared_prefix_attention(module, query, key[:, :, 1:], value[:, :, 1:], mask, **kwargs)


def bypassing_one_layer(module: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
    if module.layer_idx == 1:
        return query.transpose(1, 2), None
    return shared_prefix_attention(module, query, *args, **kwargs)


def bypassing_a_tails_layer(module: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
    if module.layer_idx == 1 and query.shape[0] > 1:
        return query.transpose(1, 2), None
    return shared_prefix_attention(module, query, *args, **kwargs)


def twice_in_a_tail(module: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
    if query.shape[0] > 1:
        shared_prefix_attention(module, query, *args, **kwargs)
    return shared_prefix_attention(module, query, *args, **kwargs)


def slightly_wrong(*args: Any, **kwargs: Any) -> Any:
    return shared_prefix_attention(*args, **{**kwargs, "scaling": 1.01 * kwargs["scaling"]})


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (masked, "builds an attention mask of its own"),
        (attention(position_bias=torch.ones(1)), "unknown attention arguments: position_bias"),
        (attention(is_causal=False), "bidirectional"),
        (attention(dropout=0.1), "dropout"),
        (crossed, "differ in number"),
        (bypassing_one_layer, "2 attention calls through the registry for 3 layers"),
        (bypassing_a_tails_layer, "2 attention calls for a tail and 3 for the prefix"),
        (twice_in_a_tail, "more attention calls than the prefix"),
        (slightly_wrong, "differ from the model's own forward by"),
        (lambda *_, **__: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_each_guard_falls_to_the_next_rung_by_name(
    llama: Any, monkeypatch: pytest.MonkeyPatch, function: Any, reason: str
) -> None:
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, IMPLEMENTATION, function)
    head = PlainHead(llama)
    searcher = Searcher(head, chunk_memory=MEMORY)
    values = searcher.run(PREFIX, TAILS)
    assert searcher.rung == "prefix-cache"
    assert len(searcher.notes) == 1
    assert searcher.notes[0].startswith("shared-prefix: ")
    assert reason in searcher.notes[0]
    np.testing.assert_allclose(values, one_by_one(head, PREFIX, TAILS), atol=1e-5, rtol=0)


def test_a_lower_prompt_length_that_differs_falls_later(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong_when_long(module: Any, query: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        if query.shape[2] > 30:  # as a position scheme that changes beyond a length would
            kwargs["scaling"] *= 1.2
        return shared_prefix_attention(module, query, key, *args, **kwargs)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, IMPLEMENTATION, wrong_when_long)
    head = PlainHead(llama)
    searcher = Searcher(head, chunk_memory=MEMORY)
    searcher.run(PREFIX, TAILS)
    assert searcher.rung == "shared-prefix"
    values = searcher.run(PREFIX * 2, TAILS)
    assert searcher.rung == "prefix-cache"
    np.testing.assert_allclose(values, one_by_one(head, PREFIX * 2, TAILS), atol=1e-5, rtol=0)


def test_wrong_reads_cannot_agree_with_themselves(llama: Any) -> None:
    head = PlainHead(llama)
    head.reads = lambda ids: {"last": len(ids) - 1}  # type: ignore[method-assign]  # blind to pads
    searcher = Searcher(head, chunk_memory=MEMORY)
    searcher.run(PREFIX, [[token, PAD] for token in range(30, 60)])
    assert searcher.rung == "full"
    assert len(searcher.notes) == 2


@pytest.mark.parametrize(
    ("off", "magnitude", "rung"),
    [(5e-4, 0.0, "full"), (5e-4, 1e6, "shared-prefix"), (5e-3, 1e6, "full")],
    ids=["no rounding explains it", "rounding explains it", "too much for rounding"],
)
def test_rewards_that_are_small_differences_of_large_numbers(
    llama: Any, off: float, magnitude: float, rung: str
) -> None:
    """``off`` is in standard deviations of the rewards."""
    spread = one_by_one(PlainHead(llama), PREFIX, TAILS).std()

    class Rounded(PlainHead):
        def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
            return super().rewards(hidden) + off * float(spread)

    head = Rounded(llama)
    head.magnitude = magnitude  # type: ignore[attr-defined]
    search = Searcher(head, chunk_memory=MEMORY)
    search.run(PREFIX, TAILS)
    assert search.rung == rung


def test_no_rung_that_agrees_is_an_error(llama: Any) -> None:
    head = PlainHead(llama)
    own = head.forward
    head.forward = lambda input_ids, attention_mask: (  # type: ignore[method-assign]
        own(input_ids, attention_mask) + len(input_ids)
    )
    searcher = Searcher(head, chunk_memory=MEMORY)
    for _ in range(2):
        with pytest.raises(SearchError, match="no way to search this model") as caught:
            searcher.run(PREFIX, TAILS)
    assert all(f"{rung}: rewards differ" in str(caught.value) for rung in RUNGS)


def test_rewards_that_are_not_finite_are_an_error(llama: Any) -> None:
    head = PlainHead(llama)
    head.rewards = lambda hidden: hidden["last"][:, 0] * torch.nan  # type: ignore[method-assign]
    head.forward = lambda input_ids, attention_mask: (  # type: ignore[method-assign]
        input_ids[:, 0] * torch.nan
    )
    with pytest.raises(SearchError, match="no way to search this model"):
        Searcher(head, chunk_memory=MEMORY).run(PREFIX, TAILS)


def test_attention_outside_a_search_refuses(llama: Any) -> None:
    searcher = Searcher(PlainHead(llama), chunk_memory=MEMORY, rungs=["shared-prefix"])
    searcher.run(PREFIX, TAILS)
    own = llama.config._attn_implementation
    llama.config._attn_implementation = IMPLEMENTATION
    try:
        with pytest.raises(SearchError, match="outside a search"):
            llama(input_ids=torch.tensor([PREFIX]))
    finally:
        llama.config._attn_implementation = own


def test_searches_in_threads_and_inside_one_another_do_not_mix() -> None:
    heads = [PlainHead(build(LlamaConfig(**SIZES))) for _ in range(2)]
    prefixes = [PREFIX, PREFIX[::-1]]
    expected = [
        one_by_one(head, prefix, TAILS) for head, prefix in zip(heads, prefixes, strict=True)
    ]
    found: dict[str, Any] = {}

    def search(name: str, which: int, inner: bool) -> None:
        def nested(*_: Any) -> None:
            if inner:
                search(f"{name} inner", 1 - which, False)

        searcher = Searcher(heads[which], chunk_memory=MEMORY, rungs=["shared-prefix"])
        found[name] = which, searcher.run(prefixes[which], TAILS, on_chunk=nested)

    search("outer", 0, True)
    threads = [threading.Thread(target=search, args=(f"thread {i}", i, False)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for which, values in found.values():
        np.testing.assert_allclose(values, expected[which], atol=1e-5, rtol=0)


# -- limits and bad input --------------------------------------------------------------------------


def test_too_slow_says_how_long_and_keeps_what_was_handed_out(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(second) for second in range(1000))
    monkeypatch.setattr("valuebias.search.searcher.time.monotonic", lambda: next(clock))
    tails = [[token % VOCABULARY, 7] for token in range(5000)]
    handed: list[int] = []
    with pytest.raises(TooSlow) as caught:
        Searcher(PlainHead(llama), chunk_memory=MEMORY).run(
            PREFIX, tails, on_chunk=lambda i, _: handed.extend(i), time_limit=3.0
        )
    assert caught.value.estimate > 3
    assert len(handed) in (128, 2 * 128)
    assert isinstance(caught.value, SearchError)


def test_a_generous_limit_lets_the_search_finish(llama: Any) -> None:
    values = Searcher(PlainHead(llama), chunk_memory=MEMORY).run(PREFIX, TAILS, time_limit=1e6)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("bad", [-1, VOCABULARY])
def test_an_id_outside_the_vocabulary_is_an_error(llama: Any, bad: int) -> None:
    searcher = Searcher(PlainHead(llama), chunk_memory=MEMORY)
    with pytest.raises(SearchError, match=f"outside the model's vocabulary.*Seen: {bad}"):
        searcher.run(PREFIX, [[5, 7], [bad, 7]])


def test_an_empty_prefix_is_an_error(llama: Any) -> None:
    with pytest.raises(SearchError, match="no token before"):
        Searcher(PlainHead(llama), chunk_memory=MEMORY).run([], TAILS)


def test_a_model_in_training_mode_is_an_error(llama: Any) -> None:
    llama.train()
    try:
        with pytest.raises(SearchError, match="training mode"):
            Searcher(PlainHead(llama), chunk_memory=MEMORY).run(PREFIX, TAILS)
    finally:
        llama.eval()


def test_an_unknown_rung_is_an_error(llama: Any) -> None:
    with pytest.raises(SearchError, match="Choose from shared-prefix, prefix-cache, full"):
        Searcher(PlainHead(llama), chunk_memory=MEMORY, rungs=["fastest"])


def test_a_read_outside_the_conversation_is_an_error(llama: Any) -> None:
    head = PlainHead(llama)
    head.reads = lambda ids: {"last": len(ids)}  # type: ignore[method-assign]
    with pytest.raises(SearchError, match="outside a conversation of 25 tokens"):
        Searcher(head, chunk_memory=MEMORY).run(PREFIX, TAILS)


def test_no_candidates_give_no_rewards(llama: Any) -> None:
    assert Searcher(PlainHead(llama), chunk_memory=MEMORY).run(PREFIX, []).shape == (0,)
