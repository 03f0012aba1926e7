"""The joint distribution of effects on the same words and prompts, at several checkpoints.

    joint(terms, effects, words) -> Joint
    Joint.covariance, Joint.stretch(level, seed)

Words, single prompts and what prompts share are independent parts, each with its own degrees of
freedom at a checkpoint (`crossed`) and its own correlation over checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from valuebias.stats.crossed import (
    Factors,
    Floats,
    factor_columns,
    family_sums,
    placements,
    prompt_parts,
    residual_variance,
)
from valuebias.stats.effect import Effect, Term
from valuebias.stats.word_families import WordFamilies

DRAWS = 10_000
FEW = 10
"""Up to this many degrees of freedom each checkpoint's variance is drawn; beyond, one for all."""


@dataclass(frozen=True, eq=False)
class Joint:
    """Parts (parts, checkpoints): variances, degrees of freedom; their correlations (parts,
    checkpoints, checkpoints). A checkpoint with complete separation has no variance."""

    variances: Floats
    dfs: Floats
    correlations: Floats

    @cached_property
    def covariance(self) -> Floats:
        """Of the estimates, (checkpoints, checkpoints)."""
        root = np.sqrt(self.variances)
        total: Floats = np.einsum("ks,kt,kst->st", root, root, self.correlations)
        return total

    def stretch(self, level: float, seed: int) -> float:
        """How many times as long as at one checkpoint intervals must be to hold at all at once.

        By simulation of the largest of the estimates' errors over its own interval's half width
        (max-t), both drawn: each part's errors are normal with its correlation, and its variance is
        estimated with its degrees of freedom, hence rather too small at all checkpoints than at
        some. At least 1.
        """
        some = self.variances.sum(axis=0) > 0
        rng = np.random.default_rng(seed)
        error = np.zeros((DRAWS, int(some.sum())))
        square = np.zeros(error.shape)
        for variance, df, correlation in zip(
            self.variances[:, some],
            self.dfs[:, some],
            self.correlations[:, some][:, :, some],
            strict=True,
        ):
            if not variance.any():
                continue
            mix = root(correlation)
            error += np.sqrt(variance) * (rng.standard_normal(error.shape) @ mix)
            typical = float(np.median(df[variance > 0]))
            if typical <= FEW:
                count = max(round(typical), 1)
                drawn = ((rng.standard_normal((count, *error.shape)) @ mix) ** 2).mean(axis=0)
            else:
                drawn = rng.chisquare(typical, (DRAWS, 1)) / typical
            square += variance * drawn * special.stdtrit(df, (1 - level) / 2) ** 2
        largest = np.quantile((np.abs(error) / np.sqrt(square)).max(axis=1), level)
        return max(float(largest), 1.0)


def joint(terms: Sequence[Sequence[Term]], effects: Sequence[Effect], words: WordFamilies) -> Joint:
    """From each checkpoint's terms, in one group of prompts, and its effect.

    Each part's variances are those of the intervals, and its correlation over checkpoints that of
    families' sums, of what single prompts have beyond their factors, and of the factors' means.
    Noise of single scores, which the variances do not count twice, stays in the correlation of
    prompts: if anything it makes that smaller and the band wider.
    """
    sums, by_prompt, parts, factors = [], [], [], terms[0][0].prompts
    for of_step, effect in zip(terms, effects, strict=True):
        weights = np.array([term.weight for term in of_step])
        placed = placements(np.array([term.values for term in of_step]), words)
        a, b = (np.einsum("s,spf->pf", weights, x) for x in placed)
        word_a, word_b = a.mean(axis=0), b.mean(axis=0)
        sums.append(np.add(*family_sums(word_a, word_b, words)))
        by_prompt.append(a.mean(axis=1))
        noise = residual_variance(a) + residual_variance(b)
        of_prompts = np.array(prompt_parts(by_prompt[-1], factors, noise)) * [4.0, 1.0]
        of_parts = np.array([effect.parts[0] if effect.parts else (0.0, 1.0), *of_prompts])
        parts.append(of_parts * [0.0, 1.0] if effect.method == "separation" else of_parts)
    patterns = (np.array(sums), *_prompt_patterns(np.array(by_prompt), factors))
    variances, dfs = np.array(parts).T
    return Joint(variances, dfs, np.array([_correlation(pattern) for pattern in patterns]))


def root(covariance: Floats) -> Floats:
    """The symmetric square root: no other changes so little with the covariance's rounding."""
    values, vectors = np.linalg.eigh(covariance)
    result: Floats = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return result


def _prompt_patterns(by_prompt: Floats, factors: Factors | None) -> tuple[Floats, Floats]:
    """What single prompts have beyond their factors (checkpoints, prompts), and the means of the
    factors' levels (checkpoints, levels), each weighted by its share in the mean."""
    n = by_prompt.shape[1]
    centred = (by_prompt - by_prompt.mean(axis=1, keepdims=True)).T
    columns = [np.eye(int(c.max()) + 1)[c] for c in factor_columns(factors, n)]
    design = np.hstack([np.ones((n, 1)), *columns])
    rest = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    shares = np.hstack([np.zeros((n, 0)), *columns]) / n
    return rest.T, (shares.T @ centred).T


def _correlation(pattern: Floats) -> Floats:
    """(checkpoints, checkpoints) of rows about zero; a row without spread goes with no other."""
    length = np.sqrt((pattern**2).sum(axis=1, keepdims=True))
    unit = np.divide(pattern, length, out=np.zeros_like(pattern), where=length > 1e-12)
    correlation: Floats = unit @ unit.T
    np.fill_diagonal(correlation, 1.0)
    return correlation
