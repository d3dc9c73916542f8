"""The program: `python -m core.programs.data_processor --output DIR [--input DIR]`, prompt on stdin.

Events go to standard output, the report to DIR: report.html, report.md and summary.json.
Exit codes: 0 the report is ready, 1 there was nothing to read, 2 wrong usage.
"""

import argparse
import sys
from pathlib import Path

from core.programs.shared.words import REQUEST_CHARACTERS


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m core.programs.data_processor",
        description="Write a report on the data files of a folder; the prompt is read from stdin.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the report")
    parser.add_argument("--input", type=Path, metavar="DIR", help="folder to read; without it, sample data")
    options = parser.parse_args(arguments)
    if options.input and not options.input.is_dir():
        parser.error("--input is not a folder")
    # Imported late: --help and wrong usage need no Polars.
    from core.programs.shared.events import Events

    from .run import run

    request = sys.stdin.buffer.read().decode("utf-8", "replace")[:REQUEST_CHARACTERS]
    return run(Events(sys.stdout), request, options.input, options.output)


if __name__ == "__main__":
    sys.exit(main())
