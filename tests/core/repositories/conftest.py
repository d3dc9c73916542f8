"""A task's checkout with all that is around it, and a host that serves repositories."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.sandbox.workspace import Workspace
from tests.core.repositories import host as hosts
from tests.core.repositories.running import Scene
from tests.support.world import World


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, world: World) -> None:
    """What the administrator wants; a test may choose by a parameter."""
    world.settle(TASKDECK_SANDBOX=getattr(request, "param", "bwrap"))


@pytest.fixture
def scene(sandbox: None, tmp_path: Path, make_repository: Callable[..., Path]) -> Iterator[Scene]:
    with Workspace(tmp_path / "work" / "7", 7) as workspace:
        workspace.make()
        yield Scene(workspace, tmp_path, make_repository)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hosts.certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def shop(scene: Scene, world: World, certificate: Path) -> Iterator[hosts.Shop]:
    """The repository team/shop on a host that the administrator allowed to be a private one."""
    (scene.folder / "served").mkdir()
    scene.runner.certificate = certificate.with_name("certificate.pem")
    with hosts.Host(scene.folder / "served", certificate) as host:
        yield hosts.Shop(host, scene, world)
