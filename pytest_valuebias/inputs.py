"""The inputs of a run: models, lexicons, margins, and the bench that scores come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from pytest_valuebias.options import Values

if TYPE_CHECKING:
    from valuebias.declarations.claims import Claims
    from valuebias.declarations.margins import Margins, Profile
    from valuebias.lexicons.frequencies import Frequencies
    from valuebias.lexicons.lexicon import Lexicon
    from valuebias.lexicons.ratings import Ratings
    from valuebias.measurement.contrast import Measurement
    from valuebias.measurement.instrument import Instrument
    from valuebias.measurement.paper import PaperTests
    from valuebias.model import Model
    from valuebias.models.spec import ModelSpec
    from valuebias.prompts import PromptSet, Valences
    from valuebias.questions import Declared
    from valuebias.scorers.baseline_record import Baseline
    from valuebias.scorers.bench import Bench
    from valuebias.scorers.protocol import Scorer
    from valuebias.stats.verdict import Margin
    from valuebias.training.category_ranks import CategoryRanks
    from valuebias.training.checkpoints import TrainingRun

ANCHOR = "anchor"
"""The label of the release that a baseline began with, in node ids and reports."""


@dataclass(frozen=True)
class Inputs:
    """One pytest process's inputs, kept under ``KEY`` in the config's stash.

    ``people`` are ratings of words. ``bases`` holds the base of each ``--rm`` by its label,
    ``controls`` other recorded scores of it for the instrument check. ``baseline`` is the recorded
    release that every model is compared with besides the references. ``selection`` holds the node
    ids of shipped tests named on the command line. What is read or computed from them is kept:
    lexicons, margins, the open store, the paper's own tests.
    """

    values: Values
    models: tuple[ModelSpec, ...]
    references: tuple[ModelSpec, ...]
    language_models: tuple[ModelSpec, ...]
    policies: tuple[ModelSpec, ...]
    people: tuple[Ratings, ...]
    runs: tuple[TrainingRun, ...]
    bases: Mapping[str, ModelSpec]
    controls: Mapping[str, ModelSpec]
    lexicon_files: Mapping[str, Path]
    is_worker: bool
    baseline: ModelSpec | None = None
    selection: tuple[str, ...] = ()
    category_ranks: tuple[CategoryRanks, ...] = ()
    _lexicons: dict[str, Lexicon] = field(default_factory=dict, repr=False)
    _paper_tests: dict[str, PaperTests] = field(default_factory=dict, repr=False)
    _members: dict[str, bool] = field(default_factory=dict, repr=False)
    _instruments: dict[tuple[object, ...], Instrument] = field(default_factory=dict, repr=False)

    @property
    def in_use(self) -> bool:
        """True when a model of any kind, or ranks of one, were given."""
        return bool(self.models or self.language_models or self.runs or self.category_ranks)

    @property
    def quick(self) -> bool:
        return bool(self.values["profile"] == "quick")

    @property
    def thorough(self) -> bool:
        return bool(self.values["profile"] == "thorough")

    @property
    def declared_for(self) -> Profile:
        """The profile that margins and bounds are looked up for: ``thorough`` asks what ``ci``
        does, and computes it in more ways."""
        profile: Profile = "ci" if self.thorough else self.values["profile"]
        return profile

    @cached_property
    def prompt_set(self) -> PromptSet:
        """The prompt set in force: a shipped one, or the user's file."""
        from valuebias.declarations.prompts import prompts_in_force
        from valuebias.prompts import PAPER
        from valuebias.scorers.default_prompts import default_prompts

        if self.values["prompts"] is not None:
            return prompts_in_force(self.values["prompts"])
        if self.values["profile"] == "paper":
            return PAPER
        given = [*self.models, *self.references, *self.language_models, *self.bases.values()]
        given += self.policies
        given += [spec for run in self.runs for spec in run.models]
        return default_prompts([*given, *filter(None, [self.baseline])])

    @property
    def prompts(self) -> PromptSet:
        """What is asked of it under the profile: all, or the six a valence of ``quick``."""
        return self.prompt_set.quick if self.quick else self.prompt_set

    def asked(self, lexicon: str) -> PromptSet:
        """What is asked of a lexicon's words: those of whole answers stand in frames."""
        from valuebias.prompts import ANSWERS as FRAMES
        from valuebias_suites import ANSWERS

        whole = FRAMES.quick if self.quick else FRAMES
        return whole if lexicon in ANSWERS else self.prompts

    # Models

    @cached_property
    def bench(self) -> Bench:
        """Where scores come from; opens the store at the first use."""
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
            threads=values["threads"],
            template=values["template"],
            answer_cue=values["answer-cue"],
        )
        folder = default_folder() if directory is None else Path(directory).expanduser()
        return Bench(Store(folder / "scores.sqlite"), settings, prompts=self.prompt_set)

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "bench" in self.__dict__:
            self.bench.close()
            del self.__dict__["bench"]

    def model(self, spec: ModelSpec) -> Model:
        """A model as tests hold it."""
        from valuebias.model import Model

        scorer, control = self.bench.scorer(spec), self._control(spec)
        return Model(scorer, self.lexicon, self.quick, control, prompts=self.prompt_set)

    def is_panel_member(self, label: str) -> bool:
        """Whether the model with this label is one of the ten that panel margins are from."""
        from valuebias_suites.panel import is_member

        if label not in self._members:
            spec = next((spec for spec in self.models if spec.label == label), None)
            self._members[label] = spec is not None and is_member(spec, self.bench.scorer(spec))
        return self._members[label]

    @cached_property
    def pairs(self) -> tuple[ModelSpec, ...]:
        """The implicit reward of each two ``--llm``: from the one given first to the other."""
        if len(self.language_models) < 2:
            return ()
        from valuebias.models.spec import implicit

        return tuple(implicit(p, q) for p, q in combinations(self.language_models, 2))

    @property
    def compared(self) -> tuple[ModelSpec, ...]:
        """What every model is compared with: the references, then the baseline."""
        return self.references if self.baseline is None else (*self.references, self.baseline)

    @cached_property
    def anchor(self) -> ModelSpec | None:
        """The release that the baseline's file began with; None without a baseline, and where the
        file knows of none, being of an earlier format."""
        if self.baseline is None or self._recorded().release is None:
            return None
        return replace(self.baseline, label=ANCHOR, scheme="anchor")

    def _recorded(self) -> Baseline:
        from valuebias.scorers.baseline import BaselineScorer

        assert self.baseline is not None
        scorer = self.bench.scorer(self.baseline)
        assert isinstance(scorer, BaselineScorer)
        return scorer.baseline

    def release(self, fingerprint: str, against: str | None) -> int | None:
        """The number since the anchor of the model with this fingerprint, where it is compared with
        the anchor; None where it is compared with anything else, or nothing."""
        if self.anchor is None or against != self.anchor.label:
            return None
        from valuebias.scorers.baseline_history import number

        return number(self._recorded(), fingerprint)

    def share(self, scorer: Scorer, against: Scorer | None) -> float:
        """The part of a claim's error that this comparison may spend: all, but for the anchor."""
        if self.anchor is None or against is None:
            return 1.0
        from valuebias.stats.spending import share

        release = self.release(scorer.fingerprint, against.name)
        return 1.0 if release is None else share(release)

    def other_bases(self, model: ModelSpec) -> tuple[Scorer, ...]:
        """The bases of the other ``--rm``, each once."""
        by_source = {base.source: base for base in self.bases.values()}
        by_source.pop(self.bases[model.label].source, None)
        return tuple(map(self.bench.scorer, by_source.values()))

    def instrument(self, measurement: Measurement) -> Instrument:
        """Whether the models that a measurement is about read the questions; of several, the one
        that says least. Raises what loading a model raises."""
        from valuebias.measurement.instrument import weakest

        return weakest(
            self._instrument(spec, measurement, required=required)
            for spec, required in self._under_test(measurement)
        )

    def _instrument(self, spec: ModelSpec, of: Measurement, *, required: bool) -> Instrument:
        from valuebias.measurement.instrument import check_instrument

        key = (spec.label, required, of.lexicon.digest, of.prompts.digest)
        if key not in self._instruments:
            self._instruments[key] = check_instrument(
                self.bench.scorer(spec), of.lexicon, required=required, prompts=of.prompts,
                control=self._control(spec) if required else None,
            )  # fmt: skip
        return self._instruments[key]

    def _control(self, spec: ModelSpec) -> Scorer | None:
        """Other recorded scores of a ``--rm``, for its instrument check."""
        control = self.controls.get(spec.label) if spec in self.models else None
        return None if control is None else self.bench.scorer(control)

    def _under_test(self, m: Measurement) -> list[tuple[ModelSpec, bool]]:
        """What a measurement is about, each with whether it must read the questions."""
        if m.role == "family":
            return [(spec, True) for spec in self.models if spec.label in self.bases]
        if m.kind == "training run":
            return [(run.models[-1], True) for run in self.runs if run.label == m.model]
        mine = [spec for spec in self.models if spec.label == m.model]
        if m.kind == "language model" or not mine:
            spoken = self.language_models if m.kind == "language model" else self.pairs
            return [(spec, False) for spec in spoken if spec.label == m.model]
        return [(spec, True) for spec in mine]

    # Files

    @property
    def suite_lexicons(self) -> tuple[str, ...]:
        """The lexicons of the suites in force."""
        from valuebias_suites import LEXICONS

        asked = (name for suite in self.values["suite"] for name in LEXICONS[suite])
        return tuple(dict.fromkeys(asked))

    @property
    def word_lexicons(self) -> tuple[str, ...]:
        """Those of them whose words are asked alone."""
        return tuple(n for n in self.suite_lexicons if self.asked(n) is self.prompts)

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
    def frequencies(self) -> Frequencies | None:
        """Word frequencies to control for: the user's file, else the installed ones, else None."""
        from valuebias.lexicons.frequencies import installed, load_frequencies

        path = self.values["frequencies"]
        return load_frequencies(Path(path).expanduser()) if path else installed()

    @cached_property
    def margins(self) -> tuple[Margins, ...]:
        """Declared margins: the user's file, then the shipped ones."""
        from valuebias.declarations.margins import margins_in_force
        from valuebias_suites import MARGINS

        lexicons = [self.lexicon(name) for name in self.lexicon_names]
        return margins_in_force(self.values["margins"], MARGINS, lexicons)

    def margin(self, measurement: Measurement) -> Margin | None:
        """The margin declared for what was measured."""
        from valuebias.questions import DECLARED
        from valuebias_suites import convention

        m = measurement
        if m.role not in DECLARED:
            return None  # its margin is named where it is asserted
        role = cast("Declared", m.role)
        margin = self.declared(m.lexicon, m.contrast, m.valence, role)
        return convention(role) if margin is None else margin

    def declared(
        self, lexicon: Lexicon, contrast: str, valence: Valences, role: Declared
    ) -> Margin | None:
        """The margin declared for a question; the user's own goes before a shipped one."""
        key = (lexicon, contrast, valence, role, self.declared_for, self.prompt_set.name)
        margins = (x.margin_for(*key) for x in self.margins)
        return next((margin for margin in margins if margin is not None), None)

    @cached_property
    def claims(self) -> Claims | None:
        """The declared registry of claims; None where each claim is tested at .05."""
        from valuebias.declarations.claims import load_claims

        path = self.values["claims"]
        return load_claims(Path(path).expanduser()) if path else None

    def paper_tests(self, name: str) -> PaperTests:
        """The paper's tests of all ``--rm`` on a lexicon, computed once. Raises the
        error if they cannot be computed."""
        from valuebias.measurement.paper import paper_tests

        if name not in self._paper_tests:
            self._paper_tests[name] = paper_tests(
                [self.bench.scorer(spec) for spec in self.models],
                self.lexicon(name),
                {label: base.label for label, base in self.bases.items()},
                quick=self.quick,
                seed=self.values["seed"],
            )
        return self._paper_tests[name]


KEY = pytest.StashKey[Inputs]()
