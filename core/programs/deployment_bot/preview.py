"""A dry run: what a recipe would do, told by make or by its own text. Nothing of it is meant to run.

make runs commands of a makefile while it reads it, also with -n; so a dry run has neither network nor secrets.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from .process import run
from .recipe import Recipe, text_of

SHOWN_LINES = 200

_SHELL = re.compile(r"#!\s*\S*?(?:/|\benv\s+)(ba|da|k|z)?sh\b")


def preview(recipe: Recipe, folder: Path, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
    """Tell the steps, a line each, and return the exit status of whatever checked them; 0 if nothing did."""
    if Path(recipe.argv[0]).name == "make":
        return run((recipe.argv[0], "-n", *recipe.argv[1:]), folder, env, on_line)
    script = _script(recipe, folder)
    if script is None:
        on_line(recipe.shown)
        return 0
    text = text_of(script)
    lines = text.splitlines()
    shell = _SHELL.match(lines[0]) if lines and lines[0].startswith("#!") else None
    status = 0
    if shell or (lines and not lines[0].startswith("#!")):
        status = run(("bash", "-n", str(script)), folder, env, on_line)
    for line in lines[:SHOWN_LINES]:
        on_line(line)
    if len(lines) > SHOWN_LINES:
        on_line(f"… and {len(lines) - SHOWN_LINES:,} more lines of {script.name}")
    return status


def _script(recipe: Recipe, folder: Path) -> Path | None:
    """Return the file of the repository that the recipe runs, if it runs one."""
    inside = os.path.realpath(folder)
    for word in recipe.argv[:2]:
        path = Path(os.path.realpath(folder / word))  # Path.resolve raises for a link to itself
        if path.is_relative_to(inside) and os.path.isfile(path):
            return path
    return None
