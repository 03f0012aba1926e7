"""Pairs as token ids: written as the search writes them, cut only in the prompt, nested."""

from __future__ import annotations

from typing import Any

import pytest

from support.models import CHATML, build_tokenizer
from support.preferences import rows
from valuebias.errors import ModelError, TrainingError
from valuebias.models.chat import Chat
from valuebias.training import DataSource, Recipe
from valuebias.training.pairs import PairRefused, Prepared, Writer, prepare
from valuebias.training.row_forms import Preference, preference

SOURCE = DataSource("p.jsonl")
STRICT = (  # as Gemma's: no system turn, and turns alternate
    "{{ bos_token }}{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
)


def pairs(n: int, seed: int = 0) -> list[Preference]:
    return [preference(row, f"line {i}", SOURCE) for i, row in enumerate(rows(n, seed), 1)]


def recipe(**options: Any) -> Recipe:
    return Recipe("demo:agency", SOURCE, **options)


def written(pair: Preference, tokenizer: Any = None) -> list[list[int]]:
    got = Writer(tokenizer or build_tokenizer(), 500, cut=False).write(pair)
    assert got is not None
    return got[0]


@pytest.mark.parametrize("template", [CHATML, STRICT, None])
def test_a_conversation_is_written_as_the_search_writes_it(template: str | None) -> None:
    tokenizer = build_tokenizer(template)
    (pair,) = pairs(1)
    question, responses = pair.prompt[0][1], [pair.chosen[0][1], pair.rejected[0][1]]
    assert written(pair, tokenizer) == Chat(tokenizer).conversations(question, responses)


@pytest.mark.parametrize("template", [CHATML, None])
def test_bos_is_never_written_twice(template: str | None) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = build_tokenizer(template)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    long = Preference(
        (("system", "Be kind."), ("user", "A?"), ("assistant", "B"), ("user", "C?")),
        (("assistant", "yes"),),
        (("assistant", "no"),),
        "line 1",
    )
    for pair in (*pairs(3), long):
        for ids in written(pair, tokenizer):
            assert ids[0] == 0
            assert ids.count(0) == 1


def test_a_template_that_writes_bos_twice_is_refused() -> None:
    with pytest.raises(ModelError, match="two BOS"):
        Writer(build_tokenizer("{{ bos_token }}" + CHATML), 500, cut=False)


def test_a_template_that_refuses_a_pair_is_told_with_the_pairs_line() -> None:
    system = Preference(
        (("system", "Be kind."), ("user", "A?")),
        (("assistant", "yes"),),
        (("assistant", "no"),),
        "p.jsonl, line 7",
    )
    with pytest.raises(
        PairRefused, match=r"p\.jsonl, line 7: the .* template.*`invalid: leave-out`"
    ):
        written(system, build_tokenizer(STRICT))
    dropping = CHATML.replace("{{ m['content'] }}", "{{ m['content'][:9] }}")
    with pytest.raises(ModelError, match="drops or changes the response"):
        written(
            Preference(system.prompt, (("assistant", "a long response"),), system.rejected, ""),
            build_tokenizer(dropping),
        )


def test_pairs_that_a_template_refuses_can_be_left_out() -> None:
    turns = (("system", "Be kind."), ("user", "A?"))
    system = Preference(turns, (("assistant", "yes"),), (("assistant", "no"),), "line 7")
    plain, strict = (Writer(build_tokenizer(t), 500, cut=False) for t in (CHATML, STRICT))
    leave = recipe(invalid="leave-out")
    for writer, others in ((strict, ()), (plain, (strict,))):
        kept = prepare(leave, [system, *pairs(3)], writer, others)
        assert (len(kept.pairs), kept.seen) == (3, 4)
        assert kept.refused == ("line 7: the model's chat template cannot be used",)
    assert prepare(leave, [system, *pairs(3)], plain).refused == ()
    with pytest.raises(TrainingError, match=r"refuses all 2 pairs.*line 7.*Start from a model"):
        prepare(leave, [system, system], strict)
    with pytest.raises(TrainingError, match=r"3 of 4, .*, 1 as refused by the chat template"):
        prepare(recipe(invalid="leave-out", pairs=4), [system, *pairs(3)], strict)


def choose(n: int, limit: int = 500, *others: Writer, **options: Any) -> Prepared:
    writer = Writer(build_tokenizer(), limit, cut=options.get("truncate") == "prompt-left")
    return prepare(recipe(**options), pairs(n), writer, others)


def ids(prepared: Prepared) -> list[tuple[int, ...]]:
    return [tuple(pair.chosen.tolist()) for pair in prepared.pairs]


def test_smaller_quantities_are_the_beginning_of_larger_ones() -> None:
    few, more, everything = choose(30, pairs=7), choose(30, pairs=19), choose(30)
    assert ids(more)[:7] == ids(few)
    assert ids(everything)[:19] == ids(more)
    assert ids(everything) != ids(choose(30, seed=1))
    assert sorted(ids(everything)) == sorted(ids(choose(30, seed=1)))
    assert few.sha256 != more.sha256 == choose(30, pairs=19).sha256


def test_too_long_pairs_are_left_out_and_counted() -> None:
    whole = choose(30)
    limit = sorted(max(len(p.chosen), len(p.rejected)) for p in whole.pairs)[24]
    kept = choose(30, limit, max_overlong=1.0)
    assert kept.overlong == 30 - len(kept.pairs) > 0
    assert kept.longest == limit
    assert set(ids(kept)) < set(ids(whole))


def test_more_than_a_twentieth_too_long_is_an_error_unless_allowed() -> None:
    lengths = sorted(max(len(p.chosen), len(p.rejected)) for p in choose(40).pairs)
    assert choose(40, lengths[37]).overlong <= 2
    with pytest.raises(TrainingError, match=r"of 40 pairs .*than the 5.0% allowed.*line \d+"):
        choose(40, lengths[36] - 1)
    assert choose(40, lengths[36] - 1, max_overlong=0.9).overlong > 2


def test_fewer_pairs_than_asked_for_is_an_error() -> None:
    with pytest.raises(TrainingError, match="30 of 31"):
        choose(30, pairs=31)
    with pytest.raises(TrainingError, match="0 of 1, 30 left out"):
        choose(30, 5, max_overlong=1.0)


def test_a_pair_has_to_fit_the_other_bases_too() -> None:
    longest = max(max(len(p.chosen), len(p.rejected)) for p in choose(40).pairs)
    other = Writer(build_tokenizer(), longest - 4, cut=False)
    here = choose(40, 500, other, max_overlong=1.0)
    there = choose(40, longest - 4, max_overlong=1.0)
    assert here.overlong > 0
    assert ids(here) == ids(there)


def test_two_sides_that_are_the_same_tokens() -> None:
    """A tokenizer that composes accents does not tell these apart."""
    from tokenizers.normalizers import NFC

    tokenizer = build_tokenizer()
    tokenizer.backend_tokenizer.normalizer = NFC()
    writer = Writer(tokenizer, 500, cut=False)
    odd = Preference(
        (("user", "Where?"),),
        (("assistant", "caf\u00e9"),),
        (("assistant", "cafe\u0301"),),
        "line 9",
    )
    with pytest.raises(TrainingError, match="line 9: the two conversations are the same tokens"):
        prepare(recipe(), [odd], writer)
    kept = prepare(recipe(invalid="leave-out"), [odd, *pairs(3)], writer)
    assert (len(kept.pairs), kept.same) == (3, 1)
    elsewhere = prepare(
        recipe(invalid="leave-out"),
        [odd, *pairs(3)],
        Writer(build_tokenizer(), 500, cut=False),
        [writer],
    )
    assert (len(elsewhere.pairs), elsewhere.same) == (3, 1)


LONG = Preference(
    (
        ("system", "Be kind."),
        ("user", "life love power " * 10),
        ("assistant", "happy friend " * 10),
        ("user", "kindness strength " * 10 + "and at last?"),
    ),
    (("assistant", "winner " * 8),),
    (("assistant", "user model"),),
    "line 1",
)


@pytest.mark.parametrize("limit", range(60, 300, 17))
def test_the_prompt_is_shortened_from_the_left_and_a_response_never(limit: int) -> None:
    tokenizer = build_tokenizer()
    writer = Writer(tokenizer, limit, cut=True)
    whole = Writer(tokenizer, 10_000, cut=False).write(LONG)
    assert whole is not None
    cut = writer.write(LONG)
    assert cut is not None
    (chosen, rejected), prompt = cut
    texts = [tokenizer.decode(side) for side in (chosen, rejected)]
    for text, side, response in zip(
        texts, (chosen, rejected), (LONG.chosen, LONG.rejected), strict=True
    ):
        assert len(side) <= limit
        assert side.count(tokenizer.bos_token_id) == 1
        assert text.endswith(f"<|im_start|>assistant\n{response[0][1]}<|im_end|>\n")
    assert prompt[0] == LONG.prompt[0]
    assert prompt[1][0] == "user"
    assert LONG.prompt[-1][1].endswith(prompt[-1][1])
    if len(whole[0][0]) > limit:
        assert limit - len(chosen) < 35, "no more goes than an assistant's turn in the way"
    else:
        assert prompt == LONG.prompt


def test_a_response_that_does_not_fit_is_left_out_also_when_prompts_are_shortened() -> None:
    assert Writer(build_tokenizer(), 40, cut=True).write(LONG) is None


def test_where_the_response_begins() -> None:
    tokenizer = build_tokenizer()
    writer = Writer(tokenizer, 500, cut=False)
    for pair in pairs(5):
        chosen = written(pair)[0]
        start = writer.response_start(chosen, pair.prompt)
        assert tokenizer.decode(chosen[start:]).startswith(pair.chosen[0][1])
        assert tokenizer.decode(chosen[:start]).endswith("<|im_start|>assistant\n")
