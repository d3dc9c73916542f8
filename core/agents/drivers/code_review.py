"""The driver ``code-review``: a program of Taskdeck's own that checks Python code."""

from typing import ClassVar, Literal

from core.agents.drivers.builtin import BuiltInSettings
from core.agents.settings import Words


class CodeReviewSettings(BuiltInSettings):
    """It works on a repository alone."""

    program: ClassVar[str] = "code_review"
    needs_repository: ClassVar[bool] = True
    words: ClassVar[Words] = Words(
        "Code review",
        "Checks the Python code of a repository with ruff and reports what it finds.",
        ("Review the code before the release.", "Which files need the most work?"),
    )

    driver: Literal["code-review"]
