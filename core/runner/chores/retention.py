"""Deletes tasks that ended longer ago than the settings keep them."""

import logging

from core.runner.chores.base import Chore
from core.tasks import removal

_log = logging.getLogger(__name__)


class Retention(Chore):
    """A batch at a time, until none is left or the server closes."""

    interval = 3600.0

    def run_once(self) -> None:
        """See Chore."""
        if not (days := self._settings.retention):
            return
        for number in removal.retire(days):
            _log.info("%s tasks that ended more than %g days ago were deleted", number, days)
            if self._closing.is_set():
                return
