"""Every named error. A message is one sentence that is safe to show to the person who asked.

TaskdeckError
├── ConfigurationError     a setting is missing or wrong; the server does not start
├── InvalidInput           what was sent cannot be accepted; says what to send instead
├── NotSignedIn            nobody is known behind the request
├── Forbidden              somebody is known, but this way in does not allow it
├── NotFound               absent, or another person's: the two look the same
├── Conflict               it is not in a state for this any more; says why
├── ClaimLost              the runner no longer holds the task, so it must write nothing more
└── AgentFailed            the work ended without success; the sentence becomes the task's error
    ├── TimedOut           the hard limit came first
    └── NotPushed          it was committed, and its branch could not be pushed
"""


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


class AgentFailed(TaskdeckError):
    """The agent failed."""


class TimedOut(AgentFailed):
    """The task reached its time limit."""


class NotPushed(AgentFailed):
    """The changes were committed, but not pushed; the patch has them."""
