"""What is counted for Prometheus. Counters begin at zero with the process; times are in seconds."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.1, 0.5, 1, 5, 15, 30, 60, 120, 240, 300, 600)

ENDED = Counter("taskdeck_tasks_ended", "Tasks that reached their end.", ["end_reason"])
DURATION = Histogram("taskdeck_task_duration_seconds", "From the claim to the end.", buckets=_SECONDS)
WAIT = Histogram("taskdeck_task_wait_seconds", "From the creation to the claim.", buckets=_SECONDS)
LOG_ENTRIES = Counter("taskdeck_log_entries", "Log entries that runners stored.")
POLLS = Counter("taskdeck_polls", "Views of tasks that were drawn or sent anew.", ["view"])
PENDING = Gauge("taskdeck_tasks_pending", "Tasks that wait for a runner, of everybody.")
OLDEST = Gauge("taskdeck_oldest_pending_seconds", "How long the longest-waiting task has waited; 0 when none waits.")
RUNNING = Gauge("taskdeck_tasks_running", "Tasks that some runner holds.")
