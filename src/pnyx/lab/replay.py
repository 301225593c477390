"""One printed line from which a run can be played again, shrunk or not.

    swarm/18/3f2a9c01                 the swarm's run of seed 18, by the code with that hash
    swarm/18/3f2a9c01/eJxj...         the same after shrinking: what is left of it
    R-B9/7/3f2a9c01                   a scenario
    swarm@multipaxos/18/3f2a9c01      the same run on Multi-Paxos

The code's hash is part of the line: other code would make another run of it.
"""

import base64
import binascii
import zlib
from dataclasses import replace
from typing import Final

import msgspec

from pnyx.consensus.engines import EngineName
from pnyx.errors import OtherVersion, Unlisted
from pnyx.lab.faults import Fault
from pnyx.lab.swarm import Plan, draw
from pnyx.lab.variants import SWARM, on_engine, taken_apart
from pnyx.lab.workload import Kept

TEXT_BYTES_MAX: Final = 100_000
"""A longer line was not printed by us."""


class Line(msgspec.Struct, frozen=True):
    """A replay line, taken apart."""

    what: str
    """`swarm`, or a scenario's id; of another engine than Raft with its name (variants.py)."""
    seed: int
    code: str
    rest: str = ""

    def __str__(self) -> str:
        """Return it as it is printed."""
        parts = [self.what, str(self.seed), self.code]
        return "/".join([*parts, self.rest] if self.rest else parts)


class _Left(msgspec.Struct, frozen=True, array_like=True):
    """What shrinking has left of a plan."""

    faults: tuple[Fault, ...]
    kept: tuple[Kept, ...] | None
    nodes: int
    clients: int
    safety_us: int
    core: tuple[int, ...]


def line_of(plan: Plan, code: str) -> str:
    """Return the line that replays `plan` with the code of that hash."""
    what = on_engine(SWARM, plan.world.consensus)
    if plan == draw(plan.seed, consensus=plan.world.consensus):
        return str(Line(what, plan.seed, code))
    left = _Left(
        plan.faults,
        plan.kept,
        plan.world.nodes,
        plan.workload.clients,
        plan.safety_us,
        plan.core,
    )
    packed = zlib.compress(msgspec.msgpack.encode(left), 9)
    rest = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return str(Line(what, plan.seed, code, rest))


def parse(text: str, code: str) -> Line:
    """Take a line apart; `code` is the hash of the code that runs now.

    Raises:
        Unlisted: it is no such line.
        OtherVersion: it belongs to other code.
    """
    parts = text.strip().split("/")
    if not 3 <= len(parts) <= 4 or not parts[1].isdigit() or len(text) > TEXT_BYTES_MAX:
        raise _no_line(text, "it is not WHAT/SEED/CODE")
    if int(parts[1]) >= 2**64:
        raise _no_line(text, "a seed is below 2**64")
    line = Line(parts[0], int(parts[1]), *parts[2:])
    if line.code != code:
        raise OtherVersion(
            f"{line.what} {line.seed} cannot be played again",
            cause=f"it was run by the code {line.code}, this is {code}",
            next_step=f"check that version out, or run the seed anew: {_anew(line)}",
        )
    return line


def _anew(line: Line) -> str:
    what, consensus = taken_apart(line.what)
    command = f"pnyx lab run {line.seed if what == SWARM else f'{what} --seed {line.seed}'}"
    return command if consensus is EngineName.RAFT else f"{command} --consensus {consensus}"


def plan_of(line: Line) -> Plan:
    """Return the plan of a line of the swarm.

    Raises:
        Unlisted: what shrinking left cannot be read.
    """
    plan = draw(line.seed, consensus=taken_apart(line.what)[1])
    if not line.rest:
        return plan
    try:
        packed = base64.urlsafe_b64decode(line.rest + "=" * (-len(line.rest) % 4))
        unpacked = zlib.decompressobj().decompress(packed, TEXT_BYTES_MAX)
        left = msgspec.msgpack.decode(unpacked, type=_Left)
    except (binascii.Error, zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise _no_line(str(line), str(error)) from error
    return replace(
        plan,
        world=replace(plan.world, nodes=left.nodes),
        workload=replace(plan.workload, clients=left.clients),
        faults=left.faults,
        safety_us=left.safety_us,
        core=left.core,
        kept=left.kept,
    )


def _no_line(text: str, cause: str) -> Unlisted:
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    return Unlisted(
        f"{shown!r} is no run that can be played again",
        cause=cause,
        next_step="paste the whole line that a failed run printed, or give a seed to "
        "`pnyx lab run`",
    )
