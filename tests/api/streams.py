"""A task's news, read from a real connection as they come."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import httpx

#: How long an event may stay away before the test fails, in seconds.
PATIENCE = 10.0


@dataclass(frozen=True)
class Event:
    """One server-sent event; its data is read as JSON."""

    name: str
    data: Any
    id: str | None


def events(answer: httpx.Response) -> Iterator[Event]:
    """The events of an answer, each as soon as it is there; comments are left out. Ends where the stream ends."""
    assert answer.status_code == 200, answer.read()
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    rest = ""
    for part in answer.iter_text():
        *blocks, rest = (rest + part).split("\n\n")
        for block in blocks:
            lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
            if lines:
                fields = {name: text for name, _, text in lines}
                assert len(fields) == len(lines) and fields.keys() <= {"event", "data", "id"}, block
                yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
    assert not rest, rest


def until(stream: Iterator[Event], name: str, **data: Any) -> Event:
    """The next event of this name that holds these data; those before it are passed over."""
    for event in stream:
        if event.name == name and data.items() <= event.data.items():
            return event
    raise AssertionError(f"the stream ended before {name} {data}")


#: Opens the stream of a task for somebody's token; what else is given goes into the request.
Opened = Callable[..., AbstractContextManager[Iterator[Event]]]

#: How many there are now.
Counted = Callable[[], int]
