"""How replicas come aboard a simulated process: from its disk, or because they are wanted there."""

from typing import TYPE_CHECKING

from pnyx.consensus.engines import ENGINES, EngineName
from pnyx.consensus.formation import Formed
from pnyx.consensus.member.start import Start
from pnyx.consensus.ready import RecoveredLog
from pnyx.ids import GroupId
from pnyx.lab.surroundings import GROUP
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.group import Group, groups_in
from pnyx.machine.moving import SHARDS
from pnyx.prng import Prng
from pnyx.replica.founding import Missing
from pnyx.replica.replica import Replica
from pnyx.replica.roster import CONTROL
from pnyx.storage.agreement import agreed
from pnyx.storage.wal import Wal

if TYPE_CHECKING:
    from pnyx.lab.process import Process


class Board:
    """Of one life: what was opened of the disk."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self.groups: dict[GroupId, Group] = {}
        """Those that the disk holds, and those that came aboard since."""
        self._logs: dict[GroupId, RecoveredLog] = {}

    def open(self) -> tuple[Wal, Formed | None]:
        """Open space and log; return the log, and the formation that is recorded in it.

        Raises:
            LostDisk: they are not what this node wrote.
            PowerCut: as planned.
        """
        process, world, space = self._process, self._process.world, self._process.disk.space
        layout = world.layout
        if layout is None:
            self.groups[GROUP] = Group(space, GROUP, world.machine)
        else:
            found = groups_in(space)
            founded = [CONTROL] if process.number in layout.controllers else []
            for group in sorted({*found, *founded}):
                self._take_up(group, layout.shards)
        nonces = iter(range(1 << 30))
        wal, recovered = Wal.open(
            process.disk.files,
            process.identity,
            process.disk.segments,
            {group: state.applied.index for group, state in self.groups.items()},
            lambda: world.chance.draw("nonce", process.number, process.life, next(nonces)),
        )
        for group, state in self.groups.items():
            self._logs[group] = agreed(recovered, state, wal, group)
        return wal, recovered.formed

    def found(self, missing: Missing) -> None:
        """Make a group's state, which holds nothing but its first membership, durable.

        Raises:
            PowerCut: as planned.
        """
        state = self._take_up(missing.group, missing.shards)
        state.found(missing.membership, missing.engine)
        self._process.disk.space.flush()

    def replica(self, group: GroupId, *, joins: bool = False) -> Replica:
        """Start the replica of a group that is on board."""
        process, world = self._process, self._process.world
        state = self.groups[group]
        assert state.membership is not None, "a group on board was founded"
        where = (process.number, process.life, *((group,) if world.layout is not None else ()))
        boot = world.chance.seed("boot", process.number, process.life)
        consensus = ENGINES[EngineName(state.engine or world.consensus)](
            Start(
                me=process.node,
                membership=state.membership,
                settings=world.raft,
                prng=Prng(world.chance.seed("prng", *where)),
                now_ms=process.now().mono_ms,
                boot=boot,
                recovered=self._logs.get(group) or RecoveredLog(),
                applied=state.applied.index,
            )
        )
        return Replica(
            me=process.node,
            boot=boot,
            consensus=consensus,
            group=state,
            limits=world.limits,
            joins=process.label if joins else "",
        )

    def _take_up(self, group: GroupId, shards: int) -> Group:
        machine = CONTROLLER if group == CONTROL else SHARDS
        state = Group(self._process.disk.space, group, machine, shards=shards)
        self.groups[group] = state
        return state
