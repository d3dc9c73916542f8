from collections.abc import Iterator

import pytest

from core import dispatch, tasks
from core.errors import InvalidInput
from core.ownership import Actor, acting_as_system


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The ids that the bell rang for."""
    ids: list[int] = []
    deafen = dispatch.listen(ids.append)
    yield ids
    deafen()


def test_the_bell_rings_once_for_each_task_after_its_row_can_be_read(ada: Actor) -> None:
    seen = []
    deafen = dispatch.listen(lambda task_id: seen.append(tasks.find(ada, task_id).id))
    created = [tasks.create(ada, "x").id for _ in range(3)]
    deafen()
    tasks.create(ada, "nobody listens any more")
    assert seen == created


def test_it_does_not_ring_for_what_is_rolled_back(heard: list[int], ada: Actor) -> None:
    with pytest.raises(ZeroDivisionError), acting_as_system() as session:
        dispatch.announce(session, 1)
        raise ZeroDivisionError
    with pytest.raises(InvalidInput):
        tasks.create(ada, "")
    assert heard == []


def test_it_rings_within_one_transaction_for_each_announced_task(heard: list[int]) -> None:
    with acting_as_system() as session:
        session.connection()
        dispatch.announce(session, 7), dispatch.announce(session, 8)
        assert heard == []
    assert heard == [7, 8]
