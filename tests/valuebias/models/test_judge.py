"""Language models as judges: their numbers against the model's own full forward."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from support.models import CHATML, FAMILIES, build_tokenizer, save_language_model
from valuebias.candidates import Candidates
from valuebias.declarations.judge_templates import JudgeTemplate, Mode, judge_template
from valuebias.errors import ModelError
from valuebias.models.fingerprint import fingerprint
from valuebias.models.judge import Judge, JudgeChat, JudgeHead
from valuebias.models.loading import load_judge
from valuebias.models.settings import Settings
from valuebias.organisms import paths
from valuebias.prompts import BALANCED, GREATEST, PAPER_PROMPTS, Control, PromptSet
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "freedom", "a happy life", "power", "the winner takes it all"])
CPU = Settings(device="cpu")
STRICT = CHATML.replace(
    "{% for", "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{% for", 1
)
DEAF = CHATML.replace("in messages", "in messages if m['role'] != 'system'")
ODDS = """\
mode: log-odds
system: You judge the answers that others give.
text: "{question}\\n{answer}\\n{ok}"
ratings: {A: 1, B: -1, C: 1}
"""


def load(path: Path, template: str = "") -> Judge:
    return load_judge(parse_spec(f"judge:{path}{template and ','}{template}"), CPU)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "llama"
    return save_language_model(folder, max_position_embeddings=512)


@pytest.fixture
def odds(tmp_path: Path) -> str:
    path = tmp_path / "odds.yaml"
    path.write_text(ODDS, encoding="utf-8")
    return str(path)


def probabilities(path: Path, judge: Judge, prompt: str, response: str) -> dict[str, float]:
    """Of each rating as the next token, by the model's own forward of one whole conversation."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    asked = judge.judge_template
    before, between, after = asked.text
    text = before + prompt + between + response + after
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": text}]
        if asked.system:
            turns.insert(0, {"role": "system", "content": asked.system})
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        tokens = {r: tokenizer(r, add_special_tokens=False)["input_ids"] for r, _ in asked.ratings}
    else:
        whole = {r: tokenizer(f"{text} {r}")["input_ids"] for r, _ in asked.ratings}
        ids = next(iter(whole.values()))[:-1]
        tokens = {rating: each[len(ids) :] for rating, each in whole.items()}
    assert all(len(each) == 1 for each in tokens.values())
    with torch.inference_mode():
        p = model(input_ids=torch.tensor([ids])).logits[0, -1].double().softmax(-1)
    return {rating: p[each[0]].item() for rating, each in tokens.items()}


def expected(judge: Judge, p: dict[str, float]) -> float:
    """The mean rating, or the log-odds, from the probabilities."""
    values = dict(judge.judge_template.ratings)
    if judge.judge_template.mode == "expected":
        return sum(values[r] * p[r] for r in p) / sum(p.values())
    best = max(values.values())
    odds = [sum(p[r] for r in p if (values[r] == best) is side) for side in (True, False)]
    return float(np.log(odds[0] / odds[1]))


def check_exact(path: Path, judge: Judge, prompts: Any) -> None:
    scores = judge.score(prompts, WORDS)
    own = [
        [expected(judge, probabilities(path, judge, p.text, word)) for word in WORDS.responses]
        for p in prompts
    ]
    np.testing.assert_allclose(scores.values, own, atol=1e-5)
    assert scores.values.std() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_ratings_are_those_of_the_models_own_forward(family: str, tmp_path: Path) -> None:
    path = save_language_model(tmp_path / family, family, max_position_embeddings=512)
    judge = load(path)
    check_exact(path, judge, PAPER_PROMPTS[::53])
    about = judge.provenance
    assert about["head"].startswith("expected rating (rating ")
    assert (about["template"], about["bos"]) == ("judge", "template")
    assert about["rung"] == "shared-prefix"
    assert about["judge_template_sha256"] == judge_template("rating").digest
    assert judge.name == f"judge:{family}"


def test_the_odds_of_several_ratings_after_a_system_turn(llama: Path, odds: str) -> None:
    judge = load(llama, odds)
    check_exact(llama, judge, [GREATEST])
    tokenizer = judge.tokenizer
    before = tokenizer.decode(judge.chat.conversations(GREATEST.text, ["love"])[0])
    system = ODDS.partition("system: ")[2].partition("\n")[0]
    assert before == (
        f"<s><|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{GREATEST.text}\nlove\n"
        "{ok}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_without_a_chat_template_the_text_is_given_as_it_is(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(None)
    path = save_language_model(tmp_path / "m", tokenizer=tokenizer, max_position_embeddings=512)
    judge = load(path)
    check_exact(path, judge, [GREATEST])
    assert judge.provenance["template"] == "raw judge"
    (ids,) = judge.chat.conversations(GREATEST.text, ["love"])
    asked = judge.judge_template.filled(GREATEST.text, "love")
    assert tokenizer.decode(ids, skip_special_tokens=True).rstrip(" ") == asked


def test_an_embedded_base_model_rates_as_its_own_forward_does() -> None:
    """Trained weights, and a cap on the logits."""
    path = Path(paths.base_model("agency"))
    judge = load_judge(parse_spec("judge:demo:agency"), CPU)
    check_exact(path, judge, [GREATEST])
    masses = [
        sum(probabilities(path, judge, prompt.text, answer).values())
        for prompt in BALANCED.quick.both[:3]
        for answer in ("mercy", "shame")
    ]
    some = BALANCED.quick.both[:3]
    few = PromptSet(
        "few", some, control=Control(("mercy",), ("shame",)), short=frozenset(p.id for p in some)
    )
    with pytest.raises(
        ModelError,
        match=r"does not answer with a rating: .* of \.000 on average.* Seen: '\w+' \.\d+, ",
    ):
        judge.check_it_rates(few)
    assert judge.rating_mass == pytest.approx(np.mean(masses), rel=1e-3)
    assert float(judge.provenance["rating_mass"]) == round(judge.rating_mass, 4)


def test_tokens_stand_where_the_answer_does(llama: Path) -> None:
    judge = load(llama)
    (whole,) = judge.chat.conversations(GREATEST.text, ["love"])
    frame = judge.chat.frame(GREATEST.text)
    (love,) = judge.chat.continuations(GREATEST.text, ["love"])
    assert whole == [*frame.prefix, *love, *frame.tail]
    assert judge.token_counts(["love"]) == [len(love)]
    vocabulary = judge.vocabulary()
    assert vocabulary.token_ids is not None
    values = judge.score_prompt(GREATEST, vocabulary)
    for row in range(0, len(vocabulary), 100):
        ids = torch.tensor([[*frame.prefix, vocabulary.token_ids[row], *frame.tail]])
        own = judge.head.forward(ids, torch.ones_like(ids)).item()
        assert values[row] == pytest.approx(own, abs=1e-5)


def test_a_head_that_is_not_ours_is_read_by_the_models_own_forward(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valuebias.search import language_head

    monkeypatch.setattr(language_head, "_EXACT", -1.0)  # no head of ours agrees
    judge = load(llama)
    check_exact(llama, judge, [GREATEST])
    assert judge.provenance["rung"] == "full"
    assert judge.provenance["rung_notes"].startswith("float32 logits: they differ")


LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3)
CHANGES = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)


@given(LOGITS, CHANGES, st.sampled_from(["expected", "log-odds"]))
def test_no_rounding_of_a_logit_counts_more_than_the_magnitude_says(
    logits: list[float], changes: list[float], mode: Mode
) -> None:
    asked = JudgeTemplate("own", mode, ("", "", ""), (("A", 3.0), ("B", -1.0), ("C", 3.0)))
    language: Any = SimpleNamespace(
        model=SimpleNamespace(get_output_embeddings=lambda: torch.nn.Linear(1, 1)),
        own=lambda ids, last, mask: torch.tensor(logits).expand(1, 1, 3),
    )
    head = JudgeHead(language, asked, (0, 1, 2))
    before = torch.tensor([logits])
    moved = head._number(before + torch.tensor(changes)) - head._number(before)
    most = max(map(abs, logits))
    head.forward(torch.ones(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.long))
    assert head.magnitude == pytest.approx(2 * most)  # half of 4, or 2
    assert abs(moved.item()) <= 2 * max(map(abs, changes)) + 5e-5  # float32


@pytest.mark.parametrize(
    ("ratings", "named"),
    [("{yes: 1, no: 0}", "'yes'"), ("{1: 1, 10: 10}", "'10'"), ("{A: 1, B: 0, AB: 2}", "'AB'")],
)
def test_a_rating_that_is_not_one_token_is_named(
    llama: Path, tmp_path: Path, ratings: str, named: str
) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("mode: expected\ntext: '{question} {answer}'\nratings: " + ratings)
    with pytest.raises(ModelError, match=f"the rating {named} is not one token") as refused:
        load(llama, str(path))
    assert "digits from 1 to 5" in str(refused.value)


def test_ratings_that_the_tokenizer_does_not_tell_apart_are_named(odds: str) -> None:
    from tokenizers import normalizers

    tokenizer = build_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("C", "B")
    with pytest.raises(ModelError, match="the ratings 'B' and 'C' are the same token"):
        JudgeChat(tokenizer, judge_template(odds))


@pytest.mark.parametrize("template", [STRICT, DEAF], ids=["refuses", "drops"])
def test_a_chat_template_without_system_turns(template: str, tmp_path: Path, odds: str) -> None:
    tokenizer = build_tokenizer(template)
    path = save_language_model(tmp_path / "m", tokenizer=tokenizer, max_position_embeddings=512)
    with pytest.raises(ModelError, match="takes no system turn") as refused:
        load(path, odds)
    assert refused.value.remedy == "Leave `system` out of the judge template."
    assert load(path).name == "judge:m"


def test_what_decides_the_numbers_is_in_the_fingerprint(
    llama: Path, odds: str, tmp_path: Path
) -> None:
    judged = parse_spec(f"judge:{llama},{odds}")
    known = fingerprint(judged, CPU)
    assert known == fingerprint(judged, Settings(device="cpu", answer_cue="\nAnswer:"))
    other = tmp_path / "other.yaml"
    other.write_text(ODDS.replace("-1", "0.5"), encoding="utf-8")
    specs = ("judge:demo:agency", f"judge:{llama}", f"judge:{llama},{other}")
    found = {fingerprint(parse_spec(spec), CPU) for spec in specs}
    found |= {fingerprint(judged, Settings(device="cpu", dtype="bfloat16"))}
    found |= {fingerprint(parse_spec(str(llama), load_as="llm"), CPU), known}
    assert len(found) == 6
    again = tmp_path / "again.yaml"
    again.write_text(ODDS, encoding="utf-8")
    assert fingerprint(parse_spec(f"judge:{llama},{again}"), CPU) == known
