"""The document of a run: what every report but the terminal is made from.

``schema.json`` beside this file describes the same for readers, and a test holds the two together.
Every string of a model, lexicon or vocabulary in it has been made visible. A new key goes into
both; a key that changes its meaning is a new ``VERSION``.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from valuebias.outcomes import Cause
from valuebias.prompts import Valence, Valences
from valuebias.questions import Role
from valuebias.report.beside import BalanceTable, ForecastMade, Robust
from valuebias.report.category_ranks import RankedFile
from valuebias.report.first_tokens import FirstTokens
from valuebias.report.people import InPeople

FORMAT, VERSION = "pytest-valuebias report", 1
"""What a document says it is."""

Said = Literal[
    "PASS", "FAIL", "INCONCLUSIVE", "NO MARGIN", "NOT GATED", "ERROR", "REPRODUCTION ONLY"
]
Soundness = Literal["sound", "failed", "unchecked"]
CameOut = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR", "INCOMPLETE", "NOT GATED"]


class Step(TypedDict):
    """One checkpoint of a training run."""

    step: int
    pairs: int | None
    estimate: float
    low: float | None
    high: float | None
    tau: float | None


class Record(TypedDict):
    """One verdict.

    ``estimate`` and the keys beside it are there if it was measured, ``gate_low`` and those beside
    it if held against a margin, ``top_share``, at ``ci_level``, of a model or a difference of two.
    """

    nodeid: str
    suite: str
    shipped: bool
    role: Role | Literal["paper", "ranks"]
    kind: str
    title: str
    model: str
    reference: str | None
    lexicon_name: str
    contrast: str
    valence: Valences | Literal["both", "unknown"]
    verdict: Said
    reason: str
    gated: bool
    cause: NotRequired[Cause]
    instrument: NotRequired[Soundness]

    fingerprint: NotRequired[str]
    reference_fingerprint: NotRequired[str | None]
    sides: NotRequired[list[str]]
    lexicon: NotRequired[str]
    coverage: NotRequired[float]
    covered: NotRequired[str]
    estimate: NotRequired[float]
    unit: NotRequired[str]
    covariates: NotRequired[list[str]]
    raw: NotRequired[bool]
    ci_level: NotRequired[float]
    ci_low: NotRequired[float]
    ci_high: NotRequired[float]
    n_words: NotRequired[int]
    n_families: NotRequired[int]
    n_prompts: NotRequired[int]
    prompt_set: NotRequired[str]
    n_shared: NotRequired[int]
    tied: NotRequired[float]
    balance: NotRequired[BalanceTable]
    in_people: NotRequired[list[InPeople]]
    p: NotRequired[float | None]
    mde: NotRequired[float | None]
    estimate_by_spelling: NotRequired[float | None]
    method: NotRequired[str]
    notes: NotRequired[str]
    n_claims: NotRequired[int]
    detail: NotRequired[str]
    raised_by: NotRequired[str]
    lowered_by: NotRequired[str]
    trajectory: NotRequired[list[Step]]
    head: NotRequired[str | None]
    dtype: NotRequired[str | None]
    device: NotRequired[str | None]
    template: NotRequired[str | None]
    injection: NotRequired[str | None]
    rung: NotRequired[str | None]
    rating_mass: NotRequired[float]
    top_share: NotRequired[float]
    top_low: NotRequired[float]
    top_high: NotRequired[float]

    gate_low: NotRequired[float]
    gate_high: NotRequired[float]
    margin_low: NotRequired[float | None]
    margin_high: NotRequired[float | None]
    alpha: NotRequired[float]
    margin_basis: NotRequired[str]
    margin_source: NotRequired[str]
    panel_member: NotRequired[bool]
    robustness: NotRequired[Robust]
    forecast: NotRequired[ForecastMade]


Scored = list[str | float]
"""A token and its score."""


class Tokens(TypedDict):
    """The best and worst of a vocabulary."""

    prompt: str
    kind: str
    n: int
    best: list[Scored]
    worst: list[Scored]
    left_out: str | None
    round_trip: str
    mass: str
    warning: str


class Checked(TypedDict):
    """One figure of an instrument check."""

    key: str
    name: str
    estimate: float
    low: float
    high: float
    threshold: float
    at_least: bool
    missed: bool


class InstrumentChecked(TypedDict):
    """Whether a model reads the questions."""

    state: Soundness
    required: bool
    reason: str
    words: str
    checks: list[Checked]


class RunRecord(Record):
    """One verdict on its way from a test to the reports, in types that xdist can send.

    ``tokens`` and ``instrument_check`` are said once a model; ``place`` is its test's in the run.
    """

    tokens: NotRequired[Tokens | None]
    instrument_check: NotRequired[InstrumentChecked]
    place: NotRequired[int]


class Setting(TypedDict):
    """A setting that is not the default."""

    name: str
    value: str
    source: str


class Subject(TypedDict):
    """One model, or one comparison of two."""

    title: str
    model: str
    reference: str | None
    kind: str
    outcome: CameOut
    not_run: int
    headline: str
    fingerprint: str | None
    reference_fingerprint: str | None
    head: str | None
    dtype: str | None
    device: str | None
    template: str | None
    injection: str | None
    rung: str | None
    base: str | None
    tokens: Tokens | None
    instrument: NotRequired[InstrumentChecked | None]


class LexiconUsed(TypedDict):
    """A lexicon that was used."""

    name: str
    title: str
    sha256: str
    starter: bool
    licence: str
    words: int
    categories: dict[str, int]
    notes: list[str]


class PromptSetUsed(TypedDict):
    """The prompt set in force."""

    name: str
    language: str
    sha256: str


class PromptAsked(TypedDict):
    """A prompt."""

    id: str
    text: str
    valence: Valence


class Ranks(TypedDict):
    """The ranks of one model's words, by category and prompt."""

    subject: str
    kind: str
    lexicon: str
    n_words: int
    categories: list[str]
    prompts: list[str]
    medians: list[list[float]]


class WordRow(TypedDict):
    """A word."""

    word: str
    family: str
    categories: list[str]


class WordColumn(TypedDict):
    """One model's mean ranks, in the order of the rows."""

    subject: str
    kind: str
    positive: list[float | None]
    negative: list[float | None]


class Words(TypedDict):
    """Every word of a lexicon that was scored, with its mean rank in each model."""

    lexicon: str
    rows: list[WordRow]
    columns: list[WordColumn]


class PairMatrix(TypedDict):
    """The implicit rewards of all pairs of language models on one contrast."""

    contrast: str
    unit: str
    labels: list[str]
    values: list[list[float | None]]
    left_out: list[str]


class Details(TypedDict):
    """What is read from the store besides verdicts."""

    prompts: list[PromptAsked]
    ranks: list[Ranks]
    words: list[Words]
    matrices: list[PairMatrix]
    first_tokens: NotRequired[list[FirstTokens]]
    paper: str
    notes: list[str]


class Outline(TypedDict):
    """All that needs no scores: the run, its models, lexicons and verdicts."""

    format: str
    version: int
    created: str
    tool: str
    command: str
    versions: dict[str, str]
    profile: Literal["quick", "ci", "thorough", "paper"]
    prompt_set: NotRequired[PromptSetUsed]
    settings: list[Setting]
    exit_status: int
    complete: bool
    not_run: int
    outcome: CameOut
    headline: str
    subjects: list[Subject]
    verdicts: list[Record]
    lexicons: list[LexiconUsed]
    category_ranks: NotRequired[list[RankedFile]]


class Document(Outline, Details):
    """The whole."""
