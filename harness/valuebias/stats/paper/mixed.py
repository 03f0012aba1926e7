"""The paper's mixed model: median rank ~ base x category x valence, with an intercept per model.

``nlme::lme(median ~ base * category * valence, random = ~1 | model)`` by REML, which has no term
for the prompt. All models answer the same prompts in the same categories, and in such a design the
fixed effects are those of least squares and both variances have closed forms (Searle, Casella and
McCulloch, Variance Components, 1992, chapter 4). statsmodels fits the same model by its default
chain of optimisers, and the two must agree: alone, its "lbfgs" ends with an infinite likelihood and
wrong coefficients, and calls that convergence.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.format import signed, unsigned
from valuebias.stats.paper.ranks import VALENCES, Floats, MedianRanks, Reproduction, shown


@dataclass(frozen=True)
class Coefficient:
    """A fixed effect in ranks, against the first level of each factor; ``p`` is two-sided, from t
    with nlme's ``df``: the models' for the base family, the rows' for the rest."""

    estimate: float
    se: float
    df: int
    t: float
    p: float


@dataclass(frozen=True)
class MixedModel(Reproduction):
    """The fitted model. Its variances are of the models' intercepts and of the residual.

    ``three_way`` is how much more the second family's change from the first category to the second,
    from positive to negative prompts, exceeds the first family's. ``log_likelihood`` is REML's, as
    lme4 gives it. ``singular`` says that the models' variance is estimated as zero, which is
    allowed and noted: the standard errors are then least squares'.
    """

    coefficients: Mapping[str, Coefficient]
    model_variance: float
    residual_variance: float
    log_likelihood: float
    singular: bool
    n_models: int
    n_rows: int
    notes: tuple[str, ...] = ()

    @property
    def three_way(self) -> Coefficient:
        """The interaction base x category x valence."""
        return list(self.coefficients.values())[-1]

    @property
    def line(self) -> str:
        c = self.three_way
        return (
            f"mixed model, base x category x valence: {signed(c.estimate)} (SE {unsigned(c.se)}), "
            f"t({c.df}) {signed(c.t)}, {shown(c.p)}"
        )


def mixed_model(medians: MedianRanks) -> MixedModel:
    """Fit the paper's mixed model by its closed form, and compare it with statsmodels' fit.

    Raises StatisticsError unless there are two categories and two base families, with three models
    at least; where the medians do not vary; where statsmodels ends with a likelihood that is not
    finite; and where the two fits differ.
    """
    first, second = medians.families
    _check_shape(medians)
    design = _Design.of(medians, first, second)
    fit = _closed_form(design)
    notes = []
    if fit.singular:
        notes.append("the models' variance is estimated as zero (a singular fit)")
    _check(fit, design, *_statsmodels(fit, design))
    n_models, n_rows = len(medians.models), len(design.y)
    coefficients = {}
    for i, name in enumerate(design.names):
        df = n_models - 2 if i == 1 else n_rows - n_models - 6
        t = float(fit.estimates[i] / fit.errors[i])
        coefficients[name] = Coefficient(
            float(fit.estimates[i]), float(fit.errors[i]), df, t, float(2 * stats.t.sf(abs(t), df))
        )
    return MixedModel(
        coefficients=coefficients,
        model_variance=fit.model_variance,
        residual_variance=fit.residual_variance,
        log_likelihood=fit.log_likelihood,
        singular=fit.singular,
        n_models=n_models,
        n_rows=n_rows,
        notes=tuple(notes),
    )


def _check_shape(medians: MedianRanks) -> None:
    if len(medians.categories) != 2 or len(medians.models) < 3:
        raise StatisticsError(
            "the paper's mixed model needs two categories and at least three models",
            seen=f"{len(medians.categories)} categories, {len(medians.models)} models",
            remedy="Give more models of the two base families, and a lexicon of two categories.",
        )


def three_way_by_models(medians: MedianRanks) -> Coefficient:
    """The same three-way contrast with models for the sample, which is what families consist of.

    It is the t-test between the two families of the models' own contrasts, and in this design what
    the mixed model gives once every model may have its own slopes (lme4's category x valence
    slopes by model). No reproduction: this is what the paper's model leaves out. Raises
    StatisticsError as `mixed_model` does, and where no family's models differ among themselves.
    """
    first, second = medians.families
    _check_shape(medians)
    change = [medians.of(valence)[..., 1] - medians.of(valence)[..., 0] for valence in VALENCES]
    own = change[1].mean(axis=1) - change[0].mean(axis=1)
    x, y = own[medians.family(first)], own[medians.family(second)]
    df = len(own) - 2
    squares = float(((x - x.mean()) ** 2).sum() + ((y - y.mean()) ** 2).sum())
    if squares / df <= 1e-12:
        raise StatisticsError(
            "the models of a base do not differ from one another",
            seen=squares / df,
            remedy="They look like one model under several names: give each once.",
        )
    se = math.sqrt(squares / df * (1 / len(x) + 1 / len(y)))
    estimate = float(y.mean() - x.mean())
    t = estimate / se
    return Coefficient(estimate, se, df, t, float(2 * stats.t.sf(abs(t), df)))


@dataclass(frozen=True, eq=False)
class _Design:
    """``y`` (rows,), ``x`` (rows, 8) with treatment coding, ``model`` (rows,) and their names."""

    y: Floats
    x: Floats
    model: npt.NDArray[np.intp]
    names: tuple[str, ...]

    @classmethod
    def of(cls, medians: MedianRanks, first: str, second: str) -> _Design:
        parts = []
        for valence in VALENCES:
            values = medians.of(valence)
            model, _, category = np.indices(values.shape)
            negative = np.full(values.shape, valence == "negative")
            parts.append(np.stack([values, model, category, negative]).reshape(4, -1))
        y, model, category, negative = np.concatenate(parts, axis=1)
        in_second = np.array([base == second for base in medians.bases], float)[model.astype(int)]
        factors = (in_second, category, negative)
        labels = (f"base[{second}]", f"category[{medians.categories[1]}]", "valence[negative]")
        columns, names = [np.ones(len(y))], ["(Intercept)"]
        for size in (1, 2, 3):
            for chosen in itertools.combinations(range(3), size):
                columns.append(np.prod([factors[i] for i in chosen], axis=0))
                names.append(":".join(labels[i] for i in chosen))
        return cls(y, np.stack(columns, axis=1), model.astype(np.intp), tuple(names))


@dataclass(frozen=True, eq=False)
class _Fit:
    estimates: Floats
    errors: Floats
    model_variance: float
    residual_variance: float
    log_likelihood: float
    singular: bool


def _closed_form(design: _Design) -> _Fit:
    """Least squares, the variances from the mean squares between and within models, and REML's
    likelihood there."""
    y, x = design.y, design.x
    n_rows, n_fixed = x.shape
    n_models = int(design.model.max()) + 1
    per_model = n_rows // n_models
    estimates = np.linalg.solve(x.T @ x, x.T @ y)
    residual = y - x @ estimates
    means = np.bincount(design.model, weights=residual) / per_model
    between = per_model * float(means @ means)
    within = float(residual @ residual) - between
    df_between, df_within = n_models - 2, n_rows - n_models - 6
    if within / df_within <= 1e-12:
        raise StatisticsError(
            "the median ranks do not vary from prompt to prompt",
            seen=within / df_within,
            remedy="Look at how the scores were made.",
        )
    singular = between / df_between <= within / df_within
    if singular:
        sigma, model_variance = (between + within) / (df_between + df_within), 0.0
    else:
        sigma = within / df_within
        model_variance = (between / df_between - sigma) / per_model
    of_mean = sigma + per_model * model_variance
    sums = np.stack([x[design.model == m].sum(axis=0) for m in range(n_models)])
    information = (x.T @ x - model_variance / of_mean * sums.T @ sums) / sigma
    log_determinant = n_models * math.log(of_mean) + (n_rows - n_models) * math.log(sigma)
    log_likelihood = -0.5 * (
        (n_rows - n_fixed) * math.log(2 * math.pi)
        + log_determinant
        + float(np.linalg.slogdet(information)[1])
        + within / sigma
        + between / of_mean
    )
    errors: Floats = np.sqrt(np.diag(np.linalg.inv(information))).astype(np.float64)
    return _Fit(
        estimates.astype(np.float64), errors, model_variance, sigma, log_likelihood, singular
    )


def _statsmodels(fit: _Fit, design: _Design) -> tuple[Floats, Floats, float]:
    """Estimates, standard errors and REML log-likelihood of statsmodels' fit.

    It starts at the closed form, which it leaves unless that is the optimum; from its own start it
    now and then ends in a false one. At a variance of zero its score is not defined, and the model
    is least squares.
    """
    import statsmodels.api as sm  # type: ignore[import-untyped]
    from statsmodels.regression.mixed_linear_model import (  # type: ignore[import-untyped]
        MixedLMParams,
    )

    if fit.singular:
        plain = sm.OLS(design.y, design.x).fit()
        return plain.params, plain.bse, fit.log_likelihood
    start = MixedLMParams.from_components(
        fe_params=fit.estimates,
        cov_re=np.array([[fit.model_variance / fit.residual_variance]]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is checked here, and refused
        # The default chain (bfgs, then lbfgs, then cg); never "lbfgs" alone.
        model = sm.MixedLM(design.y, design.x, groups=design.model)
        try:
            result = model.fit(reml=True, start_params=start)
        except np.linalg.LinAlgError as error:
            raise StatisticsError(
                "statsmodels could not fit the mixed model",
                seen=error,
                remedy="Give more prompts or models, or look at how the scores were made.",
            ) from None
    estimates = np.asarray(result.fe_params, np.float64)
    return estimates, np.asarray(result.bse_fe, np.float64), float(result.llf)


def _check(fit: _Fit, design: _Design, estimates: Floats, errors: Floats, llf: float) -> None:
    if not math.isfinite(llf):
        raise StatisticsError(
            "the mixed model's likelihood is not finite",
            seen=llf,
            remedy="Do not report its numbers.",
        )
    pairs = [
        ("coefficient", fit.estimates, estimates, 1e-6 * float(np.std(design.y))),
        ("standard error", fit.errors, errors, 0.001 * float(fit.errors.min())),
        ("log-likelihood", np.array([fit.log_likelihood]), np.array([llf]), 0.001),
    ]
    for what, ours, theirs, tolerance in pairs:
        off = np.abs(ours - theirs)
        if not (off <= tolerance).all():
            worst = int(np.argmax(np.where(np.isfinite(off), off, np.inf)))
            raise StatisticsError(
                f"statsmodels and the closed form of the mixed model differ in a {what}",
                seen=f"{theirs[worst]:.6g} and {ours[worst]:.6g}",
                remedy="The fit did not converge: do not report it.",
            )
