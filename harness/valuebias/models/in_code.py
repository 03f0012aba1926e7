"""Models that code makes: a factory named on the command line, or a function in a notebook.

The code is the user's own, and only what the spec names is run.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from valuebias.errors import ModelError, SpecError, first_line
from valuebias.models.canary import FloatArray, Pair
from valuebias.models.opaque import IntArray, OpaqueModel
from valuebias.models.settings import Settings
from valuebias.models.spec import LoadAs, ModelSpec
from valuebias.store.database import Store, address

if TYPE_CHECKING:
    from valuebias.models.language import LanguageModel
    from valuebias.models.reward import RewardModel

AT_ONCE = 64
"""How many pairs a function is given at a time."""
WANTED = (
    "Return (model, tokenizer), or a function that takes a list of (question, answer) pairs and "
    "returns one float for each, higher for what is preferred."
)

PairScorer = Callable[[list[Pair]], Sequence[float]]


def open_model(
    spec: ModelSpec, settings: Settings, store: Store
) -> RewardModel | LanguageModel | OpaqueModel:
    """The model that ``py:MODULE:FACTORY`` names: the factory is called, without arguments.

    Raises ModelError if the module or the factory is not found or raises, or returns anything else
    than a model with its tokenizer or a function that scores pairs.
    """
    made = _made(spec.target)
    if isinstance(made, tuple) and len(made) == 2:
        from valuebias.models.in_memory import wrap
        from valuebias.models.language import LanguageModel

        model = wrap(*made, name=spec.label, settings=settings)
        # Of weights and tokenizer: what else decides its scores is added, since they are stored.
        model.fingerprint = address(
            memory=model.fingerprint,
            template=model.chat.template_sha256,
            cue=settings.answer_cue,
            device=str(model.provenance["device"]).partition(":")[0],
        )
        if isinstance(model, LanguageModel) != (spec.load_as == "llm"):
            got, option = ("a language", "--llm") if spec.load_as == "rm" else ("a reward", "--rm")
            raise ModelError(
                f"the factory gives {got} model",
                seen=spec.text,
                remedy=f"Give it with {option}.",
            )
        return model
    if is_module(made) or not callable(made):
        raise ModelError(
            "the factory gives a model without its tokenizer"
            if is_module(made)
            else "the factory gives neither a model with its tokenizer nor a function",
            seen=type(made).__name__,
            remedy=WANTED,
        )
    return of_function(made, name=spec.label, load_as=spec.load_as, store=store, text=spec.text)


def of_function(
    function: PairScorer,
    *,
    name: str,
    store: Store | None,
    load_as: LoadAs = "rm",
    text: str = "",
) -> OpaqueModel:
    """A function that scores (question, answer) pairs, as a reward model.

    It is known in the store by ``name`` and by what it says of 32 fixed conversations. Raises
    ModelError where preflight refuses it, and SpecError as a language model.
    """
    if load_as != "rm":
        raise SpecError(
            "a function's scores are rewards, not log-probabilities",
            seen=text or name,
            remedy="Give it as a reward model, or return a causal language model with its "
            "tokenizer.",
        )
    return OpaqueModel(_Function(function, name), name=name, store=store)


def is_module(made: object) -> bool:
    """Whether this is a torch module, which can be called but does not take texts."""
    return hasattr(made, "state_dict") and hasattr(made, "parameters")


class _Function:
    """A function of pairs as a source of scores."""

    def __init__(self, function: PairScorer, name: str) -> None:
        self._function = function
        self._name = name

    @property
    def facts(self) -> Mapping[str, str]:
        return {"head": "function", "source": "code"}

    @property
    def identity(self) -> Mapping[str, str]:
        return {"function": self._name}

    def scores(self, pairs: Sequence[Pair]) -> Iterator[tuple[IntArray, FloatArray]]:
        for start in range(0, len(pairs), AT_ONCE):
            asked = list(pairs[start : start + AT_ONCE])
            yield np.arange(start, start + len(asked)), self._called(asked)

    def _called(self, pairs: list[Pair]) -> FloatArray:
        n = len(pairs)
        try:
            returned = self._function(list(pairs))
        except Exception as error:
            raise ModelError(
                f"the function of {self._name} raised an error",
                seen=first_line(error),
                remedy="Call it yourself on [('What is good?', 'Love')] for the whole traceback.",
            ) from error
        values = _floats(returned)
        if values is None or len(values) != n:
            raise ModelError(
                f"the function of {self._name} must return one float for each pair",
                seen=type(returned).__name__
                if values is None
                else f"{len(values)} scores for {n} pairs",
                remedy="Return a list, array or tensor of as many numbers as there are pairs.",
            )
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ModelError(
                f"the function of {self._name} gives scores that are not finite",
                seen=f"{values[at]:g} for {pairs[at]!r}",
                remedy="Compute in float32, and look at the model's weights.",
            )
        return values


def _floats(returned: Any) -> FloatArray | None:
    """The numbers of a list, array or tensor; None if it is none of numbers."""
    try:
        each = list(returned)
        if any(isinstance(x, (str, bytes)) for x in each):
            return None
        with np.errstate(over="ignore"):  # too large for float32: not finite
            return np.array([float(x) for x in each]).astype(np.float32)
    except (TypeError, ValueError, RuntimeError):  # the last: a tensor of several numbers
        return None


def _made(target: str) -> Any:
    module, _, attribute = target.partition(":")
    try:
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # last: no file here hides an installed module
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if module != missing and not module.startswith(f"{missing}."):
            raise _failed(f"the module {module} cannot be imported", error, target) from error
        raise ModelError(
            f"there is no module {module}",
            seen=f"py:{target}",
            remedy="Give py:PACKAGE.MODULE:FACTORY, installed, or below the current directory "
            f"({os.getcwd()}).",
        ) from None
    except (Exception, SystemExit) as error:
        raise _failed(f"the module {module} cannot be imported", error, target) from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ModelError(
                f"the module {module} has no {attribute}",
                seen=f"py:{target}",
                remedy="Give the name of a function in it that takes no arguments.",
            )
        found = getattr(found, name)
    if not callable(found):
        raise ModelError(
            f"{attribute} of the module {module} cannot be called",
            seen=type(found).__name__,
            remedy=f"Give a function without arguments that makes the model. {WANTED}",
        )
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise _failed(f"the factory {attribute} of {module} raised an error", error, target) from (
            error
        )


def _failed(what: str, error: BaseException, target: str) -> ModelError:
    module, _, attribute = target.partition(":")
    return ModelError(
        what,
        seen=first_line(error),
        remedy=f'For the whole traceback: python -c "import {module} as m; m.{attribute}()".',
    )
