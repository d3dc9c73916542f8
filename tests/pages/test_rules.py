"""Rules that import-linter does not reach: what every page keeps."""

import ast
from pathlib import Path

import pytest

PAGES_FOLDER = Path(__file__).parents[2] / "pages"
PAGES = sorted(PAGES_FOLDER.rglob("*.py"))
RERUN_ALONE = {"fragment", "dialog"}
CALLBACKS = {"on_click", "on_change", "on_dismiss"}
ASKING = {"require_actor", "require_admin"}


def names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def marks(node: ast.AST) -> bool:
    """Whether ``st.fragment`` or ``st.dialog`` is named in it."""
    return any(isinstance(part, ast.Attribute) and part.attr in RERUN_ALONE for part in ast.walk(node))


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def rerunning(page: str) -> list[ast.FunctionDef]:
    """The page's functions that Streamlit runs without the page: decorated, or wrapped as ``st.fragment(…)(f)``."""
    tree = ast.parse(page)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and marks(node.func)]
    wrapped = {argument.id for call in calls for argument in call.args if isinstance(argument, ast.Name)}
    return [f for f in functions(tree) if f.name in wrapped or any(marks(mark) for mark in f.decorator_list)]


def asks_first(function: ast.FunctionDef) -> bool:
    """Whether it asks who is there before anything else, as far as a docstring and a ``try`` are nothing."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    first = body[0]
    while isinstance(first, ast.Try):
        first = first.body[0]
    return bool(ASKING & names(first))


def from_core(tree: ast.AST) -> set[str]:
    """The names under which the page knows what is in core."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name
        for node in imports
        if (node.module or "").partition(".")[0] == "core"
        and node.module not in ("core.errors", "core.database.models")
        for alias in node.names
    }


def callbacks(page: str) -> list[tuple[ast.expr, ast.Call]]:
    """What the page has Streamlit call back, with the widget's call."""
    calls = [node for node in ast.walk(ast.parse(page)) if isinstance(node, ast.Call)]
    return [(word.value, call) for call in calls for word in call.keywords if word.arg in CALLBACKS]


def unasked(page: str) -> list[str]:
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
        if not any(reaches_data(node) for node in (callback, *given)):
            continue
        function = known.get(callback.id) if isinstance(callback, ast.Name) else None
        if function is None or not asks_first(function):
            found.append(ast.unparse(callback))
    return found


def id_of(page: Path) -> str:
    return str(page.relative_to(PAGES_FOLDER))


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_a_page_neither_queries_nor_imports_the_entry(page: Path) -> None:
    tree = ast.parse(page.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    forbidden = {
        "app",
        "sqlalchemy",
        "fastapi",
        "core.database.engine",
        "core.runner.processor",
        "core.runner.scheduler",
    }
    assert not {name for name in imported if name.partition(".")[0] in ("api", "sqlalchemy", "fastapi")}
    assert not imported & forbidden
    assert not {name for name in names(tree) if name.startswith("acting_as")}


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_whatever_reruns_alone_asks_first_who_is_there(page: Path) -> None:
    assert [function.name for function in rerunning(page.read_text()) if not asks_first(function)] == []


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_a_callback_that_reaches_data_asks_first_who_is_there(page: Path) -> None:
    assert unasked(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_a_download_that_is_made_later_asks_who_is_there(page: Path) -> None:
    """It runs outside of any run, when the session may be over."""
    later = [
        word.value
        for node in ast.walk(ast.parse(page.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "download_button"
        for word in node.keywords
        if word.arg == "data"
    ]
    assert [ast.unparse(data) for data in later if "for_download" not in names(data)] == []


def test_the_rules_see_the_fragments_and_callbacks_that_there_are() -> None:
    pages = [page.read_text() for page in PAGES]
    assert {"tasks_list", "live", "settled", "confirm_delete", "watch", "invite", "delete", "create_token"} <= {
        f.name for page in pages for f in rerunning(page)
    }
    assert {"attempt", "turn_to", "use_example"} <= {ast.unparse(name) for page in pages for name, _ in callbacks(page)}


@pytest.mark.parametrize(
    ("callback", "is_found"),
    [
        ("def act(id):\n    commands.cancel(None, id)", True),
        ("def act(id):\n    helper(id)\ndef helper(id):\n    commands.cancel(None, id)", True),
        ("def act(id):\n    commands.cancel(None, id)\n    require_actor()", True),
        ("act = lambda id: commands.cancel(None, id)", True),
        ("def act(id):\n    commands.cancel(require_actor(), id)", False),
        ("def act(id):\n    '''Words.'''\n    actor = require_admin()\n    commands.cancel(actor, id)", False),
        (
            "def act(id):\n    try:\n        commands.cancel(require_actor(), id)\n    finally:\n        pass",
            False,
        ),
        ("def act(id):\n    st.session_state['id'] = id", False),
    ],
)
def test_the_rule_for_callbacks_finds_what_it_should(callback: str, is_found: bool) -> None:
    page = f"from core.tasks import commands\n{callback}\nst.button('Act', on_click=act, args=(1,))\n"
    assert bool(unasked(page.replace("on_click=act", "on_click=" + _given(callback)))) is is_found


def _given(callback: str) -> str:
    return callback.partition(" = ")[2] if callback.startswith("act =") else "act"


def test_an_argument_that_is_a_use_case_counts_as_data() -> None:
    page = "from core.tasks import commands\ndef act(do):\n    do()\n"
    page += "st.button('Act', on_click=act, args=(commands.cancel,))\n"
    assert unasked(page) == ["act"]
