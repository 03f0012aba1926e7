"""What the source says of a class or function, read without running it: for ``generate``."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tree(module: str) -> ast.Module:
    path = Path(*module.split("."))
    for root in ("harness", "fixtures", "."):
        for file in (ROOT / root / path.with_suffix(".py"), ROOT / root / path / "__init__.py"):
            if file.is_file():
                return ast.parse(file.read_text(encoding="utf-8"))
    raise FileNotFoundError(module)


def entry(module: str, name: str, *, qualified: bool = True) -> str:
    """A heading, a signature and a docstring; of a class its fields and public methods too."""
    body = tree(module).body
    for at, node in enumerate(body):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            break
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            below = body[at + 1]
            assert isinstance(below, ast.Expr)
            assert isinstance(below.value, ast.Constant)
            return f"### {module}.{name}\n\n`{ast.unparse(node.annotation)}`. {below.value.value}\n"
    else:
        raise LookupError(f"{module} has no {name}")
    heading = f"### {module}.{name}" if qualified else f"### {name}"
    if isinstance(node, ast.FunctionDef):
        return f"{heading}\n\n    {_signature(node)}\n\n{_doc(node)}\n"
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    lines = [f"    class {name}({bases})" if bases else f"    class {name}"]
    lines += [f"        {_field(one)}" for one in node.body if _is_field(one)]
    text = f"{heading}\n\n" + "\n".join(lines) + f"\n\n{_doc(node)}\n"
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and _shown(method):
            is_property = any("property" in ast.unparse(d) for d in method.decorator_list)
            if is_property:
                returns = f": {ast.unparse(method.returns)}" if method.returns else ""
                said = f"`.{method.name}{returns}`"
            else:
                called = method.name == "__call__"
                said = f"{'calling it: `' if called else '`.'}{_signature(method, bound=True)}`"
            doc = flat(ast.get_docstring(method))
            text += f"\n* {said}" + (f": {doc}" if doc else "")
    return text.rstrip() + "\n"


def _shown(method: ast.FunctionDef) -> bool:
    return not method.name.startswith("_") or method.name == "__call__"


def _is_field(node: ast.stmt) -> bool:
    """Fields that are of use to a reader; what our fixtures carry along is of none."""
    if not isinstance(node, ast.AnnAssign) or ast.unparse(node.target).startswith("_"):
        return False
    return ast.unparse(node.annotation) not in ("State", "Gate", "pytest.Item")


def _field(node: ast.stmt) -> str:
    assert isinstance(node, ast.AnnAssign)
    default = f" = {ast.unparse(node.value)}" if node.value is not None else ""
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}{default}"


def _signature(node: ast.FunctionDef, *, bound: bool = False) -> str:
    arguments = ast.unparse(node.args)
    if bound and not any("staticmethod" in ast.unparse(d) for d in node.decorator_list):
        arguments = re.sub(r"^(self|cls)(, )?", "", arguments)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if returns == " -> None":
        returns = ""
    name = "" if node.name == "__call__" else node.name
    return f"{name}({arguments}){returns}"


def _doc(node: ast.FunctionDef | ast.ClassDef) -> str:
    return marked(ast.get_docstring(node) or "")


def flat(doc: str | None) -> str:
    return " ".join(marked(doc or "").split())


def marked(doc: str) -> str:
    """Markdown of a docstring: one backtick, and what a line of text begins with is no list."""
    return doc.replace("``", "`")
