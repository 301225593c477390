"""B-9: a lock service whose primary dies just before it answers."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.understudies import Client, backup_scenario, settled, view_of

YES: Final = b"yes"
NO: Final = b"no"
SCRIPTS: Final[tuple[tuple[tuple[int, str, bytes], ...], ...]] = (
    ((0, "lock", YES),),
    ((0, "lock", YES), (1, "lock", NO)),
    ((0, "lock", YES), (0, "unlock", YES)),
    ((0, "lock", YES), (0, "unlock", YES), (1, "lock", YES)),
    ((0, "lock", YES), (1, "lock", NO), (0, "unlock", YES)),
    ((0, "unlock", NO), (0, "lock", YES)),
    ((0, "lock", YES), (0, "unlock", YES), (0, "unlock", NO)),
)
"""Seven points: of each, the primary dies before it answers the last one. Client, act, answer."""


@backup_scenario(
    "B-9",
    "lockservice (2012), Test primary failure just before reply",
    about="who asks again gets the answer of then, whatever others did since",
    servers=3,
)
def dies_answering(stage: LessonStage) -> Script:
    """After each death another client acts before the first one asks again."""
    for number, acts in enumerate(SCRIPTS):
        yield from settled(stage)
        clients = [Client(stage), Client(stage)]
        key = b"lock%d" % number
        for who, act, answer in acts[:-1]:
            told = yield from clients[who].ask(act, key, b"%d" % who)
            stage.check(told == answer, f"{key!r}: {act} was answered {told!r}, not {answer!r}")
        who, act, answer = acts[-1]
        dying = view_of(stage).primary
        stage.lethal(dying)
        told = yield from clients[who].ask(act, key, b"%d" % who)
        stage.check(told == answer, f"{key!r}: {act} asked again: {told!r}, not {answer!r}")
        stage.check(stage.host(dying).node is None, "the primary did not die")
        stage.restart(dying)
