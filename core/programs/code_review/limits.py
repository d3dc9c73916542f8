"""Every limit of a review in one place; what goes over one is counted or named, never dropped in silence."""

MIB = 1024 * 1024

# Input. A file that goes over one of these is listed as not reviewed.
MAX_FILES = 10_000  # files per review
MAX_FILE_BYTES = 1 * MIB  # one file

# Work.
BATCH_FILES = 100  # files that one process of ruff gets
BATCH_BYTES = 2 * MIB  # of them together
BATCH_SECONDS = 60.0
STEPS = 40  # batches at least, where there are files enough: progress is told after each

# Report.
KEPT_FINDINGS = 100  # of one file; all are counted
MESSAGE_CHARACTERS = 500
LINE_CHARACTERS = 160  # of a line of code
SHOWN_LINES = 3  # of code that a finding is about
WORST_FILES = 10
SHOWN_FILES = 50  # files described in detail
SHOWN_FINDINGS = 20  # of each of them
SHOWN_REFUSED = 200
SARIF_FINDINGS = 10_000
