"""Rules that import-linter does not reach: what every page keeps."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "pages"
PAGES = {str(page.relative_to(FOLDER)): page.read_text() for page in sorted(FOLDER.rglob("*.py"))}
CALLBACKS = {"on_click", "on_change", "on_dismiss"}
ASKING = {"require_actor", "require_admin"}
NO_DATA = {"core.errors", "core.words", "core.database.models", "core.database.roles"}
FORBIDDEN_PACKAGES = {"api", "app", "fastapi", "sqlalchemy", "starlette"}
FORBIDDEN = {"core.database.engine", "core.runner.processor", "core.runner.scheduler"}


def names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def reruns_alone(node: ast.AST) -> bool:
    """Whether ``st.fragment`` or ``st.dialog`` is named in it."""
    return any(isinstance(part, ast.Attribute) and part.attr in ("fragment", "dialog") for part in ast.walk(node))


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def calls(page: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(page)) if isinstance(node, ast.Call)]


def rerunning(page: str) -> list[ast.FunctionDef]:
    """The page's functions that Streamlit runs without the page: decorated, or wrapped as ``st.fragment(…)(f)``."""
    wrapping = [call for call in calls(page) if reruns_alone(call.func)]
    wrapped = {argument.id for call in wrapping for argument in call.args if isinstance(argument, ast.Name)}
    return [
        one for one in functions(ast.parse(page)) if one.name in wrapped or any(map(reruns_alone, one.decorator_list))
    ]


def asks_first(function: ast.FunctionDef) -> bool:
    """Whether it asks who is there before anything else, as far as a docstring and a ``try`` are nothing."""
    first = function.body[1 if ast.get_docstring(function) else 0]
    while isinstance(first, ast.Try):
        first = first.body[0]
    return bool(ASKING & names(first))


def from_core(tree: ast.AST) -> set[str]:
    """The names under which the page knows what is in core."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    known = [node for node in imports if node.module not in NO_DATA]
    return {
        name.asname or name.name
        for node in known
        if (node.module or "").partition(".")[0] == "core"
        for name in node.names
    }


def callbacks(page: str) -> list[tuple[ast.expr, ast.Call]]:
    """What the page has Streamlit call back, with the widget's call."""
    return [(word.value, call) for call in calls(page) for word in call.keywords if word.arg in CALLBACKS]


def forbidden_imports(page: str) -> list[str]:
    tree = ast.parse(page)
    imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    imported += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    wrong = [name for name in imported if name in FORBIDDEN or name.partition(".")[0] in FORBIDDEN_PACKAGES]
    return wrong + [name for name in names(tree) if name.startswith("acting_as")]


def unasked_reruns(page: str) -> list[str]:
    return [function.name for function in rerunning(page) if not asks_first(function)]


def unasked_callbacks(page: str) -> list[str]:
    """The callbacks that reach data, themselves or by a function of the page or an argument, and ask nobody first."""
    tree = ast.parse(page)
    known, data = {f.name: f for f in functions(tree)}, from_core(tree)

    def reaches_data(node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        used = names(node)
        inner = (known[name] for name in (used & known.keys()) - seen)
        return bool(used & data) or any(reaches_data(function, seen | used) for function in inner)

    found = []
    for callback, call in callbacks(page):
        given = [word.value for word in call.keywords if word.arg in ("args", "kwargs")]
        function = known.get(callback.id) if isinstance(callback, ast.Name) else None
        if any(map(reaches_data, (callback, *given))) and not (function and asks_first(function)):
            found.append(ast.unparse(callback))
    return found


def unasked_downloads(page: str) -> list[str]:
    """The files that are made when somebody asks for them, outside of any run, and do not look who that is."""
    buttons = [call for call in calls(page) if ast.unparse(call.func) == "st.download_button"]
    data = [word.value for call in buttons for word in call.keywords if word.arg == "data"]
    return [ast.unparse(each) for each in data if "for_download" not in names(each)]


@pytest.mark.parametrize("rule", [forbidden_imports, unasked_reruns, unasked_callbacks, unasked_downloads])
def test_every_page_keeps_the_rule(rule: Callable[[str], list[str]]) -> None:
    broken = {name: found for name, page in PAGES.items() if (found := rule(page))}
    assert not broken, f"{rule.__name__}: {broken}"


def test_the_rules_see_the_fragments_callbacks_and_downloads_that_there_are() -> None:
    seen = {function.name for page in PAGES.values() for function in rerunning(page)}
    assert {"tasks_list", "live", "settled", "confirm_delete", "watch", "invite", "delete", "create_token"} <= seen
    seen = {ast.unparse(name) for page in PAGES.values() for name, _ in callbacks(page)}
    assert {"attempt", "turn_to", "use_example"} <= seen
    assert unasked_downloads("st.download_button('Log', data=make())") == ["make()"]
    page = "from core.tasks import commands\ndef act(do):\n    do()\n"  # a lambda and an argument count as data
    page += "st.button('x', on_click=act, args=(commands.cancel,))\nst.button('x', on_click=lambda: commands.x())\n"
    assert unasked_callbacks(page) == ["act", "lambda: commands.x()"]
    assert forbidden_imports("import sqlalchemy.orm\nfrom api import errors\nacting_as(x)") != []


@pytest.mark.parametrize(
    ("callback", "is_found"),
    [
        ("def act(id):\n    commands.cancel(None, id)", True),
        ("def act(id):\n    helper(id)\ndef helper(id):\n    commands.cancel(None, id)", True),
        ("def act(id):\n    commands.cancel(None, id)\n    require_actor()", True),
        ("def act(id):\n    commands.cancel(require_actor(), id)", False),
        ("def act(id):\n    '''Words.'''\n    actor = require_admin()\n    commands.cancel(actor, id)", False),
        ("def act(id):\n    try:\n        commands.cancel(require_actor(), id)\n    finally:\n        pass", False),
        ("def act(id):\n    st.session_state['id'] = id", False),
    ],
)
def test_the_rule_for_callbacks_finds_what_it_should(callback: str, is_found: bool) -> None:
    page = f"from core.tasks import commands\n{callback}\nst.button('Act', on_click=act, args=(1,))\n"
    assert bool(unasked_callbacks(page)) is is_found
