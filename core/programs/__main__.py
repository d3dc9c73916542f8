"""The one entry of the built-in agents' programs: `python -m core.programs NAME --output DIR [--input DIR]`.

The prompt is read from stdin; events go to standard output, reports to DIR.
Exit codes: 0 the report is ready, 1 there was nothing to do or it went wrong, 2 wrong usage.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from core.programs.shared.events import EventWriter
from core.programs.shared.words import REQUEST_CHARACTERS

#: The package of each program, what it does, and what its --input is. Its module `run` has the function `run`.
PROGRAMS = {
    "code_review": ("Review the Python files of a folder", "folder to review"),
    "data_processor": ("Write a report on the data files of a folder", "folder to read; without it, sample data"),
    "deployment_bot": ("Deploy the repository in a folder", "the repository"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a program and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m core.programs", description="The programs of the built-in agents.")
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, (purpose, source) in PROGRAMS.items():
        program = names.add_parser(name, help=purpose, description=f"{purpose}; the prompt is read from stdin.")
        program.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the report")
        program.add_argument("--input", type=Path, metavar="DIR", help=source)
        program.set_defaults(program=program)
    options = parser.parse_args(arguments)
    if options.input and not options.input.is_dir():
        options.program.error("--input is not a folder")
    # Imported late: --help and wrong usage need no program.
    run = import_module(f"core.programs.{options.name}.run").run
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace")[:REQUEST_CHARACTERS]
    code: int = run(EventWriter(sys.stdout), prompt, options.input, options.output)
    return code


if __name__ == "__main__":
    sys.exit(main())
