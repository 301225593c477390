"""All scenarios: importing this loads every file of scenarios/."""

import pkgutil
from dataclasses import replace
from importlib import import_module

from pnyx.lab import scenarios
from pnyx.lab.scenario import Scenario, known, named
from pnyx.lab.variants import on_engine, taken_apart

for _module in sorted(module.name for module in pkgutil.iter_modules(scenarios.__path__)):
    import_module(f"{scenarios.__name__}.{_module}")


def all_scenarios() -> list[Scenario]:
    """Return every scenario, by id."""
    return known()


def scenario_named(identifier: str) -> Scenario:
    """Return one, on the engine that its name says.

    Raises:
        Unlisted: there is none of that id, or no such engine.
    """
    what, consensus = taken_apart(identifier)
    found = named(what)
    if consensus is found.consensus:
        return found
    return replace(found, id=on_engine(found.id, consensus), consensus=consensus)
