"""Rules that import-linter does not reach: what every page keeps."""

import ast
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parent.parent.parent / "pages").glob("*.py"))
RERUN_ALONE = {"fragment", "dialog"}


def names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def reruns_alone(function: ast.FunctionDef) -> bool:
    attributes = {
        node.attr for mark in function.decorator_list for node in ast.walk(mark) if isinstance(node, ast.Attribute)
    }
    return bool(attributes & RERUN_ALONE)


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
    functions = [node for node in ast.walk(ast.parse(page.read_text())) if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions if reruns_alone(f) and "require_actor" not in names(f)] == []


def test_the_rule_sees_the_fragments_that_there_are() -> None:
    functions = [n for page in PAGES for n in ast.walk(ast.parse(page.read_text())) if isinstance(n, ast.FunctionDef)]
    assert {"tasks_list", "live", "settled", "confirm_delete"} <= {f.name for f in functions if reruns_alone(f)}
