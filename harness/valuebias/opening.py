"""Opens a model by its spec, or one in memory: `load`."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from valuebias.declarations.prompts import prompts_in_force
from valuebias.errors import SpecError
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.model import Model
from valuebias.models.settings import Settings, parse_template
from valuebias.models.spec import LoadAs, check_model
from valuebias.prompts import (
    BALANCED,
    PromptSet,
)
from valuebias.scorers.bench import Bench
from valuebias.scorers.default_prompts import default_prompts
from valuebias.scorers.in_memory import InMemory
from valuebias.scorers.loader import Loader
from valuebias.scorers.protocol import Kind, Scorer
from valuebias.scorers.schemes import check_language_model, parse_spec
from valuebias.store.database import Store, default_folder


def load(
    model: object,
    tokenizer: object = None,
    *,
    load_as: LoadAs = "rm",
    name: str | None = None,
    lexicons: Mapping[str, str | Path] | None = None,
    quick: bool = False,
    prompts: str | Path | PromptSet | None = None,
    device: str = "auto",
    dtype: str = "auto",
    cache_dir: str | Path | None = None,
    offline: bool = False,
    control: str | None = None,
    template: str = "",
) -> Model:
    """A model by its spec, or one in memory: with its tokenizer, or as a function.

    A spec is what ``--rm`` takes ("org/name", a directory, "demo:agency", "scores:FILE",
    "dpo:POLICY,REFERENCE", "served:URL", "py:MODULE:FACTORY"); with ``load_as="llm"`` what
    ``--llm`` takes. It is loaded when scores are needed that the store (in ``cache_dir``) does not
    have. A model in memory is a sequence classifier of one label or a causal language model; it is
    put into evaluation mode, and its scores are not stored on disk. A function takes a list of
    (question, answer) pairs and returns one float for each, higher for what is preferred; its
    scores are stored if it has a ``name``, under that and under what it says of 32 fixed
    conversations. ``lexicons`` maps names to files, in addition to the starters "big_two" and
    "mfd2". ``prompts`` is what effects are measured on: "paper", "balanced", a YAML file, or a
    `PromptSet`; without it "balanced", of recorded scores "paper". ``control`` is a spec of other
    recorded scores of the same model, which have the words of the instrument check. ``template``
    is the format of a reward model that has no chat template: "plain", "pair" or the file of a
    Jinja chat template.

    Raises SpecError for an invalid spec or template; for a model in memory, ModelError if it cannot
    be scored reliably.
    """
    settings = Settings(device=device, dtype=dtype, offline=offline, template=_template(template))
    files = {key: Path(path).expanduser() for key, path in (lexicons or {}).items()}
    find = partial(lexicon_in_force, files=files)
    if not isinstance(model, str):
        from valuebias.models.in_memory import wrap
        from valuebias.models.language import LanguageModel

        if tokenizer is None:
            scorer = _function(model, name, load_as, settings, cache_dir)
            return Model(scorer, find, quick, prompts=prompts_in_force(prompts or BALANCED))
        label = name or type(model).__name__
        wrapped = wrap(model, tokenizer, name=label, settings=settings)
        asked = prompts_in_force(prompts or BALANCED)
        kind: Kind = "language" if isinstance(wrapped, LanguageModel) else "reward"
        return Model(InMemory(wrapped, kind, model), find, quick, prompts=asked)
    spec = parse_spec(model if name is None else f"{name}={model}", load_as=load_as)
    (check_model if load_as == "rm" else check_language_model)(spec)
    asked = prompts_in_force(prompts or default_prompts([spec]))
    bench = _bench(_folder(cache_dir), settings, asked)
    checked = None if control is None else bench.scorer(parse_spec(control, load_as=load_as))
    return Model(bench.scorer(spec), find, quick, checked, asked)


def _function(
    model: object,
    name: str | None,
    load_as: LoadAs,
    settings: Settings,
    cache_dir: str | Path | None,
) -> Scorer:
    """A function of pairs; its scores are stored if it has a name."""
    from valuebias.models.in_code import is_module, of_function

    if is_module(model) or not callable(model):
        raise SpecError(
            "a model in memory needs its tokenizer",
            seen=type(model).__name__,
            remedy="Give load(model, tokenizer), a function of (question, answer) pairs, or a spec "
            "such as 'org/name'.",
        )
    if name is None:
        label = getattr(model, "__name__", type(model).__name__)
        return InMemory(of_function(model, name=label, store=None, load_as=load_as), "reward")
    from valuebias.scorers.in_code import stored_function

    bench = _bench(_folder(cache_dir), settings, BALANCED)
    scorer = stored_function(model, name, load_as, Loader(bench.store, settings, bench.progress))
    _ = scorer.fingerprint  # it is asked now, so that one that cannot be used is refused here
    return scorer


def _folder(cache_dir: str | Path | None) -> Path:
    return default_folder() if cache_dir is None else Path(cache_dir).expanduser()


def _template(text: str) -> str:
    try:
        return parse_template(text) if text else ""
    except ValueError as error:
        raise SpecError("not a format of conversations", seen=text, remedy=f"It {error}.") from None


@cache
def _bench(folder: Path, settings: Settings, prompts: PromptSet) -> Bench:
    """One for all models of a process, so that only one model is in memory at a time."""
    bench = Bench(Store(folder / "scores.sqlite"), settings, prompts=prompts)
    atexit.register(bench.close)
    return bench
