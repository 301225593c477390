"""Five clients append ten times each to one key over lossy links (V-6, K-19).

Without sessions an append of unknown outcome is not repeated and may be missing (see clients.py);
every acknowledged one is there once, in its client's order.
"""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Scenario, Script, Stage, Until, add
from pnyx.lab.scenarios.clients import (
    Appended,
    Client,
    check_linearizable,
    first_leader,
    token_of,
    tokens_in,
    why_wrong,
)

CLIENTS: Final = 5
COUNT: Final = 10
KEY: Final = b"k"
KNOWN_MIN: Final = 20
"""Of fifty appends nineteen in a hundred are lost on the client's link alone."""


def one_key(stage: Stage) -> Script:
    """Append, wait for all, read once."""
    yield from first_leader(stage)
    stage.reliable(reliable=False)
    history = History("kv-append")
    appends: list[list[Appended]] = [[] for _ in range(CLIENTS)]
    ended = [False] * CLIENTS

    def load(number: int) -> Script:
        client = Client(stage, f"{number}", history, lossy=True)
        for count in range(COUNT):
            append = Appended(token_of(number, count))
            appends[number].append(append)
            append.known = yield from client.append(KEY, append.token)
        ended[number] = True

    for number in range(CLIENTS):
        stage.spawn(load(number))
    yield Until(lambda: all(ended), 100_000_000)
    value = yield from Client(stage, "reader", history).get(KEY)
    for number, own in enumerate(appends):
        mine = [token for token in tokens_in(value) if token.startswith(b"x %d " % number)]
        wrong = why_wrong(b"".join(mine), own)
        stage.check(not wrong, f"client {number}: {wrong}")
    strangers = set(tokens_in(value)) - {each.token for own in appends for each in own}
    stage.check(not strangers, f"nobody appended {sorted(strangers)[:1]}")
    known = sum(append.known for own in appends for append in own)
    stage.budget("appends acknowledged", known, CLIENTS * COUNT, KNOWN_MIN)
    check_linearizable(stage, history)


def one_key_scenario(identifier: str, source: str) -> Scenario:
    """Make it known under an id."""
    return add(
        Scenario(
            identifier,
            "appends of five clients to one key over lossy links are there once, in each's order",
            source,
            3,
            one_key,
            profile=MIT_UNRELIABLE,
        )
    )
