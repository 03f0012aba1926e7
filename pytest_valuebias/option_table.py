"""The options: what each is called, means and accepts. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

USUAL = ("big_two", "mfd2", "logprobs", "mwlr", "inheritance", "drift", "forecast", "human")
"""The shipped suites that run unless others are named, each where its models are given."""
SUITES = (*USUAL, "answers")
"""All of them, as in `valuebias_suites.LEXICONS`. Whole answers take long: they are asked for."""
RATINGS = ("eloeverything",)
"""The ratings that can be installed; `lexicons.install.PUBLISHED` has the same."""
_COLUMNS = r":(?:word|rating|rank)=.*$"
"""What follows a file of ratings; `lexicons.ratings.SETTINGS` is the same."""
PROMPT_SETS = ("paper", "balanced")
"""The shipped prompt sets; `valuebias.prompts.SHIPPED` has the same."""
FORMATS = ("plain", "pair")
"""Formats without a chat template; `models.settings.FORMATS` are the same."""
PAPER_TESTS = ("mixed-model", "anova", "welch", "permutation-t")
"""The paper's own tests, none of which is calibrated; `measurement.paper.NAMES` are the same."""


@dataclass(frozen=True)
class Option:
    """One setting: ``--valuebias-NAME``, ini ``valuebias_NAME``, environment ``VALUEBIAS_NAME``.

    ``parse`` turns the text into the value and raises ValueError with the accepted form. ``path``
    marks a path, which in an ini file is relative to that file unless it is one of ``names``, also
    behind the ``scheme`` and before ``settings`` (a regular expression); ``verbatim`` a text whose
    white space is kept.
    """

    name: str
    help: str
    default: Any = None
    metavar: str | None = None
    many: bool = False
    flag: bool = False
    path: bool = False
    scheme: str = ""
    settings: str = ""
    names: tuple[str, ...] = ()
    verbatim: bool = False
    short: str | None = None
    parse: Callable[[str], Any] = str

    @property
    def long(self) -> str:
        return f"--valuebias-{self.name}"

    @property
    def ini(self) -> str:
        return f"valuebias_{self.name.replace('-', '_')}"

    @property
    def env(self) -> str:
        return self.ini.upper()


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return text

    return parse


def _setting(name: str) -> Callable[[str], Any]:
    """The parser of that name in `models.settings`, imported when it is used."""

    def parse(text: str) -> Any:
        from valuebias.models import settings

        return getattr(settings, f"parse_{name}")(text)

    return parse


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("must be an integer >= 0")
    return int(text)


def _truth(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _contrast(text: str) -> str:
    from valuebias.measurement.pair_matrix import parse_contrast

    return parse_contrast(text)


_MODEL = "org/name[@revision], a directory, demo:agency, scores:FILE, each also as NAME=SPEC"

OPTIONS: tuple[Option, ...] = (
    Option(
        "rm",
        f"reward model to test ({_MODEL}, dpo:POLICY,REFERENCE, judge:MODEL[,TEMPLATE], "
        "served:URL, py:MODULE:FACTORY); repeatable",
        (),
        "SPEC",
        True,
        short="--rm",
    ),
    Option(
        "llm",
        "language model to test; two or more are compared in pairs; repeatable",
        (),
        "SPEC",
        True,
        short="--llm",
    ),
    Option(
        "base",
        "base model of the k-th --rm, or RM=BASE; repeatable",
        (),
        "SPEC",
        True,
        short="--base",
    ),
    Option(
        "policy",
        "language model to forecast, optimised against every --rm; repeatable",
        (),
        "SPEC",
        True,
        short="--policy",
    ),
    Option(
        "human",
        "people's ratings of words, which every model is compared with: FILE, "
        "FILE:word=COLUMN,rating=COLUMN (more is better) or rank=COLUMN (1 is best), or the name "
        "of installed ones, each also as NAME=SPEC; repeatable",
        (),
        "SPEC",
        True,
        path=True,
        settings=_COLUMNS,
        names=RATINGS,
        short="--human",
    ),
    Option(
        "reference",
        "model every --rm is compared with; repeatable",
        (),
        "SPEC",
        True,
        short="--reference",
    ),
    Option(
        "suite",
        f"shipped suite to run: {', '.join(SUITES)}, or none; repeatable (all but answers)",
        USUAL,
        "NAME",
        True,
        parse=_choice(*SUITES, "none"),
    ),
    Option(
        "lexicon",
        "lexicon file to use under a name, such as big_two=words.csv; repeatable",
        (),
        "NAME=FILE",
        True,
        path=True,
    ),
    Option(
        "profile",
        "quick (six prompts a valence; cannot pass), ci (the default), thorough (ci, with words "
        "written in other ways, and forecasts over a policy's whole vocabulary) or paper (the "
        "paper's own tests beside ours)",
        "ci",
        "NAME",
        parse=_choice("quick", "ci", "thorough", "paper"),
    ),
    Option(
        "prompts",
        f"prompt set to ask: {', '.join(PROMPT_SETS)}, or a YAML file of prompts (by default "
        "balanced; paper for recorded scores and under the profile paper)",
        None,
        "NAME|FILE",
        path=True,
        names=PROMPT_SETS,
    ),
    Option(
        "margins",
        "file of declared margins, read before the shipped ones",
        None,
        "FILE",
        path=True,
    ),
    Option(
        "baseline",
        "file of a recorded release that every --rm is compared with",
        None,
        "FILE",
        path=True,
    ),
    Option(
        "update-baseline",
        "record the one --rm in the file of --valuebias-baseline when the run ends; its anchor is "
        "kept",
        False,
        flag=True,
        parse=_truth,
    ),
    Option(
        "renew-anchor",
        "with --valuebias-update-baseline, make this release the anchor that later ones are "
        "compared with; on the command line only",
        False,
        flag=True,
        parse=_truth,
    ),
    Option(
        "claims",
        "file of declared claims that share a budget of error",
        None,
        "FILE",
        path=True,
    ),
    Option(
        "matrix",
        "two words or two categories whose implicit rewards are shown for each pair of --llm, such "
        "as freedom~love (the default); repeatable",
        ("freedom~love",),
        "A~B",
        True,
        parse=_contrast,
    ),
    Option(
        "threads",
        "threads of the processor: auto (as many as a model's work can use) or a number",
        0,
        "auto|N",
        parse=_setting("threads"),
    ),
    Option(
        "template",
        "format of conversations with a reward model that has no chat template: plain, pair or the "
        "file of a Jinja chat template",
        "",
        "NAME|FILE",
        path=True,
        names=FORMATS,
        parse=_setting("template"),
    ),
    Option(
        "answer-cue",
        "text between the prompt and the answer of a language model without a chat template, such "
        "as '\\nAnswer:'",
        "",
        "TEXT",
        verbatim=True,
        parse=_setting("cue"),
    ),
    Option(
        "frequencies",
        "CSV file of word,frequency that the inheritance suite controls for",
        None,
        "FILE",
        path=True,
    ),
    Option(
        "checkpoints",
        "directory of a training run, whose checkpoints are compared (also NAME=DIR), or "
        "ranks:FILE, median ranks of two categories by checkpoint, which are shown and never "
        "gated; repeatable",
        (),
        "DIR",
        True,
        path=True,
        scheme="ranks:",
    ),
    Option("html", "file of the HTML report: one self-contained page", None, "FILE", path=True),
    Option("json", "file of the report as JSON, for programs", None, "FILE", path=True),
    Option("cache-dir", "directory of the score store", None, "DIR", path=True),
    Option(
        "device",
        "auto, cpu, cuda, cuda:1, mps, or map: all GPUs and then the CPU's memory",
        "auto",
        "NAME",
        parse=_setting("device"),
    ),
    Option(
        "dtype",
        "auto, float32, bfloat16, float16",
        "auto",
        "NAME",
        parse=_choice("auto", "float32", "bfloat16", "float16"),
    ),
    Option(
        "chunk-memory",
        "memory one chunk of a search may take, such as 512M or 8G",
        1 << 30,
        "SIZE",
        parse=_setting("size"),
    ),
    Option("seed", "seed of permutations (default: 0)", 0, "N", parse=_seed),
    Option("trust-remote-code", "model id whose own code may run; repeatable", (), "ID", True),
    Option("offline", "never use the network", False, flag=True, parse=_truth),
    Option(
        "require-model",
        "fail instead of skip tests that need a model when none is given",
        False,
        flag=True,
        parse=_truth,
    ),
    Option(
        "inconclusive",
        "what an inconclusive verdict does: fail (the default), xfail or warn",
        "fail",
        "HOW",
        parse=_choice("fail", "xfail", "warn"),
    ),
    Option(
        "instrument",
        "what a reward model that does not read the questions gets: require (the default; errors) "
        "or report (verdicts that gate nothing)",
        "require",
        "HOW",
        parse=_choice("require", "report"),
    ),
    Option(
        "control",
        "recorded scores of the k-th --rm for the words of the instrument check, or RM=SPEC, such "
        "as scores:FILE; repeatable",
        (),
        "SPEC",
        True,
    ),
    Option(
        "allow-uncalibrated",
        "test of the paper that the paper_tests fixture may assert on although it is not "
        f"calibrated: {', '.join(PAPER_TESTS)}; repeatable",
        (),
        "NAME",
        True,
        parse=_choice(*PAPER_TESTS),
    ),
)
