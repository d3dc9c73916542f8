"""The program: `python -m core.programs.deployment_bot --output DIR [--input DIR]`, prompt on stdin.

Events go to standard output, deployment.md to DIR. What the administrator settled comes by the environment; see target.
Exit codes: 0 deployed, or the dry run is ready; 1 it is not; 2 wrong usage.
"""

import argparse
import sys
from pathlib import Path

from core.programs.shared.events import Events
from core.programs.shared.words import REQUEST_CHARACTERS

from .process import close_to_others
from .run import run
from .target import given


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m core.programs.deployment_bot",
        description="Deploy the repository in a folder; the prompt is read from stdin.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the report")
    parser.add_argument("--input", type=Path, metavar="DIR", help="the repository")
    options = parser.parse_args(arguments)
    if options.input and not options.input.is_dir():
        parser.error("--input is not a folder")
    close_to_others()
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace")[:REQUEST_CHARACTERS]
    return run(Events(sys.stdout), prompt, options.input, options.output, given())


if __name__ == "__main__":
    sys.exit(main())
