"""H-15: an operator is cut off while his change waits for a dead group; another one goes on."""

from typing import Final

from pnyx.ids import Epoch, ShardId
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.fleet import Fleet, Planner, manned
from pnyx.lab.scenarios.sixty import sixty, sixty_scenario
from pnyx.lab.stage import WorldStage
from pnyx.machine.directives import MoveFailed
from pnyx.replica.roster import CONTROL

END_US: Final = 20_000_000


@sixty_scenario(
    "H-15",
    3,
    about="a controller that was cut off ends nothing: others did, and its reports are too late",
    source="TestPartitionControllerJoin5C",
)
def partition(stage: WorldStage) -> Script:
    """The controller's leader is cut off with the first operator; the group comes back."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    notes = sixty(fleet)
    yield from notes.put_all()
    fleet.shut(2)
    ended = [False]
    cut = stage.leader(CONTROL) or 1
    stage.spawn(_join(stage, cut, ended))
    yield Sleep(1_000_000)
    stage.check(not ended[0], "the join of a group that is down was over")
    was = yield from fleet.operator.directory()
    stage.isolate(cut)
    yield Sleep(1_000_000)
    fleet.start(2)
    others = tuple(node for node in fleet.layout.controllers if node != cut)
    second = Fleet(stage, Planner(stage, "second", among=others))
    newest = yield from second.operator.query()
    stage.check(2 in newest.groups, f"the second operator does not see group 2 in {newest}")
    yield from second.settled()
    yield from second.joined(3)
    stage.rejoin(cut)
    yield Until(lambda: ended[0], END_US)
    stage.check(ended[0], "the first operator still waits")
    # What would have ended the first attempt comes now: it is of an epoch that is over.
    moving = ShardId(next(at for at, each in enumerate(was.shards) if each.destination))
    before = yield from second.operator.directory()
    yield from fleet.operator.tell(MoveFailed(moving, Epoch(was.shards[moving].epoch + 2)))
    after = yield from second.operator.directory()
    stage.check(after.shards == before.shards, f"a report that came too late changed {before}")
    yield from notes.check()


def _join(stage: WorldStage, node: int, ended: list[bool]) -> Script:
    yield from Fleet(stage, Planner(stage, "first", among=(node,))).joined(2)
    ended[0] = True
