"""``valuebias search``: every token of a vocabulary, or every word of a file, scored."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from valuebias.cli.options import INTERRUPTED, add_model_options, settings
from valuebias.errors import SpecError, visible
from valuebias.files import decoded, why_unwritable

if TYPE_CHECKING:
    from valuebias.candidates import Candidates, Vocabulary
    from valuebias.prompts import Prompt
    from valuebias.scores import Scores

_SHOWN = 10


def add_search(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    search = commands.add_parser(
        "search",
        help="score every token of a model's vocabulary, or every word of a file",
        description="Score candidates with a reward or language model and write one row a "
        "candidate. What is written can be read back as scores:FILE. A search that was stopped "
        "continues where it stopped when the same command is run again.",
        allow_abbrev=False,
    )
    add = search.add_argument
    model = search.add_mutually_exclusive_group(required=True)
    model.add_argument(
        "--rm", metavar="SPEC", help="reward model: org/name, org/name@revision, DIR, demo:agency"
    )
    model.add_argument("--llm", metavar="SPEC", help="language model, by log-probability")
    add(
        "--prompt",
        action="append",
        metavar="TEXT-OR-ID",
        help="a question, or the id of one such as greatest_ever_one; may be given several times "
        "(with --prompts alone: all of that set)",
    )
    add(
        "--candidates",
        default="vocabulary",
        metavar="vocabulary|FILE",
        help="the whole vocabulary (the default), a file of one word a line, or a lexicon file",
    )
    add("--out", required=True, type=Path, metavar="FILE", help="scores.csv or scores.parquet")
    add(
        "--injection",
        choices=("token", "text"),
        help="put token ids in directly (the default for a vocabulary), or render their text in "
        "the chat template and tokenise that (always so for words)",
    )
    add_model_options(search)
    search.set_defaults(run=_search)


def _search(arguments: argparse.Namespace) -> int:
    from valuebias.declarations.prompts import prompts_in_force
    from valuebias.models.spec import check_model
    from valuebias.prompts import PAPER, resolve
    from valuebias.scorers.bench import Bench
    from valuebias.scorers.recorded_file import write_scores
    from valuebias.scorers.schemes import check_language_model, parse_spec
    from valuebias.store.database import Store, default_folder

    # Every usage error is reported before anything is computed.
    if arguments.llm is None:
        spec = parse_spec(arguments.rm)
        check_model(spec)
    else:
        spec = parse_spec(arguments.llm, load_as="llm")
        check_language_model(spec)
    if arguments.prompt is None and arguments.prompts is None:
        raise SpecError(
            "no prompt was given",
            remedy="Give --prompt greatest_ever_one, or --prompts paper for all of a set.",
        )
    asked = prompts_in_force(arguments.prompts or PAPER)
    prompts = tuple(resolve(text, asked) for text in arguments.prompt or ()) or asked.prompts
    _check_prompts(prompts)
    _check_out(arguments.out)
    candidates = _candidates(arguments.candidates, arguments.injection)
    store = Store((arguments.cache_dir or default_folder()) / "scores.sqlite")
    start = time.monotonic()
    with Bench(store, settings(arguments), prompts=asked) as bench:
        try:
            scores = bench.scorer(spec).score(prompts, candidates)
        except KeyboardInterrupt:
            print(
                f"valuebias: stopped; finished chunks are kept in {visible(str(store.path))}. "
                "Run the same command again to continue from there.",
                file=sys.stderr,
            )
            return INTERRUPTED
    write_scores(scores, arguments.out, asked)
    print(_summary(scores, time.monotonic() - start))
    print(f"written to {visible(str(arguments.out))}")
    return 0


def _check_prompts(prompts: Sequence[Prompt]) -> None:
    texts = [prompt.text for prompt in prompts]
    twice = next((text for i, text in enumerate(texts) if text in texts[:i]), None)
    if twice is not None:
        raise SpecError("a prompt is given twice", seen=twice, remedy="Give every prompt once.")


def _check_out(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise SpecError(
            "scores can only be written as CSV or Parquet",
            seen=path,
            remedy="Give --out a name that ends in .csv or .parquet.",
        )
    reason = why_unwritable(path)
    if reason is not None:
        raise SpecError(
            f"the scores cannot be written: {reason}",
            seen=path,
            remedy="Give --out a file in a folder that you can write to.",
        )


def _candidates(text: str, injection: str | None) -> Candidates | Vocabulary:
    from valuebias.candidates import VOCABULARY, Candidates, Vocabulary

    if text == "vocabulary":
        return Vocabulary("text") if injection == "text" else VOCABULARY
    if injection == "token":
        raise SpecError(
            "the words of a file have no token ids",
            seen=f"--candidates {text} --injection token",
            remedy="Leave --injection out, or search the vocabulary.",
        )
    path = Path(text).expanduser()
    if not path.is_file():
        raise SpecError(
            "candidate file not found",
            seen=text,
            remedy="Give a file of one word a line, a lexicon file, or the word vocabulary.",
        )
    return Candidates.words(_words(path))


def _words(path: Path) -> Sequence[str]:
    """The words of a lexicon file, or of a file of one word a line (blank lines are ignored)."""
    from valuebias.lexicons.files import READERS, load_lexicon

    if path.suffix.lower() in READERS:
        lexicon = load_lexicon(path.stem, path)
        words: Sequence[str] = lexicon.words()
        wildcards = sum(w.endswith("*") for entries in lexicon.categories.values() for w in entries)
        if wildcards:
            print(
                f"valuebias: wildcard entries left out (they do not name one word): {wildcards}",
                file=sys.stderr,
            )
    else:
        text = decoded(path.read_bytes(), str(path), SpecError)
        words = [word for line in text.split("\n") if (word := line.strip())]
    if not words:
        raise SpecError("the file contains no words", seen=path, remedy="Give at least one.")
    return words


def _summary(scores: Scores, seconds: float) -> str:
    from valuebias.progress import duration

    about = scores.provenance
    prompts = f"{len(scores.prompts)} prompt{'s' if len(scores.prompts) > 1 else ''}"
    parts = [f"{len(scores.candidates):,} candidates on {prompts}"]
    parts.append(f"{about.get('injection', scores.candidates.injection)} injection")
    if about.get("rung"):
        parts.append(f"rung {about['rung']}")
    if about.get("round_trip"):
        parts.append(f"{float(about['round_trip']):.1%} of the tokens survive the round trip")
    if scores.ends_note(_SHOWN):
        parts.append(scores.ends_note(_SHOWN))
    parts.append(duration(seconds))
    lines = [f"{about.get('model', '')}: {', '.join(parts)}"]
    notes = {"left out of the vocabulary": "left_out", "rungs not used": "rung_notes"}
    lines += [f"{title}: {about[key]}" for title, key in notes.items() if about.get(key)]
    ids = scores.candidates.token_ids
    for number, prompt in enumerate(scores.prompts):
        lines += ["", f"{prompt.text}"]
        for title, rows in zip(("best", "worst"), scores.ends(number, _SHOWN), strict=True):
            lines.append(f"  {title}")
            for i, value in rows:
                token = "" if ids is None else f"  {ids[i]:>7}"
                lines.append(f'  {value:12.5g}{token}  "{scores.candidates.responses[i]}"')
    return "\n".join(visible(line) for line in lines)
