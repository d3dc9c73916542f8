"""The mark ``attack`` and the option ``--attack-table``, for every folder of tests."""

from pathlib import Path

import pytest

from tests.attacks import table


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--attack-table", type=Path, metavar="PATH", help="write the table of attacks, if all of them ran")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "attack(number, …): makes these attacks, which tests/attacks/__init__.py lists")
    path = config.getoption("--attack-table")
    if path and not hasattr(config, "workerinput"):  # of several processes only the first one writes
        config.pluginmanager.register(table.Writer(path), "attack-table")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        numbers = {number for mark in item.iter_markers("attack") for number in mark.args}
        named = {value for name, value in item.user_properties if name == "attack"}
        item.user_properties += [("attack", number) for number in sorted(numbers - named)]
