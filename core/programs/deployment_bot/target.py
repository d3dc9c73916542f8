"""What the administrator settled for a repository and an environment, as the program gets it."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

#: The environment variable that it comes in. The recipe does not get it.
VARIABLE = "DEPLOYMENT_TARGET"


@dataclass(frozen=True)
class Target:
    """How to deploy there, and what the recipe is given."""

    command: Sequence[str] = ()  # none: the repository's own recipe
    health_url: str | None = None
    secrets: Sequence[str] = ()  # names of the environment variables that the program has for the recipe
    has_network: bool = False
    is_settled: bool = False  # whether the administrator named it at all

    def dumped(self) -> str:
        """Return it as the program gets it."""
        return json.dumps(asdict(self))


def given() -> Target:
    """Return what the program got; a plain one if nothing."""
    return Target(**json.loads(os.environ.get(VARIABLE, "{}")))
