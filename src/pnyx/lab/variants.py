"""What runs are called: `swarm`, `R-B9`; on another engine than Raft `swarm@multipaxos`."""

from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.errors import Unlisted

SWARM: Final = "swarm"
_AT: Final = "@"


def on_engine(what: str, consensus: EngineName) -> str:
    """Return the name of `what` on that engine."""
    return what if consensus is EngineName.RAFT else f"{what}{_AT}{consensus}"


def taken_apart(name: str) -> tuple[str, EngineName]:
    """Return what is run and on which engine.

    Raises:
        Unlisted: there is no such engine.
    """
    what, at, engine = name.partition(_AT)
    if not at:
        return what, EngineName.RAFT
    try:
        return what, EngineName(engine.lower())
    except ValueError as error:
        raise Unlisted(
            f"there is no engine {engine}",
            cause=f"known are {', '.join(EngineName)}",
            next_step="write for example swarm@multipaxos, or say --consensus multipaxos",
        ) from error


def is_swarm(name: str) -> bool:
    """Is it a run of the swarm, on whatever engine?"""
    return taken_apart(name)[0] == SWARM
