"""compose.yaml and the Dockerfile, as far as they can be tried without Docker: the script and the logins are real."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import postgresql

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
PASSWORDS = {f"{name}_PASSWORD": f"{name.lower()}-secret" for name in ("OWNER", "WEB", "RUNNER")}


def interpolated(text: str, values: dict[str, str]) -> str:
    """What compose makes of ${NAME}, ${NAME:?why} and ${NAME:-default}."""
    return re.sub(r"\$\{(\w+)(?::[?-]([^}]*))?\}", lambda match: values.get(match[1], match[2] or ""), text)


def test_the_databases_script_and_the_apps_addresses_make_a_database_that_can_be_served(tmp_path: Path) -> None:
    script = COMPOSE["configs"]["roles"]["content"].replace("$$", "$")
    with postgresql.server(roles=False) as server:
        path = f"{postgresql.programs()}:{os.environ['PATH']}"
        environment = PASSWORDS | {"PATH": path, "POSTGRES_USER": "postgres", "PGHOST": str(server.folder)}
        subprocess.run(["bash", "-c", script], env=environment, check=True, capture_output=True)
        given = COMPOSE["services"]["app"]["environment"]
        addresses = {
            name: interpolated(value, PASSWORDS).replace("@database/taskdeck", f"@/taskdeck?host={server.folder}")
            for name, value in given.items()
            if name.endswith("DATABASE_URL")
        }
        settings = os.environ | addresses | {"TASKDECK_DATA": str(tmp_path)}
        for words in ("upgrade", "check"):
            command = [sys.executable, "-m", "core", "db", words]
            done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
            assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("name", ["database", "app"])
def test_no_service_has_a_password_of_its_own(name: str) -> None:
    for variable, value in COMPOSE["services"][name]["environment"].items():
        if "PASSWORD" in variable or "SECRET" in variable:
            assert value.startswith(f"${{{variable}:?")
        if variable.endswith("URL") and "@" in value:
            assert re.search(r":\$\{\w+\}@", value)


def test_the_image_holds_what_server_and_sandbox_need_and_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\S+)", dockerfile, re.M))
    assert copied == {"requirements.lock", "app.py", ".streamlit", "api", "core", "migrations", "pages"}
    assert {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split()} >= copied
    assert dockerfile.index("USER taskdeck") < dockerfile.index('CMD ["streamlit"')
    assert "bubblewrap" in dockerfile
    allowed = set(COMPOSE["services"]["app"]["security_opt"])
    assert allowed == {"no-new-privileges:true", "seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"}
