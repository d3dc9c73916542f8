"""Rules that import-linter does not reach: what every page keeps."""

import ast
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parent.parent.parent / "pages").glob("*.py"))
RERUN_ALONE = {"fragment", "dialog"}


def names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def marks(node: ast.AST) -> bool:
    """Whether ``st.fragment`` or ``st.dialog`` is named in it."""
    return any(isinstance(part, ast.Attribute) and part.attr in RERUN_ALONE for part in ast.walk(node))


def rerunning(page: Path) -> list[ast.FunctionDef]:
    """The page's functions that Streamlit runs without the page: decorated, or wrapped as ``st.fragment(…)(f)``."""
    tree = ast.parse(page.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and marks(node.func)]
    wrapped = {argument.id for call in calls for argument in call.args if isinstance(argument, ast.Name)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [f for f in functions if f.name in wrapped or any(marks(mark) for mark in f.decorator_list)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_neither_queries_nor_imports_the_entry(page: Path) -> None:
    tree = ast.parse(page.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    forbidden = {"app", "sqlalchemy", "fastapi", "core.ownership.acting_as_system", "core.processor", "core.scheduler"}
    assert not imported & forbidden
    assert not names(tree) & {"acting_as", "acting_as_system"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whatever_reruns_alone_asks_who_is_there(page: Path) -> None:
    assert [function.name for function in rerunning(page) if "require_actor" not in names(function)] == []


def test_the_rule_sees_the_fragments_that_there_are() -> None:
    assert {"tasks_list", "live", "settled", "confirm_delete"} <= {f.name for page in PAGES for f in rerunning(page)}
