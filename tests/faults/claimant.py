"""One of several processes that take and end tasks until none waits: python -m tests.faults.claimant NAME

Prints the numbers of its tasks, and on standard error how often the database was busy for too long.
"""

import sys

from core.database import engine
from core.database.models import EndReason
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Claim
from core.tasks.entries import Entry

ENTRIES = 5


def entries(claim: Claim) -> list[Entry]:
    """What this process says about a task."""
    return [Entry(LogType.INFO, f"{claim.runner} says {number}", engine.now()) for number in range(ENTRIES)]


def main(name: str) -> None:
    """Claim, end, and claim again what the database was too busy for."""
    busy = 0
    claim: Claim | None = None
    while True:
        try:
            claim = claims.claim(name, 60)
            if claim is None:
                break
        except engine.Unavailable:
            busy += 1
            continue
        now = engine.now()
        while True:
            try:
                claims.finish(claim, EndReason.COMPLETED, entries=entries(claim), now=now)
                break
            except engine.Unavailable:
                busy += 1
        print(claim.task_id)  # noqa: T201
    print(busy, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
