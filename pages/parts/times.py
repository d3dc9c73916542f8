"""Times in the reader's zone, and how often a page looks for news."""

import random
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.database import engine
from core.words import count
from pages.parts.markup import Html, element

POLL_SECONDS = 5.0


def poll_interval() -> float:
    """Five seconds, give or take 10 % by session, so that tabs opened together do not poll together forever."""
    return float(st.session_state.setdefault("poll_interval", POLL_SECONDS * random.uniform(0.9, 1.1)))  # noqa: S311


def zone() -> ZoneInfo:
    """The reader's time zone, as the browser tells it."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def moment(time: datetime) -> str:
    """A date and time in the reader's zone, to the second."""
    return f"{time.astimezone(zone()):%Y-%m-%d %H:%M:%S}"


def day(time: datetime) -> str:
    """A date in the reader's zone."""
    return f"{time.astimezone(zone()):%Y-%m-%d}"


def ago(time: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0, (engine.now() - time).total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{count(int(seconds // size), unit)} ago"
    return "just now"


def updated_stamp() -> Html:
    """When this was drawn: it keeps a polled page honest."""
    return element("span", f"updated {engine.now().astimezone(zone()):%H:%M:%S}", class_="td-stamp")
