"""Every sentence that an error of ours can say, read from the code itself.

An f-string becomes a pattern in which ``…`` stands for what is filled in. Three kinds of places hold
sentences: calls of the error classes, names called ``message`` beside them, and templates such as
``"{place} cannot be reached"``. A pattern without a word of its own only passes on what another
program said.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from livetraffic import errors

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "extract", "load", "livetraffic")
NOT_THE_PRODUCT = ("extract/standin/", "livetraffic/errors.py")
TEMPLATE = re.compile(r"(?<!\{)\{[a-z_]+\}(?!\})")
FEWEST_WORDS = 3
NOT_ERRORS = {"written to … after each run"}
"""Good news of the doctor, in a name called ``message`` as well."""
_Values = dict[str, list[ast.expr]]


@cache
def sentences() -> dict[str, str]:
    """Where each pattern is said (``path:line``), by the pattern."""
    kinds = _error_classes()
    found: dict[str, str] = {}
    for place, tree in _modules().items():
        if not place.startswith(NOT_THE_PRODUCT):
            for line, text in _said(tree, kinds):
                found.setdefault(tidy(text), f"{place}:{line}")
    return {text: place for text, place in found.items() if text not in NOT_ERRORS}


@cache
def _modules() -> dict[str, ast.Module]:
    paths = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in paths}


def tidy(text: str) -> str:
    """One spelling of a pattern: single spaces, no stop at the end, one … in a row."""
    return re.sub(r"…+", "…", " ".join(text.split())).removesuffix(".")


def _error_classes() -> set[str]:
    """Ours, and what the rooms derive from them."""
    kinds = {n for n, v in vars(errors).items() if isinstance(v, type) and _is_ours(v)}
    for tree in _modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                kinds |= {node.name} if bases & kinds else set()
    return kinds


def _is_ours(kind: type) -> bool:
    return issubclass(kind, errors.LiveTrafficError)


def _said(tree: ast.Module, kinds: set[str]) -> Iterator[tuple[int, str]]:
    values = _assigned(tree)
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in kinds and node.args:
            given = node.args[0]
            options = values.get(given.id, []) if isinstance(given, ast.Name) else [given]
            yield from _patterns(options, values, fewest=1)
    if names & kinds:
        yield from _patterns(values.get("message", []), values, fewest=FEWEST_WORDS)
        yield from _templates(tree)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", "") or getattr(node.func, "attr", "")


def _assigned(tree: ast.Module) -> _Values:
    """What each plain name is given somewhere in the module, or in the one it is imported from."""
    values: _Values = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (origin := _module(node.module)) is not None:
            theirs = _constants(origin)
            values |= {n.name: theirs[n.name] for n in node.names if n.name in theirs}
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    values.setdefault(target.id, []).append(node.value)
    return values


def _module(name: str | None) -> ast.Module | None:
    return _modules().get(f"{(name or '').replace('.', '/')}.py")


def _constants(tree: ast.Module) -> _Values:
    given = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {t.id: [node.value] for node in given for t in node.targets if isinstance(t, ast.Name)}


def _patterns(options: list[ast.expr], values: _Values, fewest: int) -> Iterator[tuple[int, str]]:
    for option in options:
        if isinstance(option, ast.IfExp):
            yield from _patterns([option.body, option.orelse], values, fewest)
        text = _pattern(option, values)
        if text is not None and len(re.findall(r"[A-Za-z]+", text)) >= fewest:
            yield option.lineno, text


def _pattern(node: ast.expr, values: _Values) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(part, values) or "…" for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        named = values.get(node.value.id, [])
        return _pattern(named[0], {}) if node.value.id.isupper() and len(named) == 1 else None
    return None


def _templates(tree: ast.Module) -> Iterator[tuple[int, str]]:
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            text = TEMPLATE.sub("…", node.value)
            if text != node.value and re.search("[A-Za-z]", text):
                yield node.lineno, text
