from pathlib import Path

import pytest

from core.agents.catalog import catalog
from core.agents.toml_lines import line_of
from core.errors import ConfigurationError

ROOT = Path(__file__).parents[3]

TEXT = """\
plugins = ["a"]
#timeout = 9
[agents.claude]  # the default
timeout = 5
secrets = { api_key = "KEY" }
secrets.other = "x"

[[agents.deployment-bot.targets]]
env = "staging"
[[agents.deployment-bot.targets]]
command = [
  "a=b",
]
env = "production"

[repositories.hosts."git.example.org"]
private = true
[ repositories . 'hosts' . other ]
user = '[agents.codex]'
"quoted key" = 1
# = 2
note = '''
[x = {a = 1, b = 2} #]
[#]
= =
'''
last = 3
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("plugins",), 1),
        (("plugins", 0), 1),
        (("agents", "claude"), 3),
        (("agents", "claude", "timeout"), 4),
        (("agents", "claude", "secrets", "api_key"), 5),
        (("agents", "claude", "secrets", "other"), 6),
        (("agents", "claude", "absent"), 3),
        (("agents", "deployment-bot", "targets"), 8),
        (("agents", "deployment-bot", "targets", 0, "env"), 9),
        (("agents", "deployment-bot", "targets", 1), 10),
        (("agents", "deployment-bot", "targets", 1, "command", 0), 11),
        (("agents", "deployment-bot", "targets", 1, "env"), 14),
        (("repositories", "hosts", "git.example.org", "private"), 17),
        (("repositories", "hosts", "other", "user"), 19),
        (("repositories", "hosts", "other", "quoted key"), 20),
        (("repositories", "hosts", "other", "last"), 27),
        (("timeout",), None),
        (("agents", "codex"), None),
        (("absent",), None),
        ((), None),
    ],
)
def test_a_place_is_found_by_its_own_line_or_that_of_the_nearest_thing_around_it(
    place: tuple[int | str, ...], line: int | None
) -> None:
    assert line_of(TEXT, place) == line


def test_a_mistake_in_the_example_file_is_found_whatever_its_comments_hold(tmp_path: Path) -> None:
    text = (ROOT / "agents.toml.example").read_text() + "\n[agents.claude]\nmodel = 'sonnet'\n"
    (tmp_path / "agents.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        catalog()
    line = len(text.splitlines())
    assert f"agents.toml, line {line}: agents.claude.model: the driver claude has no such key" in caught.value.message
