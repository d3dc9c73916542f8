"""A workspace with its checkout, repositories to clone, and a host that serves them."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.agents.catalog import catalog
from core.repositories import addresses
from core.repositories.checkout import Checkout, Remote, branch_name
from core.sandbox.workspace import Workspace
from tests.core.repositories import host as hosts
from tests.core.repositories.running import Runner, Trap, git
from tests.support.world import World


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, world: World) -> None:
    """What the administrator wants; a test may choose by a parameter."""
    world.settle(TASKDECK_SANDBOX=getattr(request, "param", "bwrap"))


@pytest.fixture
def workspace(sandbox: None, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "work" / "7", 7) as made:
        made.make()
        yield made


@pytest.fixture
def checkout(workspace: Workspace, runner: Runner) -> Checkout:
    return Checkout(workspace, runner)


@pytest.fixture
def lent(checkout: Checkout) -> Callable[[Path], Checkout]:
    """A clone of a folder's repository, on the task's branch, as the agent gets it."""

    def copy_git_dir_for_agent(origin: Path) -> Checkout:
        checkout.clone(Remote(f"file://{origin}", folder=origin))
        checkout.branch(branch_name(7, "Fix it"))
        checkout.copy_git_dir_for_agent()
        return checkout

    return copy_git_dir_for_agent


@pytest.fixture
def trap(workspace: Workspace, runner: Runner) -> Trap:
    return Trap(workspace, runner)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hosts.certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def served(tmp_path: Path, certificate: Path, runner: Runner) -> Iterator[hosts.Host]:
    """A host with the repository team/shop, which the administrator allowed to be a private one."""
    folder = tmp_path / "served"
    folder.mkdir()
    runner.certificate = certificate.with_name("certificate.pem")
    with hosts.Host(folder, certificate) as host:
        yield host


@pytest.fixture
def publish(tmp_path: Path, served: hosts.Host, make_repository: Callable[..., Path]) -> Callable[..., Path]:
    """Put a repository with these files on the host, as team/shop; its folder there."""

    def put(files: dict[str, str]) -> Path:
        bare = tmp_path / "served" / "team" / "shop"
        origin = make_repository(tmp_path / "origin", files)
        git(origin, "commit", "--allow-empty", "--quiet", "--message", "second")  # a clone is a shallow one
        subprocess.run(["git", "clone", "--quiet", "--bare", str(origin), str(bare)], check=True, capture_output=True)
        return bare

    return put


@pytest.fixture
def admit(tmp_path: Path, served: hosts.Host, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Remote]:
    """The way to team/shop on the host, with what agents.toml says of it; its name leads to this machine."""

    def way(settings: str = "", token: str = "") -> Remote:
        (tmp_path / "agents.toml").write_text(f'[repositories.hosts."{hosts.NAME}"]\nprivate = true\n{settings}')
        monkeypatch.setenv("GIT_TOKEN", token)
        catalog.cache_clear()
        found = [(2, 1, 6, "", ("127.0.0.1", served.port))]
        return addresses.admitted(served.address("team/shop"), lambda *_, **__: found)

    return way
