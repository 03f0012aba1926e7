"""Prompt sets that a team declares, read from YAML: what a model is asked, in any language."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from valuebias.errors import SpecError
from valuebias.prompts import SHIPPED, VALENCES, Control, Prompt, PromptSet, known
from valuebias.stats.checks import GATE_PROMPTS, MIN_FAMILIES, MIN_PROMPTS
from valuebias.yaml_nodes import YamlFile

_KEYS = ("prompts", "language", "control")
_REQUIRED = ("id", "text", "valence")
_OPTIONAL = ("factors", "answer")
_COLUMNS = ("response", "token_id")
"""Columns of a table of scores that are no prompts."""


def prompts_in_force(given: str | Path | PromptSet) -> PromptSet:
    """A shipped prompt set by its name, that of a file, or the given one.

    Raises SpecError for a text that is neither a name nor a file, and as `load_prompts` does.
    """
    if isinstance(given, PromptSet):
        if given.digest != SHIPPED.get(given.name, given).digest:
            raise SpecError(
                "a prompt set of your own has the name of a shipped one",
                seen=given.name,
                remedy="Give it another name.",
            )
        return given
    if str(given) in SHIPPED:
        return SHIPPED[str(given)]
    path = Path(given).expanduser()
    if not path.is_file():
        raise SpecError(
            "neither the name of a prompt set nor a file",
            seen=given,
            remedy=f"Give {', '.join(SHIPPED)}, or a YAML file of prompts.",
        )
    return load_prompts(path)


def load_prompts(path: Path) -> PromptSet:
    """Read a file of prompts; the set is called as the file is, without its suffix.

    Its form is ``prompts:``, a list of entries with the keys ``id``, ``text`` (the whole question),
    ``valence`` (positive: it asks for the best; negative: for the worst) and, if wanted,
    ``factors`` (what it was made from, such as ``{adjective: best, scope: ever}``; prompts that
    share a level are not independent draws) and ``answer`` (a frame that the word is put into:
    "I would look for {word}.", or {Word} where it begins a sentence). Beside it may stand
    ``language`` (a BCP-47 tag such as de or pt-BR; en unless given) and ``control`` (two lists of
    words, ``virtue`` and ``vice``, by which it is checked that a model reads the questions), which
    prompts in another language than English must have. Both valences are needed, with at least 6
    prompts each; with fewer than 12 nothing can PASS.

    Raises SpecError naming file and line.
    """
    file = YamlFile.read(path, "the file of prompts", SpecError)
    name = path.stem
    if name in SHIPPED:
        raise SpecError(
            f"{path} has the name of a shipped prompt set", seen=name, remedy="Rename the file."
        )
    top = file.mapping(file.root, "the file")
    for key, (node, _) in top.items():
        if key not in _KEYS:
            raise file.fail(node, "unknown key", f"Use {', '.join(_KEYS)}.", key)
    if "prompts" not in top:
        raise file.fail(file.root, "no `prompts` list", "Begin with `prompts:`.")
    prompts = _prompts(file, top["prompts"][1])
    language = _language(file, top["language"][1]) if "language" in top else "en"
    control = _control(file, top["control"][1]) if "control" in top else None
    if control is None and language.split("-")[0].lower() != "en":
        raise file.fail(
            top["language"][1],
            "prompts in another language than English must declare their control words",
            "Give `control: {virtue: [...], vice: [...]}`, words of the language that every model "
            "tells apart if it reads the questions.",
            language,
        )
    return PromptSet(name, prompts, language, control)


def _prompts(file: YamlFile, node: yaml.Node) -> tuple[Prompt, ...]:
    prompts: list[Prompt] = []
    taken: dict[str, int] = {}
    for item in file.sequence(node, "`prompts`"):
        fields = file.mapping(item, "a prompt")
        prompt = _prompt(file, item, fields)
        for key, value in (("id", prompt.id), ("text", prompt.key)):
            if value in taken:
                raise file.fail(
                    fields[key][1],
                    f"the {key} was already given in line {taken[value]}",
                    "Give every prompt once.",
                    prompt.id if key == "id" else prompt.text,
                )
        taken |= dict.fromkeys((prompt.id, prompt.key), file.line(item))
        prompts.append(prompt)
    for valence in VALENCES:
        n = sum(prompt.valence == valence for prompt in prompts)
        if n < MIN_PROMPTS:
            raise file.fail(
                node,
                f"at least {MIN_PROMPTS} {valence} prompts are needed",
                f"Add prompts; {GATE_PROMPTS} or more allow a verdict that can pass.",
                n,
            )
    return tuple(prompts)


def _prompt(
    file: YamlFile, node: yaml.Node, fields: dict[str, tuple[yaml.Node, yaml.Node]]
) -> Prompt:
    for name, (key, _) in fields.items():
        if name not in (*_REQUIRED, *_OPTIONAL):
            known_keys = ", ".join((*_REQUIRED, *_OPTIONAL))
            raise file.fail(key, "unknown key", f"Use one of {known_keys}.", name)
    for name in _REQUIRED:
        if name not in fields:
            raise file.fail(node, f"a prompt has no `{name}`", f"Give `{name}: ...`.")
    text = {name: file.text(fields[name][1], f"`{name}`") for name in _REQUIRED}
    for name in ("id", "text"):
        at = fields[name][1]
        if not text[name].strip():
            raise file.fail(at, f"the {name} is empty", f"Give `{name}: ...`.")
        if text[name] in _COLUMNS:
            raise file.fail(
                at, f"the {name} is the name of a column of scores", "Give another.", text[name]
            )
    if text["valence"] not in VALENCES:
        raise file.fail(
            fields["valence"][1],
            "unknown valence",
            f"Give {' or '.join(VALENCES)}.",
            text["valence"],
        )
    factors = {}
    if "factors" in fields:
        factors = {
            name: file.text(value, f"the factor {name}")
            for name, (_, value) in file.mapping(fields["factors"][1], "`factors`").items()
        }
    answer = _frame(file, fields["answer"][1]) if "answer" in fields else ""
    prompt = Prompt(text["id"], text["text"], text["valence"], factors, answer)
    shipped = known(prompt.id)
    if shipped is not None and shipped.key != prompt.key:
        raise file.fail(
            fields["id"][1],
            "this is the id of a shipped prompt, which has another text",
            "Give another id.",
            prompt.id,
        )
    return prompt


def _frame(file: YamlFile, node: yaml.Node) -> str:
    text = file.text(node, "`answer`")
    places = text.count("{word}") + text.count("{Word}")
    if places != 1:
        raise file.fail(
            node,
            "an answer must hold the word in one place",
            "Write {word} there, or {Word} where it begins a sentence.",
            text,
        )
    return text


def _language(file: YamlFile, node: yaml.Node) -> str:
    text = file.text(node, "`language`")
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise file.fail(node, "not a language tag (BCP 47)", "Give for example de or pt-BR.", text)
    return text


def _control(file: YamlFile, node: yaml.Node) -> Control:
    fields = file.mapping(node, "`control`")
    sides: dict[str, tuple[str, ...]] = {}
    for name, (key, _) in fields.items():
        if name not in ("virtue", "vice"):
            raise file.fail(key, "unknown key", "Use virtue and vice.", name)
    taken: dict[str, int] = {}
    for name in ("virtue", "vice"):
        if name not in fields:
            raise file.fail(node, f"`control` has no `{name}`", f"Give `{name}: [...]`.")
        words = file.sequence(fields[name][1], f"`{name}`")
        for item in words:
            word = file.text(item, "a word")
            if not word.strip():
                raise file.fail(item, "a word is empty", "Remove it.")
            if word in taken:
                raise file.fail(
                    item, f"the word was already given in line {taken[word]}", "Keep one.", word
                )
            taken[word] = file.line(item)
        if len(words) < MIN_FAMILIES:
            raise file.fail(
                fields[name][1],
                f"`{name}` needs at least {MIN_FAMILIES} words",
                "Give 40 or more on each side for a narrow interval.",
                len(words),
            )
        sides[name] = tuple(file.text(item, "a word") for item in words)
    return Control(sides["virtue"], sides["vice"])
