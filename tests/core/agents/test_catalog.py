import re
from pathlib import Path

import pytest

from core.agents.catalog import catalog
from core.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The agents.toml that the settings name."""
    return tmp_path / "agents.toml"


def test_without_a_file_nothing_of_this_machine_may_be_cloned() -> None:
    assert catalog().repositories.local_roots == ()


def test_roots_are_read_with_their_links_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    file.write_text(f'[repositories]\nlocal_roots = ["{tmp_path}/link", "/srv/../srv/git"]\n')
    assert catalog().repositories.local_roots == (tmp_path / "real", Path("/srv/git"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[repositories]\nlocal_roots = [", "cannot be read"),
        ("[repositories]\n\nlocal_roots = ['data']", "line 3: repositories.local_roots: .*absolute path"),
        ("[repositories]\nlocal_roots = 7", "line 2: repositories.local_roots"),
        ("[repositories]\nlocal_root = []", "line 2: repositories.local_root: Extra"),
        ("\n[shells]\nx = 1", "line 2: shells: Extra"),
        ("repositories = 7", "line 1: repositories"),
    ],
)
def test_a_mistake_is_named_with_its_file_line_and_key(text: str, words: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        catalog()
    assert caught.value.message.startswith(str(file))
    assert re.search(words, caught.value.message)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_named(make: object, file: Path) -> None:
    make(file)  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match=r"agents\.toml cannot be read: "):
        catalog()
