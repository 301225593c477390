"""Tests that start processes run one after the other, whatever else runs beside them.

They share the machine's ports, and what they measure is patience: two of them at once would wait
for each other. The rest is spread over the other workers of `make test`.
"""

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("real") is not None:
            item.add_marker(pytest.mark.xdist_group("real"))
