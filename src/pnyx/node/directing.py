"""What an operator may tell the controller, and what came of it.

Any node takes it and sends it on to the controller's leader. Words name nodes by their labels; here
they become directives, which name them by NodeId and address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from pnyx.consensus.engines import EngineName
from pnyx.ids import GroupId, ShardId
from pnyx.machine.commands import Batch, decode, encode
from pnyx.machine.configuration import (
    NEWEST,
    Member,
    Placement,
    decode_configuration,
    decode_directory,
)
from pnyx.machine.directives import (
    AnyDirective,
    Change,
    Join,
    Leave,
    Move,
    Plan,
    Query,
    Retire,
    Whereabouts,
)
from pnyx.machine.results import Refusal
from pnyx.node.status import Topology
from pnyx.node.waiting import Waiting
from pnyx.replica.requests import Done, NotDone, Request
from pnyx.replica.roster import CONTROL

REFUSED: Final = "refused"
"""The controller looked at it and said no; the reason is a sentence."""


class Directed(Protocol):
    """The node, as far as the controller is asked through it."""

    def submit(self, group: GroupId, request: Request) -> None: ...


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a directive."""

    outcome: str
    """done, refused, not_done or unknown."""
    reason: str = ""
    """Of refused: the controller's sentence; of not_done: a `Reason` of the replica."""
    result: bytes = b""
    """Of done: a configuration, or of `Whereabouts` the directory, encoded."""


class NotAsked(Exception):
    """Words that name no directive, or a node that is unknown; the text says which."""


async def direct(node: Directed, directive: AnyDirective) -> Told:
    """Tell the controller and return what it says, after a few seconds at most."""
    ticket = Waiting()
    request = Request(ticket, (directive,), by_log=directive.writes, forward=True)
    node.submit(CONTROL, request)
    match await ticket.answer:
        case Done((Refusal(text),)):
            return Told(REFUSED, text)
        case Done((bytes() as result,)):
            return Told("done", result=result)
        case NotDone(reason):
            return Told("not_done", reason.value)
        case _:
            return Told("unknown")


def directive_of(words: Any, topology: Topology, engine: EngineName) -> AnyDirective:
    """Return what a JSON object asks for; see control.py for the words.

    Raises:
        NotAsked: it asks for nothing that there is, or for a node that is unknown.
    """
    directive = _meant(words, topology, engine)
    try:
        # An entry that cannot be written or read would stop every node, and again at its start.
        decode(encode(Batch(0, 0, (directive,))))
    except OverflowError as error:
        raise NotAsked("no number is that large") from error
    except msgspec.ValidationError as error:
        raise NotAsked(f"no directive has such words: {error}") from error
    return directive


def _meant(words: Any, topology: Topology, engine: EngineName) -> AnyDirective:
    match words:
        case {"query": int(number), **rest} if not rest:
            return Query(number)
        case {"query": None, **rest} if not rest:
            return Query(NEWEST)
        case {"whereabouts": None, **rest} if not rest:
            return Whereabouts()
        case {"retire": int(group), **rest} if not rest:
            return Retire(GroupId(group))
        case {"plan": change, **rest} if not rest:
            return Plan(_change(change, topology, engine))
        case _:
            return _change(words, topology, engine)


def shown(directive: AnyDirective, result: bytes) -> Any:
    """Return a result as plain values for JSON."""
    decode = decode_directory if isinstance(directive, Whereabouts) else decode_configuration
    value = decode(result)
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: _plain(field) for name, field in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _change(words: Any, topology: Topology, engine: EngineName) -> Change:
    match words:
        case {"join": dict() as groups, **rest} if rest.keys() <= {"shared", "consensus"}:
            return _join(groups, rest, topology, engine)
        case {"leave": [*groups], **rest} if not rest and all(type(x) is int for x in groups):
            return Leave(tuple([GroupId(group) for group in groups]))
        case {"move": int(shard), "to": int(group), **rest} if not rest:
            return Move(ShardId(shard), GroupId(group))
        case _:
            raise NotAsked(
                'send {"join": {GROUP: [LABEL, ...]}}, perhaps with "shared": true and '
                '"consensus": "raft" or "multipaxos", '
                '{"leave": [GROUP]}, {"move": SHARD, "to": GROUP}, {"retire": GROUP}, '
                '{"plan": one of the first three}, {"query": NUMBER or null} '
                'or {"whereabouts": null}'
            )


def _join(
    groups: Mapping[str, Any], options: Mapping[Any, Any], topology: Topology, engine: EngineName
) -> Join:
    shared, named = options.get("shared", False), options.get("consensus", engine)
    if type(shared) is not bool:
        raise NotAsked(f'"shared" is true or false, not {shared}')
    if named not in list(EngineName):
        raise NotAsked(f"a group runs {' or '.join(EngineName)}, not {named}")
    placements = [
        _placement(group, labels, topology, EngineName(named)) for group, labels in groups.items()
    ]
    return Join(tuple(placements), shared=shared)


def _placement(group: str, labels: Any, topology: Topology, engine: EngineName) -> Placement:
    known: Mapping[str, Any] = {member.label: member for member in topology.placed}
    if not group.isdecimal() or not _are_texts(labels):
        raise NotAsked(f"a group is a number with a list of labels, not {group}: {labels}")
    strangers = [label for label in labels if label not in known]
    if strangers:
        raise NotAsked(f"no member of the cluster is called {', '.join(strangers)}")
    members = [known[label] for label in labels]
    return Placement(
        GroupId(int(group)),
        tuple([Member(one.label, f"{one.host}:{one.peer_port}", one.node) for one in members]),
        engine,
    )


def _are_texts(words: Any) -> bool:
    return isinstance(words, list) and all(isinstance(each, str) for each in words)
