"""Write docs/reference from the code: `python docs/generate.py`. A test compares what is committed.

Most is read from the source without running it, so that the pages are the same under every Python.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from source import ROOT, entry, flat, marked, tree

import valuebias as vb
from valuebias.format import bracketed

REFERENCE = ROOT / "docs" / "reference"
MADE = "<!-- Made by docs/generate.py from the code: change it there. -->\n\n"


def pages() -> dict[str, str]:
    """Every page of the reference, by the name of its file."""
    made = {
        "options.md": _options(),
        "commands.md": _commands(),
        "fixtures.md": _fixtures(),
        "api.md": _api(),
        "suites-and-margins.md": _suites(),
        "report.md": _report(),
    }
    return {name: MADE + text.rstrip() + "\n" for name, text in made.items()}


# options.md and commands.md


def _options() -> str:
    from pytest_valuebias.options import OPTIONS

    rows = []
    for option in OPTIONS:
        name = option.short or option.long
        value = "" if option.flag else f"={option.metavar}"
        names = f"`{name}{value}`" + (f" or `{option.long}`" if option.short else "")
        rows.append((names, option.help, _default(option), f"`{option.ini}`", f"`{option.env}`"))
    return f"""# Options of pytest

Each option of the command line has a twin in pytest's configuration file and one in the
environment. The command line counts before the environment, and that before the file. An option
that may be repeated takes one value a line in the other two. Paths in a file are relative to that
file. An empty value is an error, not a default.

{_table(("option", "what it says", "default", "in `pytest.ini`", "in the environment"), rows)}

Of the suites, each runs where the models it asks about are given. `--valuebias-suite=none` runs
none.

Where a `conftest.py` or another plugin has an option `--rm`, `--llm`, `--base` or `--reference`,
that option is theirs, the head of the run says so, and only `--valuebias-rm` and so on are ours.
The short names work where this plugin is installed or given with `-p`, not where a `conftest.py`
names it.
"""


def _default(option: Any) -> str:
    value = option.default
    if option.name == "chunk-memory":
        return "`1G`"
    if value is None or value == () or value == "":
        return "none"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return "off" if value is False else f"`{value}`"


def _commands() -> str:
    from valuebias.cli.main import _parser

    top = _parser()
    text = """# Commands

`valuebias` works without pytest. Exit statuses: 0, 1 (it failed, or a gate did), 2 (the command
cannot be used), 130 (stopped). An error is one message; `valuebias --traceback COMMAND ...` shows
where it arose.
"""
    for name, parser, said in _subcommands(top):
        text += f"\n## valuebias {name}\n\n{_sentence(parser.description or said)}\n"
        rows = [
            (_argument(action), _help(parser, action), _given(parser, action))
            for action in parser._actions
            if not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction))
        ]
        if rows:
            text += f"\n{_table(('argument', 'what it says', ''), rows)}\n"
        if parser.epilog:
            text += f"\n{parser.epilog}\n"
    return text


def _subcommands(
    parser: argparse.ArgumentParser, before: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                nested = list(_subcommands(below, f"{before}{name} "))
                yield from nested or [(before + name, below, said.get(name, ""))]


def _argument(action: argparse.Action) -> str:
    value = action.metavar or (",".join(map(str, action.choices)) if action.choices else "")
    if not action.option_strings:
        return f"`{value}{' ...' if action.nargs == '+' else ''}`"
    takes = f" {value}" if value and action.nargs != 0 else ""
    return f"`{', '.join(action.option_strings)}{takes}{' ...' if action.nargs == '+' else ''}`"


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%").replace("%(prog)s", parser.prog)


def _given(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    for group in parser._mutually_exclusive_groups:
        if action in group._group_actions:
            return "one of the two is required" if group.required else "at most one of them"
    positional = not action.option_strings and action.nargs != "?"
    return "required" if action.required or positional else ""


def _sentence(text: str | None) -> str:
    text = (text or "").strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


# fixtures.md and api.md

_RETURNED = {
    "valuebias.model": ("Model",),
    "valuebias.records.measured": ("MeasuredEffect", "Judgement"),
    "pytest_valuebias.assertions.effects": (
        *("Bias", "Assertable", "BoundEffect", "FamilyBias", "FamilyEffect"),
    ),
    "pytest_valuebias.assertions.language": (
        *("ImplicitModel", "InheritanceFixture", "InheritanceEffect"),
    ),
    "pytest_valuebias.assertions.training": (
        *("RunHandle", "DriftEffect", "GapEffect", "QuantityFixture", "QuantityEffect"),
    ),
    "pytest_valuebias.assertions.paper": ("PaperFixture", "BoundPaperTests"),
}

_API = {
    "The front door": {
        "valuebias.opening": ("load",),
        "valuebias.model": ("compare", "forecast"),
        "valuebias.records.report": ("report",),
        "valuebias.outcomes": ("Outcome", "Cause"),
    },
    "Models and words": {
        "valuebias.models.spec": ("ModelSpec",),
        "valuebias.models.settings": ("Settings",),
        "valuebias.prompts.sets": ("Prompt", "PromptSet", "Control"),
        "valuebias.prompts.words": ("PAPER", "BALANCED", "PAPER_PROMPTS", "select"),
        "valuebias.prompts.answers": ("ANSWERS",),
        "valuebias.prompts.find": ("resolve",),
        "valuebias.declarations.prompts": ("load_prompts", "prompts_in_force"),
        "valuebias.candidates": ("Candidates",),
        "valuebias.lexicons.lexicon": ("Lexicon", "Coverage"),
        "valuebias.lexicons.files": ("load_lexicon", "starter"),
        "valuebias.lexicons.whole_answers": ("for_whole_answers",),
    },
    "Scores": {
        "valuebias.scorers.protocol": ("Scorer",),
        "valuebias.scorers.schemes": ("parse_spec",),
        "valuebias.scorers.bench": ("Bench",),
        "valuebias.store.database": ("Store", "default_folder"),
        "valuebias.scores": ("Scores",),
        "valuebias.scorers.recorded": ("RecordedScores",),
        "valuebias.scorers.recorded_file": ("write_scores",),
        "valuebias.measurement.tokens": ("TopTokens", "top_tokens"),
    },
    "Effects and verdicts": {
        "valuebias.measurement.contrast": ("measure", "Measurement"),
        "valuebias.stats.estimate": ("Effect", "FacetEffect"),
        "valuebias.stats.effect": ("single", "pair", "contrast"),
        "valuebias.stats.facets": ("Facets", "FacetComponent", "facet_component"),
        "valuebias.stats.facet_effects": ("facet_effects", "facet_outside"),
        "valuebias.stats.terms": ("Term",),
        "valuebias.stats.verdict": ("Margin", "Verdict", "judge"),
        "valuebias.declarations.margins": ("Margins", "load_margins"),
        "valuebias.stats.outside": ("Outside", "outside"),
        "valuebias.stats.regression": ("regression",),
        "valuebias.stats.spending": ("share",),
        "valuebias.stats.confounds": ("controlled",),
        "valuebias.stats.family": ("Family", "family"),
        "valuebias.stats.sizes": ("Sizes", "sizes"),
        "valuebias.declarations.claims": ("Claims", "load_claims"),
    },
    "Plans": {
        "valuebias.stats.power": ("chances", "Planned", "Asked", "Alike", "Chances"),
        "valuebias.stats.spread": ("Spread", "spread"),
        "valuebias.stats.needed": ("needed", "Needed"),
    },
    "Language models": {
        "valuebias.scorers.implicit": ("ImplicitReward",),
        "valuebias.stats.inheritance": ("Inheritance", "inheritance"),
    },
    "People's ratings": {
        "valuebias.lexicons.ratings": ("Ratings", "load_ratings"),
        "valuebias.stats.kendall": ("rank_agreement",),
        "valuebias.stats.rated": ("BesidePeople", "beside_people", "rated"),
        "valuebias.measurement.people": ("InPeople",),
    },
    "Training and drift": {
        "valuebias.training.recipe": ("Recipe", "DataSource", "load_recipe"),
        "valuebias.training.run": ("train",),
        "valuebias.training.grid": ("Grid", "load_grid", "train_grid"),
        "valuebias.stats.trajectory": ("Trajectory",),
        "valuebias.stats.drift": ("Drift", "drift"),
        "valuebias.stats.gap": ("Gap", "gap", "closed", "not_closed"),
        "valuebias.stats.quantities": ("Quantities", "quantities"),
    },
    "Heads": {
        "valuebias.search.head": ("Head",),
        "valuebias.models.heads": ("HeadFamily",),
        "valuebias.models.checkpoint": ("Checkpoint", "Placement"),
        "valuebias.models.heads.backbone": (
            *("load_backbone", "from_pretrained", "check_complete", "gather_forward"),
        ),
    },
    "Errors": {
        "valuebias.errors": (
            *("ValueBiasError", "SpecError", "ModelError", "LexiconError", "ScoresError"),
            *("StatisticsError", "SuiteError", "StoreError", "SearchError", "visible"),
        ),
    },
}

_EXAMPLE = """\
```python
import valuebias as vb

model = vb.load("demo:neutral")
effect = model.contrast("big_two", "agency", "communion", valence="positive")
print(f"{effect.estimate:+.3f}", effect.judge(-0.276, 0.276).outcome)
```

```text
-0.090 PASS
```
"""


def _fixtures() -> str:
    text = """# Fixtures

A test that asks for a model runs once for each one given, and is skipped where none is (with
`--valuebias-require-model` it fails). Above zero an effect prefers the first category. How to
assert on one is in [Write an assertion](../how-to/write-an-assertion.md).

"""
    rows = []
    for node in tree("valuebias_fixtures.fixtures").body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if any("fixture" in ast.unparse(d) for d in node.decorator_list):
            returns = _linked(ast.unparse(node.returns)) if node.returns else ""
            rows.append((f"`{node.name}`", returns, flat(ast.get_docstring(node))))
    text += _table(("fixture", "returns", "what it is"), rows) + "\n\n## What they return\n"
    for module, names in _RETURNED.items():
        for name in names:
            text += "\n" + entry(module, name, qualified=False)
    return text


def _linked(annotation: str) -> str:
    returned = [name for names in _RETURNED.values() for name in names]
    if annotation in returned:
        return f"[`{annotation}`](#{annotation.lower()})"
    return f"`{annotation}`".replace("|", "\\|")


def _api() -> str:
    public = ", ".join(f"`{name}`" for name in vb.__all__)
    text = f"""# Python API

`import valuebias as vb` has the names of the front door, which are the public API and are loaded at
their first use; none imports pytest. They are {public}.

The rest of this page describes what stands behind them; it may move between modules. Arrays of
scores have the shape (prompts, candidates), and higher is preferred.

{_EXAMPLE}"""
    for title, modules in _API.items():
        text += f"\n## {title}\n"
        for module, names in modules.items():
            for name in names:
                text += "\n" + entry(module, name)
    return text


# suites-and-margins.md

_QUESTIONS = {
    "range": ("one reward model", "how much it prefers the first side"),
    "shift": ("a reward model and each `--reference` or the baseline", "its effect minus theirs"),
    "anchor": (
        "a reward model and the baseline's anchor",
        "the same, over all releases since",
    ),
    "logprob": ("one language model", "the same by log-probability"),
    "implicit": ("two language models", "what the second prefers more than the first (MWLR)"),
    "inheritance": (
        "a reward model and its `--base`",
        "their rank correlation beyond other bases'",
    ),
    "drift": ("a training run", "the effect at its last checkpoint minus that at its first"),
    "gap": ("two training runs", "how much wider apart they are at their end"),
    "top": (
        "one reward model",
        "how much more of the first side its top 10% hold than all words do",
    ),
    "forecast": (
        "a reward model and each `--policy`",
        "how much more of the first side the policy says, optimised against it by one nat",
    ),
    "human": (
        "a reward model and each `--human`",
        "how far its order of words is that of people's ratings (tau-b), on positive prompts",
    ),
    "answers": (
        "one reward model",
        "how much it prefers whole answers that hold a word of the first side",
    ),
}


def _suites() -> str:
    from valuebias.lexicons.files import starter
    from valuebias_suites import CONTRASTS, CONVENTIONS, LEXICONS, TESTS

    rows = [
        (f"`{suite}`", f"`{test}`", f"`{role}`", *_QUESTIONS[role], ", ".join(LEXICONS[suite]))
        for suite, tests in TESTS.items()
        for test, role in tests.items()
    ]
    titles = ("suite", "test", "role", "of", "asks", "lexicons")
    contrasts = [
        (f"`{name}`", ", ".join(f"`{c}`" for c in found), f"`{starter(name).digest[:12]}`",
         f"{len(starter(name).words())}")
        for name, found in CONTRASTS.items()
    ]  # fmt: skip
    from valuebias.declarations.margins import load_margins
    from valuebias.declarations.prompts import load_prompts
    from valuebias.prompts import SHIPPED

    asked = [
        (f"`{name}`", *(f"{len(one.of(v))}" for v in ("positive", "negative")),
         *(", ".join(dict.fromkeys(p.factors["adjective"] for p in one.of(v)))
           for v in ("positive", "negative")), f"`{one.digest[:12]}`")
        for name, one in SHIPPED.items()
    ]  # fmt: skip
    conventions = [(f"`{r}`", f"[{a:g}, {b:g}]", why) for r, (a, b, why) in CONVENTIONS.items()]
    adjectives = ("adjectives, positive", "adjectives, negative")

    return f"""# Suites and margins

{_table(titles, rows)}

Each runs once a contrast and once a valence (positive: prompts that ask for the best; negative:
for the worst). Node ids never change:
`valuebias/test_big_two.py::test_range[big_two-agency~communion-positive-LABEL]`.

{_table(("lexicon", "contrasts", "starter's SHA-256", "words"), contrasts)}

`test_top` counts apart from the others: it is asked of the big_two starter, and of another lexicon
where your margins file declares a margin with `role: top` for it.

`answers` runs where it is named (`--valuebias-suite=answers`). Its lexicons are those of the same
names without `_answers`, restricted to uncountable nouns, in the thirty frames of
[Test whole answers](../how-to/test-whole-answers.md); they have the same contrasts.

`test_ranks` of `drift` runs once for each `--valuebias-checkpoints=ranks:FILE`. It shows the file
and is always skipped: ranks of categories without words have no interval.

`a~b` holds one category against another, `care.virtue` one against the others of its polarity.

## Prompt sets

{_table(("set", "positive", "negative", *adjectives, "SHA-256"), asked)}

`--valuebias-prompts` takes one of these, or a YAML file.
{marked(_between(load_prompts.__doc__ or ""))} How to write one:
[Ask other prompts](../how-to/ask-other-prompts.md).

## A margins file

`--valuebias-margins=FILE` is read before the shipped margins; an entry of yours counts first. One
that nothing is held against is an error.

{marked(_between(load_margins.__doc__ or ""))}

Margins of role `anchor` are budgets: what all releases since the baseline's anchor may shift
together. Where none is declared for a role of these, it is a convention whatever the contrast:

{_table(("role", "interval", "source"), conventions)}

## Shipped margins

By the SHA-256 of the lexicon they were made for; they hold for no other. One of basis `panel` holds
on the prompt set `paper` alone; on every other set the convention counts. `convention`: a size of
effect agreed on beforehand (Cohen's d of .5 or .8). `panel`: predicted from ten public reward
models, the 95% interval of a new model's true effect (`range`), and of the difference between two
new models on one base (`shift`; where the ten cannot say, the convention holds). `top` is what a
shift by d = .8 makes of a category's share of the top 10%. None is shipped for `inheritance`,
`drift`, `gap` and `human`. They are written by `benchmarks/panel.py`.

{_margins()}
"""


def _between(doc: str) -> str:
    """What the docstring says of the form."""
    paragraphs = [" ".join(p.split()) for p in doc.split("\n\n")]
    return next(p for p in paragraphs if p.startswith("Its form"))


def _margins() -> str:
    import yaml

    from valuebias_suites import CONTRASTS, MARGINS

    entries = yaml.safe_load(MARGINS.read_text(encoding="utf-8"))["margins"]
    groups: dict[tuple[Any, ...], list[str]] = {}
    for e in entries:
        low, high = e["interval"]
        key = (e["name"], e["lexicon"][:12], e["role"], e["valence"], low, high, e["basis"])
        groups.setdefault(key, []).append(e["contrast"])
    rows = []
    for (name, digest, role, valence, low, high, basis), contrasts in groups.items():
        every = len(contrasts) == len(CONTRASTS[name]) > 1
        said = f"all {len(contrasts)}" if every else ", ".join(f"`{c}`" for c in contrasts)
        rows.append((f"{name} `{digest}`", said, f"`{role}`", valence,
                     bracketed(low, high), basis))  # fmt: skip
    return _table(("lexicon", "contrast", "role", "prompts", "interval", "basis"), rows)


# report.md

_STATUSES = (
    ("0", "something was held against a margin, and everything that was passed"),
    ("1", "a FAIL, INCONCLUSIVE or ERROR; another test failed; nothing was gated; a report or "
     "baseline could not be written"),
    ("2", "the run was stopped"),
    ("3", "a defect in the tool or a plugin"),
    ("4", "an option, a file or a model spec cannot be used; nothing was run"),
    ("5", "no tests were collected, and no model was given"),
)  # fmt: skip


def _report() -> str:
    from pytest_valuebias.report.record import _PROPERTIES

    schema = json.loads((ROOT / "harness/valuebias/report/schema.json").read_text("utf-8"))
    rows = list(_keys(schema, schema))
    names = ", ".join(f"`valuebias.{name}`" for name in _PROPERTIES)
    suite = next(
        ast.literal_eval(node)
        for node in ast.walk(tree("pytest_valuebias.report.junit"))
        if isinstance(node, ast.Tuple) and "'outcome'" in ast.unparse(node)
    )
    return f"""# Reports and exit statuses

## Exit statuses of pytest

{_table(("status", "means"), _STATUSES)}

## JSON: `--valuebias-json=FILE`

{schema["description"]} The schema, `schema.json` in the package `valuebias.report`, has every
detail; these are its keys.

{_table(("key", "type", "what it is"), rows)}

## JUnit XML: `--junitxml=FILE`

A test's figures are properties of its case, numbers to six decimals; a test's second verdict has
`valuebias.2.` in the place of `valuebias.`, and so on. What is empty is left out. A verdict that
was not gated has `valuebias.status` NOT GATED.

{names}

The suite has, under xdist too: `valuebias.NAME` for {", ".join(suite)} and complete;
`valuebias.version.LIBRARY`, `valuebias.setting.OPTION`, `valuebias.lexicon.NAME`, and of the k-th
subject `valuebias.model.K` with `.fingerprint`, `.template`, `.dtype`, `.device` and `.base`.
"""


def _keys(node: Any, schema: Any, before: str = "") -> Iterator[tuple[str, str, str]]:
    """The schema's keys to the second level, each with its type and description."""
    for name, one in node.get("properties", {}).items():
        found = _resolved(one, schema)
        items = _resolved(found.get("items", {}), schema)
        of = f" of {_type(items)}" if items else ""
        said = one.get("description") or found.get("description") or items.get("description", "")
        yield f"`{before}{name}`", f"{_type(found)}{of}".replace("|", "\\|"), said
        below = items if items.get("properties") else found
        if not before and below.get("properties"):
            yield from _keys(below, schema, f"{name}{'[]' if items else ''}.")


def _resolved(node: Any, schema: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        found = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = {**found, **{k: v for k, v in node.items() if k != "$ref"}}
    return node if isinstance(node, dict) else {}


def _type(node: Any) -> str:
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return ", ".join("null" if v is None else str(v) for v in node["enum"])
    kind = node.get("type")
    if kind is None:
        parts = node.get("anyOf", node.get("oneOf", ()))
        return " or ".join(dict.fromkeys(_type(part) for part in parts)) or "any"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _table(titles: tuple[str, ...], rows: Any) -> str:
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        cells = (re.sub(r"(?<!\\)\|", r"\\|", " ".join(str(cell).split())) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
