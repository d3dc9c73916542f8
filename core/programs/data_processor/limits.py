"""What one run accepts, and how much of it a report shows; the rest is named, never dropped."""

MIB = 1024 * 1024

# Input. What goes over one of these is listed as a file that could not be read.
MAX_FILES = 1_000  # data files per run
MAX_FILE_BYTES = 512 * MIB  # one file on disk, in bytes
MAX_JSON_BYTES = 64 * MIB  # one .json file, in bytes: it is parsed as a whole, unlike .ndjson
MAX_RECORD_BYTES = 16 * MIB  # one CSV record or one line of NDJSON, in bytes
MAX_COLUMNS = 1_000  # columns per table
MAX_ROWS = 20_000_000  # rows per table
MAX_CELLS = 1_000_000_000  # rows times columns per table
MAX_UNPACKED_BYTES = 2_048 * MIB  # all columns of a Parquet file after decompression, in bytes
MAX_FOOTER_BYTES = 16 * MIB  # the metadata of a Parquet file, in bytes

# Work. Text is read in blocks of this size, so memory does not grow with the file.
BLOCK_BYTES = 8 * MIB
EXACT_DISTINCT_ROWS = 2_000_000  # above this, distinct values are estimated
RANKED_VALUES = 100_000  # a text column with more distinct values has no top list
CORRELATED_ROWS = 50_000  # rows, evenly spaced, that correlations are computed from
CORRELATED_COLUMNS = 20  # numeric columns per table that are correlated

# Report.
CELL_CHARACTERS = 80  # of a cell
TOP_VALUES = 5
PREVIEW_ROWS = 5
SHOWN_FILES = 50  # files described in detail
SHOWN_COLUMNS = 40  # columns per file
SHOWN_CHARTS = 12  # charts per file
SHOWN_CHARTS_IN_ALL = 120
SHOWN_FINDINGS = 10  # findings per file
SHOWN_UNREADABLE = 200
