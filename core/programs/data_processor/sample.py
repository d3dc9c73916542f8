"""Sample data for a run without input: a year of orders of a made-up shop."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

NAME = "orders (sample)"
ROWS = 10_000

_SEED = 20_240
_REGIONS = {"North": 0.34, "West": 0.27, "South": 0.22, "East": 0.17}
_CHANNELS = {"Web": 0.52, "Store": 0.29, "Phone": 0.12, "Partner": 0.07}
_PRODUCTS = {  # price in euros, share of orders
    "Notebook": (4.5, 0.26),
    "Pen set": (12.0, 0.21),
    "Backpack": (49.0, 0.16),
    "Desk lamp": (35.0, 0.13),
    "Headphones": (89.0, 0.11),
    "Office chair": (189.0, 0.08),
    "Monitor": (249.0, 0.05),
}


def orders() -> pl.DataFrame:
    """Return the orders: the same ROWS records on every call."""
    random = np.random.default_rng(_SEED)
    product = random.choice(len(_PRODUCTS), ROWS, p=[part for _, part in _PRODUCTS.values()])
    price = np.array([price for price, _ in _PRODUCTS.values()])[product]
    price = np.round(price * random.normal(1, 0.06, ROWS).clip(0.8, 1.2), 2)
    # Dearer goods are bought one at a time.
    quantity = 1 + random.poisson(np.where(price < 20, 3.2, 0.6))
    discount = random.choice([0.0, 0.05, 0.1, 0.15, 0.2], ROWS, p=[0.55, 0.18, 0.14, 0.08, 0.05])
    channel = random.choice(list(_CHANNELS), ROWS, p=list(_CHANNELS.values()))
    return pl.DataFrame(
        {
            "order_id": np.arange(100_001, 100_001 + ROWS),
            "ordered_at": _times(random),
            "region": _some_missing(random, random.choice(list(_REGIONS), ROWS, p=list(_REGIONS.values())), 0.01),
            "channel": channel,
            "product": np.array(list(_PRODUCTS))[product],
            "quantity": quantity,
            "unit_price": price,
            "discount": _some_missing(random, discount, 0.12),
            "total": np.round(quantity * price * (1 - discount), 2),
            "returned": random.random(ROWS) < np.where(channel == "Web", 0.07, 0.03),
        }
    )


def _times(random: np.random.Generator) -> pl.Series:
    # Whole weeks; grows over the year, with a rush before the end of it.
    days = np.arange(364)
    weight = 1 + days / 500 + 0.9 * np.exp(-(((days - 335) / 18) ** 2)) + 0.12 * np.sin(days / 9)
    day = np.sort(random.choice(days, ROWS, p=weight / weight.sum()))
    minute = random.normal(14.5 * 60, 180, ROWS).clip(7 * 60, 22 * 60).astype(int)
    start = datetime(2024, 1, 1)
    times = [start + timedelta(days=int(d), minutes=int(m)) for d, m in zip(day, minute, strict=True)]
    return pl.Series(sorted(times))


def _some_missing(random: np.random.Generator, values: np.ndarray, part: float) -> pl.Series:
    return pl.Series(values).set(pl.Series(random.random(ROWS) < part), None)
