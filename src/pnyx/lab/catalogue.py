"""All scenarios: importing this loads every file of scenarios/."""

import pkgutil
from dataclasses import replace
from importlib import import_module

from pnyx.errors import Unlisted
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
        Unlisted: there is none of that id, no such engine, or it is a lesson's.
    """
    what, consensus = taken_apart(identifier)
    found = named(what)
    if consensus is found.consensus:
        return found
    if found.lesson is not None:
        raise Unlisted(
            f"{found.id} does not run on {consensus}; nothing was run",
            cause=f"its protocol is {found.lesson.name}",
            next_step=f"run it as it is: pnyx lab run {found.id}",
        )
    return replace(found, id=on_engine(found.id, consensus), consensus=consensus)
