"""What a prompt asks for."""

import pytest

from core.programs.deployment_bot.request import NotUnderstood, Request, understood


@pytest.mark.parametrize(("environment", "is_dry_run", "prompts"), [
    ("staging", False, ("deploy to staging", "staging", "Staging.", "Deploy to the staging environment")),
    ("staging", False, ("roll out staging\n\nIt is for the demo.",)),
    ("eu-west-1", False, ("Please deploy the website to “eu-west-1”, thank you!",)),
    ("production", False, ("deploy version 1.2.3 to production",)), ("test", False, ("deploy to test",)),
    ("laundry", False, ("deploy to laundry runway",)), ("a" * 40, False, ("a" * 40,)),
    ("production", True, ("dry run production", "Dry-run: deploy to production", "production --dry-run")),
    ("production", True, ("Deploy to production, dry\nrun", "dry\u2011run production", "–dry – run production")),
    ("staging", True, ("deploy to staging as a DRYRUN", "deploy to staging -dry-run", "(dry run) staging")),
    ("staging", True, ("deploy to staging, dry_run please", "deploy to staging --dry_run")),
    ("staging", True, ("deploy to staging --dry-run=true", "deploy to staging (dry  run)")),
])  # fmt: skip
def test_the_first_word_that_can_be_is_the_environment(
    environment: str, is_dry_run: bool, prompts: tuple[str, ...]
) -> None:
    for prompt in prompts:
        assert understood(prompt) == Request(environment, is_dry_run), prompt


@pytest.mark.attack(100)
@pytest.mark.parametrize("prompt", [
    "", "deploy", "deploy it, please", "dry run", "deploy to", "stag;id", "deploy to stag;id", "deploy to $(id)",
    "deploy to `id`", "deploy to ../staging", "deploy to -n", "deploy to a/b", "deploy to stag\x00ing",
    "deploy to staging\u200b", "deploy to ſtaging", "deploy to stag_ing|id", "a" * 41, "deploy to --eval=x",
    "deploy to A=B", "deploy to %",
])  # fmt: skip
def test_what_is_no_plain_name_is_refused(prompt: str) -> None:
    with pytest.raises(NotUnderstood, match="Say where to deploy to"):
        understood(prompt)


@pytest.mark.attack(101)
@pytest.mark.parametrize("prompt", [
    "Dry running staging", "deploy to staging, dry", "dry: deploy to staging", "deploy to staging --dry",
    "dry-runs of staging", "deploy to dry-run-env", "my-dry-run staging", "dry\u00adrun staging", "DRY+RUN staging",
    "do it dry, then run it: staging", "deploy to dry", "dry_running staging",
])  # fmt: skip
def test_what_may_be_meant_as_a_dry_run_is_never_a_deployment(prompt: str) -> None:
    with pytest.raises(NotUnderstood, match="It is not clear whether this should be a dry run: write"):
        understood(prompt)
