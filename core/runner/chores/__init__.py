"""Housekeeping, one file a chore. The scheduler starts each as often as it says, in every server at once."""

from core.runner.chores.base import Chore
from core.runner.chores.expiry import Expiry
from core.runner.chores.leftovers import Leftovers
from core.runner.chores.retention import Retention

CHORES: tuple[type[Chore], ...] = (Expiry, Leftovers, Retention)
