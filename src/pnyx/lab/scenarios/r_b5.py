"""R-B5: a follower that was away catches up and takes part again."""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import agree, beyond, one_leader, same_everywhere
from pnyx.lab.stage import WorldStage


@scenario(
    "R-B5",
    about="a follower that was away for some commands gets them all when it is back",
    source="MIT 6.5840 lab 3B, TestFailAgree",
    nodes=3,
)
def fail_agree(stage: WorldStage) -> Script:
    """Agree on four commands while a follower is away, on two more when it is back."""
    yield from agree(stage, b"101", expected=3)
    follower = beyond(stage, (yield from one_leader(stage)), 1)
    stage.isolate(follower)
    for value in (b"102", b"103"):
        yield from agree(stage, value, expected=2)
    yield Sleep(stage.election_us)
    for value in (b"104", b"105"):
        yield from agree(stage, value, expected=2)
    stage.rejoin(follower)
    yield from agree(stage, b"106", expected=3)
    yield Sleep(stage.election_us)
    last = yield from agree(stage, b"107", expected=3)
    agreed = [stage.value(number) for number in range(1, last + 1)]
    stage.check(
        agreed == [b"%d" % (100 + number) for number in range(1, 8)],
        f"earlier commands were not preserved: {agreed}",
    )
    same_everywhere(stage, b"107")
