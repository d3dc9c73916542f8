"""The real agents' programs for the tests: ``python -m tests.support.clis`` makes sure that they are there."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

WANTED = Path(__file__).with_name("clis")
FOLDER = Path(sys.prefix) / "clis"

_PACKAGES = FOLDER / "node_modules"
_MACHINE, _TRIPLE = {
    "x86_64": ("x64", "x86_64-unknown-linux-musl"),
    "aarch64": ("arm64", "aarch64-unknown-linux-musl"),
}.get(platform.machine(), ("", ""))

#: The programs themselves: the words of the packages before them need an installation script, or Node.
CLAUDE = _PACKAGES / "@anthropic-ai" / f"claude-code-linux-{_MACHINE}" / "claude"
CODEX = _PACKAGES / "@openai" / f"codex-linux-{_MACHINE}" / "vendor" / _TRIPLE / "bin" / "codex"


def install() -> None:
    """Install what the lock file says, unless that is there already. No script of a package runs."""
    lock, installed = WANTED / "package-lock.json", FOLDER / "installed.json"
    if installed.exists() and installed.read_bytes() == lock.read_bytes():
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("The tests of claude and codex need npm: install Node.js 18 or newer and try again.")
    FOLDER.mkdir(exist_ok=True)
    installed.unlink(missing_ok=True)
    for file in (WANTED / "package.json", lock):
        shutil.copy(file, FOLDER)
    subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=FOLDER, check=True
    )
    shutil.copy(lock, installed)


if __name__ == "__main__":
    install()
