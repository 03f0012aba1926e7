"""A recipe: everything that decides a training run, as one value, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from valuebias.errors import SpecError
from valuebias.training.fields import FILES, FieldReader
from valuebias.yaml_nodes import YamlFile

Regularizer = Literal["none", "text"]
Truncate = Literal["none", "prompt-left"]
Invalid = Literal["error", "leave-out"]
Schedule = Literal["cosine", "linear", "constant"]
Precision = Literal["auto", "float32", "bfloat16"]
PromptIn = Literal["field", "shared-prefix"]


@dataclass(frozen=True)
class DataSource:
    """Where preferences come from: a .jsonl, .jsonl.gz or .parquet file, or a data set of the hub.

    ``split``, ``config`` and ``revision`` are a hub data set's. ``prompt`` says where plain texts
    without a ``prompt`` field have theirs: ``field`` refuses them, ``shared-prefix`` takes the
    whole lines that both texts begin with. ``name`` is what a grid's run directories call it.
    """

    source: str
    name: str = ""
    split: str = "train"
    config: str | None = None
    revision: str | None = None
    prompt: PromptIn = "field"

    @property
    def is_file(self) -> bool:
        return self.source.lower().endswith(FILES)

    @property
    def label(self) -> str:
        """The name, or the last component of the source without its ending."""
        last = self.source.rstrip("/").rsplit("/", 1)[-1]
        ending = next((end for end in FILES if last.lower().endswith(end)), "")
        return self.name or last[: len(last) - len(ending)]


@dataclass(frozen=True)
class Recipe:
    """One training run. The defaults are the paper's setting (section 4.1), completed, where the
    paper is silent, from the authors' published script: LoRA on the attention projections with
    dropout .05, cosine schedule with 3% warm-up, gradients clipped at 5, no weight decay.

    ``base``: model spec of the language model (or reward model) to start from. ``pairs``: train on
    the first so many after a shuffle seeded by ``seed``, so that quantities are nested; None for
    all. ``fits``: other bases whose tokenizers and positions a pair must fit as well, so that runs
    from several bases see the same pairs.

    ``batch_size`` × ``accumulation`` pairs make a step, on however many devices. ``max_length`` in
    tokens; a conversation may be no longer than that and than the model's positions. Longer pairs
    are left out, at most a share ``max_overlong`` of them, unless ``truncate`` is ``prompt-left``,
    which takes away from the start of the prompt and never from a response. ``invalid`` says what
    happens to pairs that prefer nothing (an empty response, two identical ones, equal ratings) or
    that the model's chat template refuses (such as a system turn): ``error`` stops at the first,
    naming its line; ``leave-out`` trains without them, counts them and names them.

    Loss (objective.py): ``margin`` in reward units, a number or ``data`` for each pair's own;
    ``label_smoothing`` the share of labels taken to be wrong; ``centring`` the weight of the
    squared sum of a pair's rewards; ``regularizer: text`` adds the text loss of generalizable
    reward models with weight ``text_weight`` and inverse temperature ``text_beta``.

    ``checkpoint_every`` and ``log_every`` in steps; the last step always has a checkpoint, step 0
    with ``initial_checkpoint``. ``precision``: float32, or bfloat16 autocast over float32 weights;
    auto takes the latter on a GPU.
    """

    base: str
    data: DataSource
    pairs: int | None = None
    seed: int = 0
    fits: tuple[str, ...] = ()
    epochs: int = 2
    batch_size: int = 4
    accumulation: int = 4
    max_length: int = 1024
    max_overlong: float = 0.05
    truncate: Truncate = "none"
    invalid: Invalid = "error"
    lora_rank: int = 32
    lora_alpha: float = 64.0
    lora_dropout: float = 0.05
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    learning_rate: float = 1e-5
    schedule: Schedule = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.0
    max_grad_norm: float = 5.0
    margin: float | Literal["data"] = 0.0
    label_smoothing: float = 0.0
    centring: float = 0.0
    regularizer: Regularizer = "none"
    text_weight: float = 0.01
    text_beta: float = 0.1
    checkpoint_every: int = 1000
    initial_checkpoint: bool = False
    log_every: int = 100
    precision: Precision = "auto"
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem is not None:
            name, what, remedy = problem
            raise SpecError(
                f"the recipe's `{name}` {what}", seen=getattr(self, name), remedy=remedy
            )

    def mapping(self) -> dict[str, Any]:
        """The recipe as plain values, complete; `load_recipe` reads them back from YAML."""
        values = {key: value for key, value in asdict(self).items() if value is not None}
        values["data"] = {key: value for key, value in values["data"].items() if value is not None}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
        }

    def yaml(self) -> str:
        """The recipe as a YAML document."""
        return yaml.safe_dump(self.mapping(), sort_keys=False, allow_unicode=True)


KEYS = tuple(field.name for field in fields(Recipe))
DATA_KEYS = tuple(field.name for field in fields(DataSource))
_AT_LEAST = {
    **dict.fromkeys(
        ("pairs", "epochs", "batch_size", "accumulation", "lora_rank", "checkpoint_every"), 1
    ),
    "log_every": 1,
    "seed": 0,
    "max_length": 2,
}
_BETWEEN = {
    "max_overlong": (0.0, 1.0),
    "lora_dropout": (0.0, 0.95),
    "warmup": (0.0, 0.9),
    "label_smoothing": (0.0, 0.499),
    "text_weight": (0.0, 1.0),
}
_POSITIVE = ("lora_alpha", "learning_rate", "max_grad_norm", "text_beta")
_NOT_NEGATIVE = ("weight_decay", "centring")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "truncate": get_args(Truncate),
    "invalid": get_args(Invalid),
    "schedule": get_args(Schedule),
    "regularizer": get_args(Regularizer),
    "precision": get_args(Precision),
}


def load_recipe(path: str | Path, *, sources: bool = True) -> Recipe:
    """Read a recipe: `key: value` lines named as Recipe's fields, of which ``base`` and ``data``
    are required. ``data`` is a source, or a mapping with DataSource's fields.

    Relative paths count from the recipe's own folder. Without ``sources``, models and files need
    not be there any more. Raises SpecError naming file and line.
    """
    path = Path(path)
    file = YamlFile.read(path, "the recipe", SpecError)
    folder = path.parent if sources else None
    given = FieldReader.of(file, file.root, "the recipe", KEYS, folder)
    for name in ("base", "data"):
        given.require(name)
    return build(given, base=given.model("base"), data=data_source(given, given.node("data")))


def build(given: FieldReader, **values: Any) -> Recipe:
    """The recipe of a mapping's fields; ``values`` are those already read. An
    invalid value is reported with the line of its field."""
    for name in KEYS:
        if name in values or name not in given:
            continue
        values[name] = _value(given, name)
    try:
        return Recipe(**values)
    except SpecError as error:
        name = error.what.split("`")[1]
        raise given.fail(name, error.what, error.remedy, error.seen) from None


def data_source(given: FieldReader, node: yaml.Node) -> DataSource:
    """A data source: text, or a mapping of DataSource's fields."""
    if isinstance(node, yaml.ScalarNode):
        return DataSource(given.source(node))
    return source_of(given.inside(node, "`data`", DATA_KEYS))


def source_of(given: FieldReader) -> DataSource:
    """The data source of a mapping's fields."""
    given.require("source")
    values: dict[str, Any] = {
        name: given.text(name) for name in DATA_KEYS if name in given and name != "source"
    }
    if "prompt" in given:
        values["prompt"] = given.choice("prompt", get_args(PromptIn))
    return DataSource(given.source(given.node("source")), **values)


def _value(given: FieldReader, name: str) -> Any:
    if name in _CHOICES:
        return given.choice(name, _CHOICES[name])
    if name in ("initial_checkpoint", "gradient_checkpointing"):
        return given.switch(name)
    if name == "lora_targets":
        return given.texts(name)
    if name == "fits":
        return given.models(name)
    if name == "margin" and given.text(name) == "data":
        return "data"
    if name == "pairs" and given.text(name) == "all":
        return None
    return given.whole(name) if name in _AT_LEAST else given.number(name)


def _problem(recipe: Recipe) -> tuple[str, str, str] | None:
    """(field, what is wrong with it, what to do), or None."""
    for name, least in _AT_LEAST.items():
        value = getattr(recipe, name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < least
        ):
            return name, f"must be an integer >= {least}", f"Give {least} or more."
    for name, (low, high) in _BETWEEN.items():
        if not low <= getattr(recipe, name) <= high:
            return name, "is out of range", f"Give a number from {low:g} to {high:g}."
    for name in _POSITIVE:
        if not 0 < getattr(recipe, name) < float("inf"):
            return name, "must be a positive number", "Give a number above 0."
    for name in _NOT_NEGATIVE:
        if not 0 <= getattr(recipe, name) < float("inf"):
            return name, "must be a number >= 0", "Give 0 or more."
    if recipe.margin != "data" and not 0 <= recipe.margin < float("inf"):
        return "margin", "must be a number >= 0", "Give 0 or more, or data."
    for name, choices in _CHOICES.items():
        if getattr(recipe, name) not in choices:
            return name, "has an unknown value", f"Give {' or '.join(choices)}."
    if not recipe.lora_targets or not all(recipe.lora_targets):
        return "lora_targets", "is empty", "Name the linear layers to adapt, such as q_proj."
    if not recipe.base:
        return "base", "is empty", "Give the model to start from."
    if not recipe.data.source:
        return "data", "is empty", "Give a file of preferences, or a data set's name."
    return None
