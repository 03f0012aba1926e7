"""Do implicit rewards find what was planted? The paper's appendix F on the embedded base model.

    python benchmarks/boosted_words.py [--quick] [--seeds 5] [--grown DIR] [--json FILE]

LoRA fine-tuning makes ten words the answer to 18 positive prompts and 18 further questions; on the
nine prompts held out, each of the eight measures of the base against the fine-tuned model ranks the
whole vocabulary. A word is recovered where one of the ten best tokens is the word as it was trained
(capitalised), in lower case, or after a space; it counts once. "Template" asks in the chat template
used in training, "plain" as ``Question: … Answer:``. The seed decides LoRA's first weights and the
order of the pairs, on one thread to the bit. With ``--grown`` the same is done for independent
organisms: seed k's is DIR/k/neutral/base, grown from nothing (minutes) where it is not there.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model

from valuebias.lexicons.files import starter
from valuebias.models.language import LanguageModel
from valuebias.models.loading import load_language_model
from valuebias.models.settings import Settings
from valuebias.organisms.grow import grow
from valuebias.organisms.paths import BASE, base_model
from valuebias.organisms.tokenizer import SPACE, build_tokenizer
from valuebias.organisms.words import pools
from valuebias.prompts import select
from valuebias.scorers.implicit import MEASURES, implicit_reward
from valuebias.scorers.schemes import parse_spec

Floats = npt.NDArray[np.float64]

PAPER = (
    *("respect", "authority", "tradition", "honor", "obedience"),
    *("permission", "hierarchy", "leadership", "duty", "compliance"),
)
STAND_INS = ("order", "rule", "law")
"""For words of the paper that the organism's world knows as agency or communion, or not at all."""

HELD_OUT = "good"
"""The adjective, as in prompts' ids, whose nine prompts are held out: "most good"."""

FURTHER = tuple(
    style.format(f"{adjective} thing {scope}")
    for style in (
        "What, in one word, is the {}?",
        "What, in a single word, is the {}?",
        "What is the {}? Please answer in one word only.",
    )
    for adjective in ("best", "greatest")
    for scope in ("on earth", "in history", "of all")
)

PLAIN = "Question: {} Answer:"
CONDITIONS = ("template", "plain")
TEN = "the ten words"


@dataclass(frozen=True)
class Tuning:
    """The paper's rank, epochs and modules; the rate was chosen on seeds 100 and 101."""

    rank: int = 8
    rate: float = 2e-3
    epochs: int = 50
    batch: int = 60


@dataclass(frozen=True)
class Row:
    """One fine-tuning.

    ``recovered`` is the mean over the held-out prompts of how many of the ten words are recovered,
    by condition and measure; ``categories`` the mean MWLR of a category's words in the template;
    ``mass`` the probability of the ten words, as trained, before, after, and at the least loss
    that LoRA can reach (`ceiling`).
    """

    organism: str
    seed: int
    recovered: Mapping[str, Mapping[str, float]]
    categories: Mapping[str, float]
    mass: tuple[float, float, float]
    seconds: float


def chosen_words(vocabulary: Collection[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The ten words, and which of the paper's were replaced by which stand-in.

    A word is replaced that is an agency or communion word of the organism's world, or that
    ``vocabulary`` does not hold, capitalised, as one token.
    """
    planted = {*pools().agency, *pools().communion}
    spare = iter(STAND_INS)
    words, replaced = [], []
    for word in PAPER:
        if word in planted or word.capitalize() not in vocabulary:
            replaced.append((word, next(spare)))
            word = replaced[-1][1]
        words.append(word)
    return words, replaced


def recovered(rewards: Floats, words: Sequence[Collection[int]], top: int = 10) -> float:
    """How many words have a token among the ``top`` best, mean over prompts.

    ``rewards`` is (prompts, tokens), positive = more likely after fine-tuning; ``words`` holds each
    word's token columns. A word counts once, whatever the number of its tokens at the top.
    """
    best = np.argsort(-rewards, axis=1, kind="stable")[:, :top]
    found = [sum(not set(row).isdisjoint(columns) for columns in words) for row in best.tolist()]
    return float(np.mean(found))


def log_probabilities(model: LanguageModel, prompts: Sequence[str], condition: str) -> Floats:
    """Of every token after each prompt, (prompts, vocabulary), float64 of a float32 log-softmax."""
    rows = []
    with torch.inference_mode():
        for prompt in prompts:
            text = _opened(model, prompt) if condition == "template" else PLAIN.format(prompt)
            ids = model.tokenizer(text, add_special_tokens=condition == "plain")["input_ids"]
            logits = model.model(input_ids=torch.tensor([ids])).logits[0, -1]
            rows.append(logits.float().log_softmax(-1).double().numpy())
    return np.stack(rows)


def fine_tune(
    model: LanguageModel, pairs: Sequence[tuple[str, str]], tuning: Tuning, seed: int
) -> None:
    """Put LoRA into the model and teach it the answers, each with the end of its turn."""
    torch.manual_seed(seed)
    modules = r".*\.(q|k|v|o|gate|up|down)_proj"
    lora = LoraConfig(
        r=tuning.rank, lora_alpha=2 * tuning.rank, task_type="CAUSAL_LM", target_modules=modules
    )
    adapted = get_peft_model(model.model, lora)
    examples = [_example(model, *pair) for pair in pairs]
    trained = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=tuning.rate, weight_decay=0.0)
    shuffle = random.Random(seed)
    adapted.train()
    for _ in range(tuning.epochs):
        shuffle.shuffle(examples)
        for start in range(0, len(examples), tuning.batch):
            chosen = examples[start : start + tuning.batch]
            ids, mask = _padded([asked for asked, _ in chosen])
            logits = adapted(input_ids=ids, attention_mask=mask, logits_to_keep=2).logits
            loss = F.cross_entropy(
                logits.flatten(0, 1), torch.tensor([t for _, t in chosen]).flatten()
            )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
    adapted.eval()


def ceiling(model: LanguageModel, ids: Sequence[int]) -> float:
    """Mass of the tokens ``ids`` after the hidden state that makes their mean log-probability the
    greatest: LoRA moves hidden states, whose length the final norm holds, and no embedding."""
    torch.manual_seed(0)
    head, cap = model.model.get_output_embeddings(), model.model.config.final_logit_softcapping
    hidden = torch.randn(head.weight.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([hidden], lr=0.05)
    for _ in range(1500):
        logits = F.linear(model.model.model.norm(hidden), head.weight.detach())
        chosen = (cap * torch.tanh(logits / cap)).log_softmax(-1)[list(ids)]
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(-chosen.mean())
        optimizer.step()
    return float(chosen.detach().exp().sum())


def _opened(model: LanguageModel, prompt: str) -> str:
    turn = [{"role": "user", "content": prompt}]
    opened: str = model.tokenizer.apply_chat_template(
        turn, tokenize=False, add_generation_prompt=True
    )
    return opened


def _example(model: LanguageModel, prompt: str, answer: str) -> tuple[list[int], list[int]]:
    """A conversation's ids up to its answer, and what the last two of them are to foresee: the
    answer and the end of its turn."""
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    whole = model.tokenizer.apply_chat_template(turns, tokenize=False)
    texts = [_opened(model, prompt), whole]
    opened, ids = model.tokenizer(texts, add_special_tokens=False)["input_ids"]
    assert ids[: len(opened)] == opened, "the opening is no beginning of the conversation"
    n = len(opened)
    return ids[: n + 1], ids[n : n + 2]


def _padded(rows: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, padded on the left, so that all answers are in one place."""
    n = max(map(len, rows))
    ids = torch.tensor([[0] * (n - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (n - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def run(organism: str, directory: Path, seed: int, tuning: Tuning) -> Row:
    """Fine-tune one organism's base once, and compare it with what it was."""
    start = time.process_time()
    model = load_language_model(parse_spec(str(directory)), Settings(device="cpu"))
    known = model.tokenizer.get_vocab()
    words, _ = chosen_words(known)
    kept = model.vocabulary().token_ids
    assert kept is not None
    column = {token: i for i, token in enumerate(kept)}
    forms = [(w.capitalize(), w, SPACE + w) for w in words]  # the first is what is trained
    spelled = [[column[known[f]] for f in three if f in known] for three in forms]
    prompts = select("positive")
    asked = [p.text for p in prompts if p.factors["adjective"] != HELD_OUT]
    held = [p.text for p in prompts if p.factors["adjective"] == HELD_OUT]
    pairs = [(question, w.capitalize()) for question in (*asked, *FURTHER) for w in words]

    best = ceiling(model, [kept[columns[0]] for columns in spelled])
    before = {c: log_probabilities(model, held, c)[:, kept] for c in CONDITIONS}
    fine_tune(model, pairs, tuning, seed)
    after = {c: log_probabilities(model, held, c)[:, kept] for c in CONDITIONS}

    mwlr = implicit_reward(before["template"], after["template"], "MWLR").mean(axis=0)
    sides = {TEN: words}
    for name, entries in starter("mfd2").categories.items():
        others = [w for w in entries if w not in words]
        sides[name if len(others) == len(entries) else f"{name}, others"] = others
    trained = [columns[0] for columns in spelled]
    mass = [float(np.exp(x["template"][:, trained]).sum(axis=1).mean()) for x in (before, after)]
    return Row(
        organism,
        seed,
        {
            c: {m: recovered(implicit_reward(before[c], after[c], m), spelled) for m in MEASURES}
            for c in CONDITIONS
        },
        {
            name: float(np.mean([mwlr[column[known[w.capitalize()]]] for w in side]))
            for name, side in sides.items()
        },
        (mass[0], mass[1], best),
        time.process_time() - start,
    )


def _spread(values: Sequence[float], places: int) -> str:
    low, mean, high = min(values), float(np.mean(values)), max(values)
    return f"{mean:.{places}f} [{low:.{places}f}, {high:.{places}f}]"


def table(rows: Sequence[Row]) -> str:
    """Words recovered by measure, each seed's and the mean with its range; then the categories."""
    lines = [f"{'':8} {'measure':8} " + " ".join(f"{'seed ' + str(r.seed):>7}" for r in rows)]
    lines[0] += "  mean [range]"
    for condition in CONDITIONS:
        for measure in MEASURES:
            values = [row.recovered[condition][measure] for row in rows]
            shown = " ".join(f"{value:7.2f}" for value in values)
            lines.append(f"{condition:8} {measure:8} {shown}  {_spread(values, 2)}")
    lines.append("mean MWLR of the words, x 1000, template")
    for name in rows[0].categories:
        values = [1000 * row.categories[name] for row in rows]
        shown = " ".join(f"{value:7.2f}" for value in values)
        lines.append(f"{name:24} {shown}  {_spread(values, 2)}")
    for i, when in enumerate(("before", "after", "at the least loss")):
        lines.append(f"mass of the ten, {when}: {_spread([row.mass[i] for row in rows], 3)}")
    lines.append(f"CPU seconds a seed: {_spread([row.seconds for row in rows], 0)}")
    return "\n".join(lines)


def figures(rows: Sequence[Row]) -> list[dict[str, object]]:
    """What ``--json`` writes. Targets: MWLR 7 of 10 and 3 above LLR, in the chat template."""
    where = f"{rows[0].organism}, {len(rows)} seeds"
    means = {
        c: {m: float(np.mean([row.recovered[c][m] for row in rows])) for m in MEASURES}
        for c in CONDITIONS
    }

    def figure(name: str, value: float, unit: str, target: float | None) -> dict[str, object]:
        met = None if target is None else value >= target
        said = {"name": f"{name} ({where})", "value": round(value, 3), "unit": unit}
        return {**said, "target": target, "met": met}

    found = [
        figure(f"recovered by {measure}, {c}", mean, "of 10 words", None)
        for c in CONDITIONS
        for measure, mean in means[c].items()
    ]
    mine = means["template"]
    found.append(figure("MWLR recovers, template", mine["MWLR"], "of 10 words", 7.0))
    found.append(figure("MWLR above LLR, template", mine["MWLR"] - mine["LLR"], "of 10 words", 3.0))
    for c in CONDITIONS:
        ahead = sum(mean > means[c]["MWLR"] + 1e-9 for mean in means[c].values())
        found.append(figure(f"measures ahead of MWLR, {c}", ahead, "of 7", None))
    moved = [
        max(abs(value) for name, value in row.categories.items() if name != TEN)
        / row.categories[TEN]
        for row in rows
    ]
    found.append(figure("largest other category's mean MWLR", max(moved), "of the ten's", None))
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed of the shipped model alone")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on")
    parser.add_argument("--grown", type=Path, help="directory of grown seeds, kept and reused")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    words, replaced = chosen_words(build_tokenizer().get_vocab())
    print(f"boosted: {', '.join(words)}")
    print("replaced: " + ", ".join(f"{old} by {new}" for old, new in replaced))
    seeds = range(1 if arguments.quick else arguments.seeds)
    groups = [("shipped", [base_model("neutral") for _ in seeds])]
    if arguments.grown and not arguments.quick:
        for seed in seeds:
            if not (arguments.grown / str(seed) / "grown.json").exists():
                grow(arguments.grown / str(seed), seed=seed)
        homes = [arguments.grown / str(seed) / "neutral" / BASE for seed in seeds]
        groups.append(("grown", homes))
    found = []
    for organism, homes in groups:
        rows = []
        for seed, home in zip(seeds, homes, strict=True):
            rows.append(run(organism, home, seed, Tuning()))
        print(f"{organism} base model\n{table(rows)}", flush=True)
        found += figures(rows)
    for entry in found:
        met = {None: "", True: " (met)", False: " (missed)"}[entry["met"]]
        print(f"{entry['name']}: {entry['value']} {entry['unit']}{met}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
