"""Which recipe deploys a repository."""

from pathlib import Path

import pytest

from core.programs.deployment_bot.preview import preview
from core.programs.deployment_bot.recipe import Recipe, choose

SCRIPT = {"deploy.sh": "#!/bin/sh\n"}
MAKEFILE = {"Makefile": "deploy-staging:\n\techo\ndeploy:\n\techo\n"}


@pytest.mark.parametrize(
    ("files", "argv"),
    [
        (SCRIPT | MAKEFILE, ("sh", "deploy.sh", "staging")),
        (MAKEFILE, ("make", "deploy-staging")),
        ({"Makefile": "deploy: build\n\techo\n"}, ("make", "deploy", "ENV=staging")),
        ({"makefile": "build deploy deploy-staging: x\n"}, ("make", "deploy-staging")),
        ({"Makefile": ".PHONY: deploy\ndeploy::\n\techo\n"}, ("make", "deploy", "ENV=staging")),
        (MAKEFILE | {"GNUmakefile": "all:\n"}, None),  # the one that make reads
        ({"Makefile": "deploy := 1\ndeploy-staging ::= 2\n# deploy: x\n\tdeploy: x\nredeploy: x\n"}, None),
        ({"deploy.sh.txt": "x"}, None),
        ({}, None),
    ],
)
def test_the_script_is_before_the_makefile_and_the_own_target_before_the_general(
    files: dict[str, str], argv: tuple[str, ...] | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    expected = Recipe(argv, is_repositorys=True) if argv else None
    assert choose(tmp_path, "staging", ()) == expected
    own = choose(tmp_path, "staging", ("./up", "staging"))
    assert own == Recipe(("./up", "staging"), is_repositorys=False)  # the administrator's comes before all


def test_a_script_that_says_what_runs_it_is_started_itself(tmp_path: Path) -> None:
    script = tmp_path / "deploy.sh"
    for text, argv in (("#!/usr/bin/env python3\n", ("./deploy.sh", "a")), ("echo\n", ("sh", "deploy.sh", "a"))):
        script.write_text(text)
        script.chmod(0o755)
        assert choose(tmp_path, "a", ()) == Recipe(argv, is_repositorys=True)


@pytest.mark.parametrize("target", ["deploy.sh", "x" * 300])
def test_a_link_that_leads_nowhere_is_no_recipe(target: str, tmp_path: Path) -> None:
    for name in ("deploy.sh", "Makefile"):
        (tmp_path / name).symlink_to(target)
    assert choose(tmp_path, "staging", ()) is None
    told: list[str] = []
    assert preview(Recipe(("./deploy.sh", "Makefile"), is_repositorys=False), tmp_path, {}, told.append) == 0
    assert told == ["./deploy.sh Makefile"]


@pytest.mark.attack(101)
def test_looking_for_a_target_runs_nothing_of_the_makefile(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("X := $(shell touch sprung)\n$(shell touch sprung)\ndeploy:\n\techo\n")
    assert choose(tmp_path, "staging", ()) == Recipe(("make", "deploy", "ENV=staging"), is_repositorys=True)
    assert not (tmp_path / "sprung").exists()
