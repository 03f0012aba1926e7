"""Logs values during training: words are scored at every checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, TrainerCallback

from valuebias.candidates import Candidates
from valuebias.errors import ValueBiasError, visible
from valuebias.format import bracketed, signed
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.chat import Chat
from valuebias.models.files import locate
from valuebias.models.heads.score import ScoreHead
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.prompts import VALENCES, select
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import single

log = logging.getLogger("valuebias.training")


class ValueWatch(TrainerCallback):
    """Logs what the model in training prefers, at every checkpoint.

    The words of ``lexicons`` (starter lexicons unless given) are scored on six prompts a valence by
    the model as it is in memory, exactly as its checkpoint would be. It draws no random number, so
    training is not affected. A sharded model (FSDP, DeepSpeed) is not watched.
    """

    def __init__(
        self,
        lexicons: Sequence[Lexicon] | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        self._lexicons = [starter("big_two")] if lexicons is None else list(lexicons)
        self._settings = settings or Settings()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        if getattr(args, "fsdp", None) or getattr(args, "deepspeed", None):
            log.info("step %s: values are not watched, the model is sharded", state.global_step)
            return
        model = kwargs["model"]
        training = model.training
        model.eval()
        try:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            for line in self._lines(getattr(model, "module", model), path):
                log.info("step %s: %s", f"{state.global_step:,}", line)
        except (ValueBiasError, RuntimeError) as error:  # such as: out of memory
            # A failed look at values must not stop the run.
            log.warning(
                "step %s: values could not be measured: %s", state.global_step, visible(str(error))
            )
        finally:
            model.train(training)

    def _lines(self, model: Any, checkpoint: Path) -> Iterator[str]:
        files = locate(parse_spec(str(checkpoint)), self._settings)
        tokenizer = AutoTokenizer.from_pretrained(files.tokenizer, local_files_only=True)
        scorer = RewardModel(
            ScoreHead(model.base_model.model, torch.ones(1)),
            tokenizer,
            Chat(tokenizer),
            name=checkpoint.name,
            fingerprint="",
            chunk_memory=self._settings.chunk_memory,
            origin={},
        )
        for lexicon in self._lexicons:
            words = Candidates.words(lexicon.words())
            for contrast in _contrasts(lexicon):
                parts = []
                for valence in VALENCES:
                    prompts = select(valence, quick=True)
                    scores = scorer.score(prompts, words)
                    chosen = lexicon.select(contrast, scores.candidates.responses)
                    effect = single(
                        scores.values[:, chosen.columns],
                        chosen.in_a,
                        chosen.families,
                        prompts=[prompt.factors for prompt in prompts],
                    )
                    interval = bracketed(effect.low, effect.high)
                    parts.append(f"{valence} {signed(effect.estimate)} {interval}")
                yield f"{contrast} ({lexicon.name}): {'; '.join(parts)}"


def _contrasts(lexicon: Lexicon) -> tuple[str, ...]:
    """One category against the other, or each against the others of its polarity."""
    names = tuple(lexicon.categories)
    return ("~".join(names),) if len(names) == 2 else names
