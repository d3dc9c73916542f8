"""Where a task stands, and why it ended: the words and the moves between them, which everybody shares."""

from enum import StrEnum


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "pending"  #: accepted, waits for a free runner; or given back by one that had begun nothing
    PROCESSING = "processing"  #: pending -> processing: a runner holds the claim
    COMPLETED = "completed"  #: processing -> completed: the work succeeded
    ERROR = "error"  #: processing -> error: failed, out of time, stopped, interrupted; pending -> error: stopped before


class EndReason(StrEnum):
    """Why a task ended."""

    COMPLETED = "completed"  #: the agent succeeded
    FAILED = "failed"  #: the agent failed, or its input could not be used
    TIMED_OUT = "timed_out"  #: the hard limit came first
    CANCELLED = "cancelled"  #: a person stopped it
    INTERRUPTED = "interrupted"  #: its runner went away


#: A task that has one of these changes no more.
ENDED = (TaskStatus.COMPLETED, TaskStatus.ERROR)
