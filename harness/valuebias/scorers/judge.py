"""A generative judge: a language model that is asked to rate every answer, as a reward model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from valuebias.declarations.judge_templates import DEFAULT, judge_template, shipped_judges
from valuebias.errors import SpecError
from valuebias.models.spec import ModelSpec
from valuebias.prompts import PromptSet
from valuebias.scorers.loader import Loader
from valuebias.scorers.protocol import Opener
from valuebias.scorers.schemes import absolute, parse_bare
from valuebias.scorers.stored_model import StoredModel

if TYPE_CHECKING:
    from valuebias.models.judge import Judge


def parse(target: str, spec: str, text: str) -> ModelSpec:
    """Read ``judge:MODEL[,TEMPLATE]``: a language model by its spec, and a shipped judge template
    or the YAML file of one."""
    given, comma, template = (part.strip() for part in target.partition(","))
    if not given or "," in template or (comma and not template):
        raise SpecError(
            "a judge is a language model and, if wanted, a template",
            seen=spec,
            remedy="Give judge:MODEL or judge:MODEL,TEMPLATE; if a path contains a comma, use a "
            "link to it.",
        )
    model = replace(parse_bare(given, text), load_as="llm")
    if not model.has_files:
        raise SpecError(
            "a judge must be a language model",
            seen=spec,
            remedy="Give judge:MODEL with org/name, a directory, or demo:agency.",
        )
    asked = template or DEFAULT
    if asked not in shipped_judges():
        asked = str(absolute(asked))
    judge_template(asked)  # a template that cannot be used is a usage error
    label = f"judge:{model.label}" + (f",{Path(template).name}" if template else "")
    return ModelSpec(label, "judge", asked, None, text, (model,))


def open_scorer(spec: ModelSpec, opener: Opener) -> StoredJudge:
    return StoredJudge(spec, opener.loader, opener.prompts)


class StoredJudge(StoredModel):
    """What ``judge:MODEL,TEMPLATE`` scores; a scorer (`scorers.protocol.Scorer`).

    Before it is asked for its first score, it must show that it answers with a rating.
    """

    def __init__(self, spec: ModelSpec, loader: Loader, prompts: PromptSet) -> None:
        super().__init__(spec, loader)
        self._prompts = prompts

    def _load(self) -> Judge:
        from valuebias.models.judge import Judge

        model = super()._load()
        assert isinstance(model, Judge)
        with self._loader.failures.remembered(self.spec):
            model.check_it_rates(self._prompts)
        return model
