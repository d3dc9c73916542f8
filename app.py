"""The composition: pages for people, /api for programs, and the scheduler that lives as long as the server."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware
from starlette.routing import Mount
from uvicorn import Server

import core
from api.routes import create_api
from api.server import client, hardening, log, shutdown
from core import server_log
from core.agents.catalog import catalog
from core.agents.registry import agents
from core.config import settings, signing_keys
from core.database import engine, schema
from core.errors import ConfigurationError
from core.identity import setup
from core.runner.scheduler import Scheduler
from core.sandbox import isolation
from pages.parts.failure import show_failure
from pages.session import providers

_log = logging.getLogger("app")


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Serve, then take tasks; on the way down let the scheduler end what runs."""
    if link := setup.link():
        print(f"\n  Nobody has an account yet. Create the first admin here:\n\n    {link}\n", flush=True)  # noqa: T201
    log.include_streamlit()  # uvicorn has made its loggers since
    if warning := isolation.warning():
        _log.warning(warning)
    scheduler = api.state.scheduler = Scheduler(settings())

    def close() -> None:
        scheduler.close()
        api.state.closing = True

    server = shutdown.on_signal(close, scheduler.interrupt_all)
    client.distrust_forwarded_headers(server)
    beginning = asyncio.create_task(begin(scheduler, server))
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look at it on every poll
    try:
        yield
    finally:
        close()
        beginning.cancel()
        await asyncio.to_thread(scheduler.stop)


async def begin(scheduler: Scheduler, server: Server | None) -> None:
    """Take tasks once the server has its port: one that cannot be had would interrupt what was just begun."""
    while server and not server.started:  # noqa: ASYNC110  uvicorn tells nobody
        await asyncio.sleep(0.02)
    scheduler.start()
    _log.info(
        "Taskdeck %s serves %s: %s, data in %s, sandbox %s",
        core.__version__,
        settings().home,
        "PostgreSQL" if engine.is_postgresql() else "SQLite",
        settings().data.absolute(),
        isolation.state().state,
    )


os.umask(0o077)  # what the server writes is nobody else's on this machine to read

try:
    settings()
    agents()
    secrets = [*signing_keys(), *catalog().secrets(), *settings().passwords]
    secrets += [secret for agent in agents().values() for secret in agent.secrets]
    server_log.configure(settings().log_format, settings().log_level, secrets)
    log.include_streamlit()
    providers.check()
    schema.prepare()
except (ConfigurationError, OSError) as error:
    sys.stderr.write(f"Taskdeck cannot start. {error}\n")
    sys.exit(2)
except SQLAlchemyError:
    sys.stderr.write(
        "Taskdeck cannot start. The database does not answer, or refuses the login: check DATABASE_URL, "
        "WORKER_DATABASE_URL and MIGRATION_DATABASE_URL.\n"
    )
    sys.exit(2)

api = create_api()
app = st.App(
    "pages/navigation.py",
    routes=[Mount("/api", api)],
    lifespan=lifespan,
    middleware=[Middleware(client.Client), Middleware(hardening.Hardening)],
    on_script_error=show_failure,
)
