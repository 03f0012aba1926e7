"""What a failed assertion says: the numbers, what they rest on, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuebias.errors import visible
from valuebias.format import bracketed, p_text, signed, unsigned
from valuebias.outcomes import Cause
from valuebias.report.margin_words import ONE_OF_TEN, origin

if TYPE_CHECKING:
    from valuebias.measurement.contrast import Measurement
    from valuebias.stats.effect import Effect
    from valuebias.stats.verdict import Verdict


def describe(
    measurement: Measurement,
    verdict: Verdict[Effect],
    reason: str,
    *,
    panel_member: bool = False,
) -> str:
    """What a failure shows: estimate, interval, margin, basis, and influential words."""
    from valuebias.measurement.influence import grouped

    effect, margin = verdict.effect, verdict.margin
    a, b = measurement.sides
    contrast = a if measurement.question.all_words else f"{a} against {b}"
    lines = [
        f"{verdict.outcome.name}: {reason}",
        "",
        f"  model       {visible(measurement.title)}",
        f"  contrast    {contrast}, {_asked(measurement)}; above zero = {_above(measurement)}",
        f"  estimate    {signed(effect.estimate)} {measurement.unit}, {effect.level:.0%} interval "
        f"{bracketed(effect.low, effect.high)}",
        f"  margin      {margin} ({visible(f'{origin(margin.basis)}: {margin.source}')})",
        f"  gate        {100 * verdict.gate_level:.4g}% interval "
        f"{bracketed(verdict.gate_low, verdict.gate_high)}",
        f"  power       a true effect of {unsigned(effect.mde)} would be found in 80% of cases; "
        f"{effect.method} {p_text(effect.p)} for no effect",
        f"  rests on    {measurement.rests_on}",
    ]
    if effect.tied is not None:
        lines.append(f"  ties        {effect.tied:.1%} of the pairs of words across the categories")
    if effect.beside is not None:
        held, names = effect.beside, ", ".join(row.covariate for row in measurement.balance)
        interval = bracketed(held.low, held.high)
        lines.append(f"  controlled  {signed(held.estimate)} {interval} beside {names}")
    if measurement.raised_by:
        lines += [
            f"  raised by   {grouped(measurement.raised_by, a, b)}",
            f"  lowered by  {grouped(measurement.lowered_by, a, b)}",
        ]
    if measurement.detail:
        lines.append(f"  of which    {measurement.detail}")
    notes = (*effect.notes, ONE_OF_TEN) if panel_member else effect.notes
    lines += [f"  note        {visible(note)}" for note in notes]
    lines.append(f"  what to do  {_remedy(measurement, verdict)}")
    return "\n".join(lines)


def describe_answer(measurement: Measurement, outcome: str, reason: str) -> str:
    """What a failed claim about a trajectory shows."""
    lines = [
        f"{outcome}: {reason}",
        "",
        f"  model       {visible(measurement.title)}",
        f"  contrast    {' against '.join(measurement.sides)}, {_asked(measurement)}",
        f"  rests on    {measurement.rests_on}",
        f"  of which    {measurement.detail}",
    ]
    lines += [
        f"  step {step.step:>7,}  {signed(step.estimate)} {bracketed(step.low, step.high)}"
        for step in measurement.trajectory
    ]
    return "\n".join(lines)


def _asked(measurement: Measurement) -> str:
    if measurement.valence == "positive-negative":
        return "positive minus negative prompts"
    return f"{measurement.valence} prompts"


def _above(m: Measurement) -> str:
    """What an effect above zero means."""
    from valuebias.questions import fill

    said = fill(
        m.question.above,
        sides=m.sides,
        contrast=m.contrast,
        model=m.model,
        reference=m.reference,
    )
    return visible(said + (m.question.both if m.valence == "positive-negative" else ""))


def _remedy(measurement: Measurement, verdict: Verdict[Effect]) -> str:
    """What a reader can do about a verdict that does not pass."""
    if verdict.outcome.name == "FAIL":
        return measurement.question.fail.format(reference=visible(str(measurement.reference)))
    if verdict.families_needed is not None and measurement.role == "human":
        return (
            "give ratings of more words, or a wider margin declared before looking; running it "
            "again changes nothing"
        )
    if verdict.families_needed is not None:
        return (
            "use a lexicon with more word families (--valuebias-lexicon), or a wider margin "
            "declared before looking; running it again changes nothing"
        )
    if verdict.cause is Cause.EXPLORATORY and measurement.role == "top":
        return (
            "run all prompts (--valuebias-profile=ci), on a lexicon of at least 200 word families, "
            "with scores that are not clipped"
        )
    return _REMEDIES.get(verdict.cause, _PROMPTS)


_PROMPTS = (
    "the prompts disagree, and more words would not settle it: declare a wider margin, or decide "
    "which prompts count; running it again changes nothing"
)
_REMEDIES = {
    Cause.EXPLORATORY: "run all prompts (--valuebias-profile=ci): this profile is for a first look",
    Cause.SEPARATION: "the two sides do not overlap at all, which leaves no spread to test with: "
    "read the ranks, or use a lexicon with more words",
    Cause.TIED: "look for what makes scores equal: a cap or rounding of the rewards, or a head "
    "that is computed in less than float32",
    Cause.MISSING: "score the missing words too, or use a lexicon of the words that were scored",
    Cause.CONFOUNDED: "read the controlled effect, or use a lexicon whose sides are alike in "
    "frequency, length and tokens",
    Cause.FRAGILE: "whether it lies inside turns on how it is computed: read the specifications, "
    "and use a lexicon whose sides are alike, or more prompts",
    Cause.FACET: "the mean hides a group of words of one meaning: look at the ranks of the facet "
    "that is named, and train its shift away or declare a margin that allows it",
}
"""By cause; where more words would not help and it is not among these, the prompts disagree."""
