"""An agents.toml that is refused: the sentence has the file, the line, the key, and never a value."""

import re

import pytest

from core.agents.catalog import catalog
from core.errors import ConfigurationError
from tests.support.world import World

KEY = "sk-ant-api03-not-a-real-key"


def refused(world: World, text: str) -> ConfigurationError:
    """Why a file with this text is refused."""
    file = world.catalog(text)
    with pytest.raises(ConfigurationError) as caught:
        catalog()
    assert caught.value.message.startswith(str(file)) and caught.value.message.endswith(".")
    return caught.value


@pytest.mark.parametrize(("text", "line", "words"), [
    (f"[agents.claude]\nsecrets = {{ api_key = '{KEY}' }}", 2, "the name of an environment variable"),
    (f"[agents.claude]\nsecrets = {{ api_key = 'KEY', {KEY} = 'KEY' }}", 2, "claude has no such key"),
    (f"[agents.claude]\nsecrets = ['{KEY}']", 2, "agents.claude.secrets: "),
    ("[agents.claude]\nsecrets = {}", 2, "api_key is missing"),
    ("[agents.claude]\nsecrets = { api_key = 'AKIA1234567890ABCDEF' }", 2, "the name of an environment variable"),
    (f"[agents.x]\ndriver = 'lines'\ncommand = ['x']\nsecrets = ['A', '{KEY}']", 4, "environment variable"),
    (f"[agents.shell]\nsecrets = {{ api_key = '{KEY}' }}", 2, "agents.shell.secrets: "),
    (f"[repositories.hosts.h]\ntoken = '{KEY}'", 2, "hosts.h.token: must be the name of an environment variable"),
    (f"[agents.claude]\nsecrets.api_key = 'KEY'\nsecrets.{KEY} = 'KEY'", 3, "agents.claude.secrets: "),
    (f"[agents.claude]\nupstream = 'https://x:{KEY}@h'", 2, "without user name and password"),
    (f"\n[repositories.hosts.'https://x:{KEY}@h']\ntoken = 'x'", 2, "repositories.hosts: must be a host's name"),
    (f"[repositories]\nhosts = {{ 'https://x:{KEY}@h' = {{ x = 1 }} }}", 2, "repositories.hosts: must be a host"),
    (f"[agents.claude]\ncommand = 'x {KEY}'", 2, "agents.claude.command: "),
    (f"[agents.deployment-bot]\ntargets = [{{ repo = 'https://x:{KEY}@h/y', env = 'a' }}]", 2, "without user"),
])  # fmt: skip
def test_a_key_in_the_place_of_a_name_is_refused_and_not_shown(text: str, line: int, words: str, world: World) -> None:
    error = refused(world, text)
    assert f"agents.toml, line {line}: " in error.message and words in error.message
    for secret in (KEY, "AKIA"):
        assert secret not in error.message + repr(error.__cause__)
    assert error.__suppress_context__


def test_a_password_in_a_key_of_a_file_that_cannot_be_read_is_not_shown(world: World) -> None:
    error = refused(world, "[repositories.hosts.'https://bob:hunter2@h']\n" * 2)
    assert re.search(r"cannot be read: .*line 2", error.message) and "hunter2" not in error.message


REPORT = "[agents.x]\ndriver = 'lines'"
TARGET = "[[agents.deployment-bot.targets]]"
WHERE = r"agents.deployment-bot.targets\[0\]"

#: The text of a file, and what its refusal says.
REFUSED = {
    "[agents.Claude]": "line 1: agents.Claude: a name has small letters",
    f"[agents.{'x' * 41}]": "line 1: agents.x+: a name has",
    "[agents.x]": "line 1: agents.x: give it a driver, one of data-processor, claude, codex, .*lines; without",
    "[agents.x]\ndriver = ['lines']": "agents.x: give it a driver",
    "[agents.x]\ndriver = 'plugin'": "agents.x: give it a driver",
    "[agents]\n\nclaud = { timeout = 5 }": "line 3: agents.claud: give it a driver",
    "[agents]\nclaude = 7": "line 2: agents.claude: give it a driver",
    REPORT: "line 1: agents.x: command is missing",
    f"{REPORT}\ncommand = []": "line 3: agents.x.command: .*at least 1",
    f"{REPORT}\ncommand = ['']": r"line 3: agents.x.command\[0\]: each word",
    f"{REPORT}\ncommand = ['x']\nnetwork = 'model-only'": "line 4: agents.x.network: ",
    f"{REPORT}\nrecipes = {{}}\ncommand = ['x']": "line 3: .*the driver lines has no such key",
    "[agents.claude]\nnetwork = 'open'": "line 2: agents.claude.network: .*model-only",
    "[agents.claude]\nmodels = ['--help']": r"line 2: agents.claude.models\[0\]: a model's name",
    "[agents.claude]\nupstream = 'ftp://h'": "line 2: agents.claude.upstream: must be an https or http address",
    "[agents.claude]\nreadable = ['opt']": r"line 2: agents.claude.readable\[0\]: .*absolute path",
    "[agents.claude]\nrecipes = {}": "line 2: agents.claude.recipes: the driver claude has no such key",
    "[agents.data-processor]\nmodels = ['x']": "line 2: .*the driver data-processor has no such key",
    "[agents.code-review]\ndriver = 'shell'\ntargets = []": "line 3: .*the driver shell has no such key",
    "[agents.shell]\nrecipes = { '../x' = ['x'] }": "line 2: agents.shell.recipes.../x: a recipe's name",
    "[agents.shell.recipes]\nx = 'make test'": "line 2: agents.shell.recipes.x: ",
    f"{TARGET}\nenv = 'x'": f"line 1: {WHERE}: repo is missing",
    f"{TARGET}\nrepo = 'http://h/x'\nenv = 'x'": f"line 2: {WHERE}.repo: must be an https address",
    f"{TARGET}\nrepo = 'file://h/x'\nenv = 'x'": f"line 2: {WHERE}.repo: .*or a folder's absolute path",
    f"{TARGET}\nrepo = 'file:///a%0Ab'\nenv = 'x'": f"line 2: {WHERE}.repo: .*without signs that cannot be shown",
    f"{TARGET}\nrepo = 'https://h/x'\nenv = 'stag;id'": f"line 3: {WHERE}.env: must be small letters",
    f"{TARGET}\nrepo = 'https://h/x'\nenv = 'a'\n" * 2: "deployment-bot: a repository's environment is there twice",
    f"{TARGET}\nrepo = 'https://h/x'\nenv = 'a'\nhealth_url = 'https://h/'": 'health_url needs network = "open"',
    "[repositories.hosts.'Git.Example.org']": "line 1: repositories.hosts: .*small letters",
    "[repositories.hosts.'h:443']": "line 1: repositories.hosts: .*without port",
    "[repositories.hosts.h]\npush = ['website']": r"line 2: repositories.hosts.h.push\[0\]: .*owner/name",
    "[repositories.hosts.h]\npassword = 'x'": "line 2: repositories.hosts.h.password: the file has no such key",
    "plugin = []": "line 1: plugin: the file has no such key",
    "[repositories]\nlocal_roots = [": "cannot be read",
    "[repositories]\n\nlocal_roots = ['data']": r"line 3: repositories\.local_roots\[0\]: .*absolute path",
    "\n[shells]\nx = 1": "line 2: shells: the file has no such key",
    "[agents.claude]\ntimeout = 0": "line 2: agents.claude.timeout: .*greater than 0",
    "[agents.claude]\ntimeout = inf": "line 2: agents.claude.timeout: .*finite",
    "[agents.claude]\nextension = -1": "line 2: agents.claude.extension",
    "[agents.claude]\ntimeouts = 5": "line 2: agents.claude.timeouts: the driver claude has no such key",
    "[agents.claude]\ntimeout = 10\nwarning = 20": "line 1: agents.claude.warning must be less than its timeout",
    "[agents.codex]\nwarning = 300": "agents.codex.warning must be less than its timeout",
    # Of equal keys the one in its own section is named.
    "[agents.claude]\ntimeout = 10\n[agents.codex]\ntimeout = -1\n": "line 4: agents.codex.timeout: ",
    "[agents.codex]\n[agents.nobody]\n": "line 2: agents.nobody: give it a driver",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_not_fit_is_refused_with_its_line_and_what_would(text: str, world: World) -> None:
    message = refused(world, text).message
    assert re.search(REFUSED[text], message), message
