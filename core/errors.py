"""Every named error that is not one module's own. A message is one sentence that is safe to show to whoever asked.

TaskdeckError
├── ConfigurationError     a setting is missing or wrong; the server does not start
├── InvalidInput           what was sent cannot be accepted; says what to send instead
├── NotSignedIn            nobody is known behind the request
├── Forbidden              somebody is known, but this way in does not allow it
├── NotFound               absent, or another person's: the two look the same
├── Conflict               it is not in a state for this any more; says why
├── ClaimLost              the runner no longer holds the task, so it must write nothing more
└── WorkStopped            the work on a task goes no further: its reason and sentence become the task's end
    ├── AgentFailed        failed: the agent, its input, or a step of the work
    │   ├── TimedOut       timed_out: the hard limit came first
    │   └── NotPushed      failed: it was committed, and its branch could not be pushed
    ├── StopRequested      cancelled: the owner wants it to stop
    ├── ServerStopping     interrupted: the server goes down
    └── OutOfContact       interrupted: nobody could renew the lease in time

A database that does not answer raises one of ``core.database.engine.Unavailable``, which are SQLAlchemy's.
"""

from typing import ClassVar

from core.states import EndReason


class TaskdeckError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)

    @property
    def message(self) -> str:
        """The sentence to show."""
        return str(self)


class ConfigurationError(TaskdeckError):
    """The configuration is not usable."""


class InvalidInput(TaskdeckError):
    """The input cannot be accepted."""


class NotSignedIn(TaskdeckError):
    """Sign in, or send a valid token."""


class Forbidden(TaskdeckError):
    """This is not allowed."""


class NotFound(TaskdeckError):
    """Not found."""


class Conflict(TaskdeckError):
    """The task is not in a state for this."""


class ClaimLost(TaskdeckError):
    """The task was deleted, or its lease went to nobody."""


class WorkStopped(TaskdeckError):
    """The work was stopped."""

    reason: ClassVar[EndReason]


class AgentFailed(WorkStopped):
    """The agent failed."""

    reason = EndReason.FAILED


class TimedOut(AgentFailed):
    """The task reached its time limit."""

    reason = EndReason.TIMED_OUT


class NotPushed(AgentFailed):
    """The changes were committed, but not pushed; the patch has them."""


class StopRequested(WorkStopped):
    """The owner stopped the task."""

    reason = EndReason.CANCELLED

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at  #: when, on the monotonic clock


class ServerStopping(WorkStopped):
    """Taskdeck was stopped while the task ran. The log shows how far it got; run it again if needed."""

    reason = EndReason.INTERRUPTED


class OutOfContact(WorkStopped):
    """The runner could not renew its lease in time, so it stopped the work. Run it again if needed."""

    reason = EndReason.INTERRUPTED
