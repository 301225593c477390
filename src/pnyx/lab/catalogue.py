"""All scenarios: importing this loads every file of scenarios/."""

import pkgutil
from importlib import import_module

from pnyx.lab import scenarios
from pnyx.lab.scenario import Scenario, known, named

for _module in sorted(module.name for module in pkgutil.iter_modules(scenarios.__path__)):
    import_module(f"{scenarios.__name__}.{_module}")


def all_scenarios() -> list[Scenario]:
    """Return every scenario, by id."""
    return known()


def scenario_named(identifier: str) -> Scenario:
    """Return one; raises `Unlisted` if there is none of that id."""
    return named(identifier)
