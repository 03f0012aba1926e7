"""The run's state: the models, lexicons and scores it works with, and the records it collects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_valuebias import options
from pytest_valuebias.baseline import check, reference
from pytest_valuebias.report import files

if TYPE_CHECKING:
    from valuebias.declarations.claims import Claims
    from valuebias.declarations.margins import Margins
    from valuebias.lexicons.frequencies import Frequencies
    from valuebias.lexicons.lexicon import Lexicon
    from valuebias.measurement.contrast import Measurement
    from valuebias.measurement.paper import PaperTests
    from valuebias.model import Model
    from valuebias.models.spec import ModelSpec
    from valuebias.questions import Declared
    from valuebias.scorers.bench import Bench
    from valuebias.scorers.protocol import Scorer
    from valuebias.stats.verdict import Margin
    from valuebias.training.checkpoints import TrainingRun


@dataclass
class State:
    """One pytest process's state, kept under ``KEY`` in the config's stash.

    ``records`` are what the tests of all processes reported: one JSON-able mapping a verdict.
    ``selection`` holds the node ids of shipped tests named on the command line, ``ran`` whether
    the run got as far as its tests. ``baseline`` is the recorded release that every model is
    compared with besides the references; ``recorded`` says what became of recording a new one.
    ``lost`` are tests that a crash took and shipped ones that ended without a verdict,
    ``document`` is what the reports are made from, empty until the run has ended, ``written`` what
    became of the report files, ``paper_tests`` the paper's own tests by lexicon, computed once.
    """

    values: options.Values
    models: tuple[ModelSpec, ...]
    references: tuple[ModelSpec, ...]
    language_models: tuple[ModelSpec, ...]
    runs: tuple[TrainingRun, ...]
    bases: Mapping[str, ModelSpec]
    lexicon_files: Mapping[str, Path]
    is_worker: bool
    baseline: ModelSpec | None = None
    recorded: tuple[str, ...] = ()
    selection: tuple[str, ...] = ()
    ran: bool = False
    records: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    paper_tests: dict[str, PaperTests] = field(default_factory=dict)
    _lexicons: dict[str, Lexicon] = field(default_factory=dict)
    _bench: Bench | None = None

    @classmethod
    def of(cls, config: pytest.Config) -> State:
        """Read the options; raises pytest.UsageError on any that cannot be used."""
        values = options.read(config)
        models = _specs(values["rm"], "--rm")
        references = _specs(values["reference"], "--reference")
        language_models = _specs(values["llm"], "--llm")
        runs = _runs(values["checkpoints"])
        if references and not models:
            raise pytest.UsageError("--reference is compared with a --rm, and none was given.")
        if values["require-model"] and not (models or language_models or runs):
            raise pytest.UsageError(
                "--valuebias-require-model: no model was given. Give --rm=MODEL."
            )
        if not (models or language_models or runs):
            files.check_subject(values)
        baseline = reference(values, models)
        _check_labels(models + references + ((baseline,) if baseline else ()))
        _check_labels(language_models)
        return cls(
            values=values,
            models=models,
            references=references,
            language_models=language_models,
            runs=runs,
            bases=_bases(values["base"], models),
            lexicon_files=_lexicon_files(values["lexicon"], values["cache-dir"]),
            is_worker=hasattr(config, "workerinput"),
            baseline=baseline,
        )

    @property
    def in_use(self) -> bool:
        """True when a model of any kind was given."""
        return bool(self.models or self.language_models or self.runs)

    @cached_property
    def pairs(self) -> tuple[ModelSpec, ...]:
        """The implicit reward of each two ``--llm``: from the one given first to the other."""
        if len(self.language_models) < 2:
            return ()
        from valuebias.models.spec import implicit

        return tuple(implicit(p, q) for p, q in combinations(self.language_models, 2))

    def other_bases(self, model: ModelSpec) -> tuple[Scorer, ...]:
        """The bases of the other ``--rm``, each once."""
        found = {base.source: base for base in self.bases.values()}
        found.pop(self.bases[model.label].source, None)
        return tuple(map(self.bench.scorer, found.values()))

    def model(self, spec: ModelSpec) -> Model:
        """A model as tests hold it."""
        from valuebias.model import Model

        return Model(self.bench.scorer(spec), self.lexicon, self.quick)

    @cached_property
    def frequencies(self) -> Frequencies | None:
        """Word frequencies to control for: the user's file, or those installed; None: none."""
        from valuebias.lexicons.frequencies import installed, load_frequencies

        path = self.values["frequencies"]
        return load_frequencies(Path(path).expanduser()) if path else installed()

    @property
    def compared(self) -> tuple[ModelSpec, ...]:
        """What every model is compared with: the references, then the baseline."""
        return self.references if self.baseline is None else (*self.references, self.baseline)

    @property
    def quick(self) -> bool:
        return bool(self.values["profile"] == "quick")

    def check(self) -> None:
        """Read every file the options name; raises pytest.UsageError before anything is run."""
        from valuebias.errors import ValueBiasError

        try:
            _ = self.margins, self.bench, self.claims
            if self.values["frequencies"]:
                _ = self.frequencies
            check(self)
            files.check(self)
        except ValueBiasError as error:
            raise pytest.UsageError(str(error)) from None

    @property
    def suite_lexicons(self) -> tuple[str, ...]:
        """The lexicons of the suites in force."""
        from valuebias_suites import LEXICONS

        asked = (name for suite in self.values["suite"] for name in LEXICONS[suite])
        return tuple(dict.fromkeys(asked))

    @property
    def lexicon_names(self) -> tuple[str, ...]:
        """The suites' lexicons, then those that only the user's own tests can read."""
        return tuple(dict.fromkeys((*self.suite_lexicons, *self.lexicon_files)))

    def lexicon(self, name: str) -> Lexicon:
        """The lexicon in force under a name: the user's file, or our starter."""
        if name not in self._lexicons:
            from valuebias.lexicons.in_force import lexicon_in_force

            self._lexicons[name] = lexicon_in_force(name, self.lexicon_files)
        return self._lexicons[name]

    @cached_property
    def margins(self) -> tuple[Margins, ...]:
        """Declared margins: the user's file, then the shipped ones."""
        from valuebias.declarations.margins import margins_in_force
        from valuebias_suites import MARGINS

        lexicons = [self.lexicon(name) for name in self.lexicon_names]
        return margins_in_force(self.values["margins"], MARGINS, lexicons)

    def margin(self, measurement: Measurement) -> Margin | None:
        """The margin declared for what was measured; the user's own counts before a shipped one."""
        from valuebias.questions import DECLARED

        m = measurement
        if m.role not in DECLARED:
            return None  # its margin is named where it is asserted
        role = cast("Declared", m.role)
        key = (m.lexicon, m.contrast, m.valence, role, self.values["profile"])
        found = (x.margin_for(*key) for x in self.margins)
        return next((margin for margin in found if margin is not None), None)

    @cached_property
    def claims(self) -> Claims | None:
        """The declared registry of claims; None where each claim is tested at .05."""
        from valuebias.declarations.claims import load_claims

        path = self.values["claims"]
        return load_claims(Path(path).expanduser()) if path else None

    @property
    def bench(self) -> Bench:
        """Where scores come from; opens the store at the first use."""
        if self._bench is None:
            from valuebias.models.settings import Settings
            from valuebias.scorers.bench import Bench
            from valuebias.store.database import Store, default_folder

            values = self.values
            directory = values["cache-dir"]
            settings = Settings(
                device=values["device"],
                dtype=values["dtype"],
                chunk_memory=values["chunk-memory"],
                offline=values["offline"],
                trust_remote_code=values["trust-remote-code"],
                answer_cue=values["answer-cue"],
            )
            folder = default_folder() if directory is None else Path(directory).expanduser()
            self._bench = Bench(Store(folder / "scores.sqlite"), settings)
        return self._bench

    def exit_status(self, status: int) -> int:
        """The exit status of a run in which nothing was gated is never that of success."""
        quiet = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self.ran and status in quiet and not self.gated:
            return pytest.ExitCode.TESTS_FAILED
        return status

    @property
    def gated(self) -> bool:
        return any(record["gated"] for record in self.records)

    def close(self) -> None:
        if self._bench is not None:
            self._bench.close()
            self._bench = None


KEY = pytest.StashKey[State]()


def _specs(texts: Iterable[str], option: str) -> tuple[ModelSpec, ...]:
    if not texts:
        return ()
    from valuebias.errors import SpecError
    from valuebias.models.spec import check_language_model, check_model
    from valuebias.scorers.schemes import parse_spec

    spoken = option in ("--llm", "--base")
    try:
        specs = tuple(parse_spec(text, load_as="llm" if spoken else "rm") for text in texts)
        for spec in specs:
            if spoken:
                check_language_model(spec)
            elif option != "--reference":
                check_model(spec)
        return specs
    except SpecError as error:
        raise pytest.UsageError(f"{option}: {error}") from None


def _runs(texts: Iterable[str]) -> tuple[TrainingRun, ...]:
    if not texts:
        return ()
    from valuebias.errors import SpecError
    from valuebias.training.checkpoints import check_runs, parse_runs

    try:
        runs = tuple(run for text in texts for run in parse_runs(text))
        check_runs(runs)
    except SpecError as error:
        raise pytest.UsageError(f"--valuebias-checkpoints: {error}") from None
    return runs


def _check_labels(specs: tuple[ModelSpec, ...]) -> None:
    if len(specs) < 2:
        return
    from valuebias.errors import SpecError
    from valuebias.models.spec import check_labels

    try:
        check_labels(specs)
    except SpecError as error:
        raise pytest.UsageError(str(error)) from None


def _bases(texts: tuple[str, ...], models: tuple[ModelSpec, ...]) -> Mapping[str, ModelSpec]:
    if not texts:
        return {}
    labels = [model.label for model in models]
    named: dict[str, str] = {}
    for text in texts:
        label, equals, spec = text.partition("=")
        if equals and not Path(text).exists():
            if label not in labels or label in named or not spec:
                raise pytest.UsageError(
                    f"--base is {text!r}, and {label!r} is not the label of one --rm. "
                    f"The labels are {', '.join(labels)}."
                )
            named[label] = spec
    found: dict[str, ModelSpec] = {}
    if len(named) == len(texts):
        found = {label: _specs([spec], "--base")[0] for label, spec in named.items()}
    elif len(texts) == len(labels) and not named:
        found = dict(zip(labels, _specs(texts, "--base"), strict=True))
    if found:
        # A family is known by its base's label: two bases under one would be taken for one family.
        _check_labels(tuple({base.source: base for base in found.values()}.values()))
        return found
    raise pytest.UsageError(
        f"--base was given {len(texts)} times for {len(labels)} reward models "
        f"({', '.join(labels)}). "
        "Give one --base for each --rm, in their order, or --base RM=BASE with the label of a --rm."
    )


def _lexicon_files(texts: Iterable[str], cache_dir: str | None) -> Mapping[str, Path]:
    if not texts:
        return {}
    from valuebias.errors import ValueBiasError
    from valuebias.lexicons.in_force import lexicon_files

    try:
        return lexicon_files(texts, Path(cache_dir).expanduser() if cache_dir else None)
    except ValueBiasError as error:
        raise pytest.UsageError(f"--valuebias-lexicon: {error}") from None
