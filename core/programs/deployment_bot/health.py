"""Whether what was deployed answers: its health address is asked until it says 200, or the time is over."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

import httpx2


@dataclass(frozen=True)
class Patience:
    """How long a deployment has to become healthy; times are in seconds."""

    tries: int = 10
    in_all: float = 30.0
    one_try: float = 5.0
    pause: float = 2.5


def is_healthy(url: str, patience: Patience, on_try: Callable[[str], None]) -> bool:
    """Return whether the address answered 200 in time. No redirect is followed, and no proxy is used."""
    deadline = time.monotonic() + patience.in_all
    for number in range(1, patience.tries + 1):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        answer = _answer(url, min(patience.one_try, left))
        on_try(f"Health check {number} of {patience.tries}: {answer}.")
        if answer == "200":
            return True
        if number < patience.tries:
            time.sleep(max(0.0, min(patience.pause, deadline - time.monotonic())))
    return False


def _answer(url: str, seconds: float) -> str:
    """Return the status, or in words why there was none in time."""
    # In a thread: a server that sends a byte now and then outlasts the time limit of each single read.
    answers: SimpleQueue[str] = SimpleQueue()
    Thread(target=lambda: answers.put(_asked(url, seconds)), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        return "no answer in time"


def _asked(url: str, seconds: float) -> str:
    try:
        with (
            # Whom the machine trusts, as the recipe's own programs do.
            httpx2.Client(timeout=seconds, trust_env=False, verify=ssl.create_default_context()) as client,
            client.stream("GET", url, headers={"User-Agent": "Taskdeck", "Connection": "close"}) as answer,
        ):
            return str(answer.status_code)
    except httpx2.TimeoutException:
        return "no answer in time"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return f"no answer, {type(_first_cause(error)).__name__}"


def _first_cause(error: BaseException) -> BaseException:
    cause = error.__cause__ or error.__context__
    return _first_cause(cause) if cause else error
