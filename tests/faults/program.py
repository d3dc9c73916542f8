"""A server's own command with something built in: python -m tests.faults.program uvicorn app:app …

FAULT_AGENTS   agents that are Python code, as JSON: {name: code}
FAULT_DEATH    where the server kills itself, without any warning: at one of DEATHS
"""

import json
import os
import runpy
import signal
import sys

from core.agents import registry
from core.runner import processor
from tests.support.scripts import Script


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


#: After the claim and before anything is begun; after the agent's process and before the end is written.
DEATHS = {"claimed": (processor, "run_task"), "exited": (processor.Run, "finish")}


def main(module: str) -> None:
    """Run ``module`` as python -m would, with the rest of the arguments as its own."""
    codes = json.loads(os.environ.get("FAULT_AGENTS", "{}"))
    registry.extra.update({name: Script(name, code) for name, code in codes.items()})
    if moment := os.environ.get("FAULT_DEATH"):
        setattr(*DEATHS[moment], die)
    del sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
