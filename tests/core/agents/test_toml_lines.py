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


#: By the line: places, with a slash between their parts.
PLACES = {
    1: ["plugins", "plugins/0"], 3: ["agents/claude", "agents/claude/absent"], 4: ["agents/claude/timeout"],
    5: ["agents/claude/secrets/api_key"], 6: ["agents/claude/secrets/other"], 8: ["agents/deployment-bot/targets"],
    9: ["agents/deployment-bot/targets/0/env"], 10: ["agents/deployment-bot/targets/1"],
    11: ["agents/deployment-bot/targets/1/command/0"], 14: ["agents/deployment-bot/targets/1/env"],
    17: ["repositories/hosts/git.example.org/private"], 19: ["repositories/hosts/other/user"],
    20: ["repositories/hosts/other/quoted key"], 27: ["repositories/hosts/other/last"],
    None: ["timeout", "agents/codex", "absent", ""],
}  # fmt: skip


@pytest.mark.parametrize("line", PLACES)
def test_a_place_is_found_by_its_own_line_or_that_of_the_nearest_thing_around_it(line: int | None) -> None:
    for place in PLACES[line]:
        parts = [int(part) if part.isdigit() else part for part in place.split("/") if part]
        assert line_of(TEXT, parts) == line, place


def test_a_mistake_in_the_example_file_is_found_whatever_its_comments_hold(tmp_path: Path) -> None:
    text = (ROOT / "agents.toml.example").read_text() + "\n[agents.claude]\nmodel = 'sonnet'\n"
    (tmp_path / "agents.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        catalog()
    line = len(text.splitlines())
    assert f"agents.toml, line {line}: agents.claude.model: the driver claude has no such key" in caught.value.message
