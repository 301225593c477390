"""C-3: a shard that was moved by hand stays where it was put."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import SHARDS, controller_scenario, founded, settled
from pnyx.lab.stage import WorldStage

LOW, HIGH = 503, 504


@controller_scenario(
    "C-3",
    about="each real move makes a configuration, and nothing moves but by hand",
    source="MIT 6.824 lab 4A, TestBasic: move",
)
def by_hand(stage: WorldStage) -> Script:
    """Put the first half of the shards at one group and the rest at another, and then turn it."""
    operator, carrier = yield from founded(stage)
    newest = yield from operator.join(LOW)
    newest = yield from operator.join(HIGH)
    moves = 0
    places = [(HIGH, shard) for shard in range(SHARDS // 2)]
    places += [(LOW, shard) for shard in range(SHARDS // 2, SHARDS)]
    places += [(LOW + HIGH - group, shard) for group, shard in places]
    for group, shard in places:
        before = newest
        newest = yield from operator.move(shard, group)
        real = before.targets[shard] != group
        moves += real
        stage.check(
            newest.number == before.number + real,
            f"moving shard {shard} of {before} gave {newest}",
        )
    wanted = (LOW,) * (SHARDS // 2) + (HIGH,) * (SHARDS // 2)
    stage.check(newest.targets == wanted, f"the shards are at {newest.targets}")
    yield from settled(operator)
    again = yield from operator.query()
    stage.check(again == newest, f"{newest} became {again} by itself")
    stage.check(moves >= SHARDS, f"only {moves} moves had an effect")
    stage.budget("configurations", newest.number, 2 + moves, 2 + moves)
    carrier.stopped = True
