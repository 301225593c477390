"""What a client hears when the store did not do its command, or nobody knows whether it did.

The first word decides what Redis clients do next: on MOVED, TRYAGAIN and CLUSTERDOWN they send the
command again, so these stand only where surely nothing was appended. UNKNOWN is no word of theirs:
they hand it to the program, which must look before it repeats.
"""

from typing import Final

from pnyx.machine.results import Refusal
from pnyx.replica.requests import Reason

NOT_DONE: Final[dict[Reason, Refusal]] = {
    Reason.NO_QUORUM: Refusal(
        "CLUSTERDOWN The cluster is down: PX0107 no leader with a quorum was found; "
        "nothing was done, try again"
    ),
    Reason.OVERLOADED: Refusal(
        "TRYAGAIN PX0202 too much is waiting to be committed; nothing was done, try again"
    ),
    Reason.LOW_SPACE: Refusal(
        "MISCONF PX0204 a quorum of nodes is short of disk space: writes are refused until there "
        "is more, reads are answered; nothing was done, try again later"
    ),
    Reason.TOO_LARGE: Refusal(
        "ERR PX0201 the commands do not fit into one entry of the log; nothing was done, send less "
        "at once"
    ),
    Reason.STOPPING: Refusal(
        "CLUSTERDOWN PX0108 this node is shutting down; nothing was done, ask another node"
    ),
}

UNKNOWN: Final = Refusal(
    "UNKNOWN PX0203 the outcome of this write is not known: it may have been done, may be done "
    "later, or never; look before you send it again, unless it has a session (PNYX.SEQ): then send "
    "it again with the same sequence"
)

NOT_SERVED: Final = Refusal(
    "CLUSTERDOWN Hash slot not served: PX0216 its shard is on its way to another group, or was "
    "never given to one; nothing was done, try again"
)
ACROSS_GROUPS: Final = Refusal(
    "CROSSSLOT PX0217 the keys belong to several groups, and what is done to them together needs "
    "one; nothing was done, give the keys one {tag} in braces"
)
WHOLE_STORE: Final = Refusal(
    "CROSSSLOT PX0217 several groups have the store, and within MULTI a command on all of it needs "
    "one; nothing was done, send DBSIZE, KEYS, SCAN, RANDOMKEY, FLUSHALL and INFO without MULTI"
)

LEADER_CHANGED: Final = Refusal(
    "CLUSTERDOWN PX0107 the leader changed while this request was on its way; "
    "nothing was done, try again"
)
"""For Elsewhere where no client can be sent elsewhere."""

READONLY: Final = Refusal("READONLY You can't write against a read only replica.")
CROSSSLOT: Final = Refusal("CROSSSLOT Keys in request don't hash to the same slot")


def moved(slot: int, host: str, port: int) -> Refusal:
    """Return the redirection to the node that leads the slot's group."""
    return Refusal(f"MOVED {slot} {host}:{port}")
