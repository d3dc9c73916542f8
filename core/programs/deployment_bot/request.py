"""What a prompt asks for: an environment, and whether only to show what would be done."""

import re
from dataclasses import dataclass

_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DRY_RUN = re.compile(r"(?<![\w-])[-‐‑–]*dry[\s_\-‐‑–]*run(?![\w-])", re.IGNORECASE)
_DRY = re.compile(r"(?<![^\W_])dry(?![^\W_])", re.IGNORECASE)
_AROUND = "\"'“”‘’().,:!?"  # a word

#: Words of a sentence that name no environment.
_OTHER_WORDS = frozenset(
    (
        "a", "again", "and", "can", "deploy", "deploying", "deployment", "deploys", "do", "env",
        "environment", "for", "go", "in", "into", "it", "just", "make", "my", "new", "now", "of", "on",
        "onto", "our", "out", "please", "project", "publish", "repository", "roll", "rollout", "run", "ship",
        "start", "that", "the", "this", "to", "try", "us", "version", "website", "with", "you",
    )
)  # fmt: skip

_NO_ENVIRONMENT = (
    "Say where to deploy to in small letters, digits and dashes, for example “deploy to staging” or “dry run staging”."
)
_PERHAPS_DRY = (
    "It is not clear whether this should be a dry run: write “dry run staging” to see what would be done, or leave out "
    "the word “dry” to deploy."
)


@dataclass(frozen=True)
class Request:
    """A deployment that a prompt asks for."""

    environment: str
    is_dry_run: bool


class NotUnderstood(ValueError):
    """The prompt asks for no deployment that could be made; the message is a sentence that says what to ask instead."""


def understood(prompt: str) -> Request:
    """Return what the prompt asks for.

    The environment is the first word after a “to” that is not one of a sentence, else the first such word of all.
    Raises NotUnderstood if there is none, if it is no plain name, or if a dry run may be meant in other words: what
    is taken for a deployment cannot be taken back.
    """
    rest = _DRY_RUN.sub(" ", prompt)
    if _DRY.search(rest):
        raise NotUnderstood(_PERHAPS_DRY)
    words = [word.strip(_AROUND).lower() for word in rest.split()]
    start = words.index("to") + 1 if "to" in words else 0
    names = (word for word in words[start:] if word and word not in _OTHER_WORDS)
    environment = next(names, "")
    if not _ENVIRONMENT.fullmatch(environment):
        raise NotUnderstood(_NO_ENVIRONMENT)
    return Request(environment, is_dry_run=rest != prompt)
