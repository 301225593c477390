"""The controller, asked through any node: which group has which shard, and changes of that.

What it refuses it refuses whole: nothing was changed then. A change is made when its configuration
is; the shards move after that, by themselves, whoever watches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self, TypeAlias

import msgspec

from pnyx.admin import page
from pnyx.admin.members import ChangeUnknown
from pnyx.errors import PnyxError, SettingsWrong
from pnyx.ids import SLOT_COUNT
from pnyx.machine.shards import first_slot

ANSWER_S_MAX: Final = 10.0
"""A node parks and forwards for a few seconds, and then says something."""
NOBODY: Final = 0
"""The group of a shard that nobody has."""
GROUP_MAX: Final = 2**31 - 1
"""The highest number of a group."""

Change: TypeAlias = Mapping[str, Any]
"""As /v1/controller takes it; see the functions that make them."""

_WHAT_THERE_IS: Final = "`pnyx group list` and `pnyx shards show` say what there is"
_UNCHANGED: Final = "; nothing was changed"
_NOTHING_DONE: Final = (
    "nobody joined: ", "nobody left: ", "nothing was moved: ", "nothing was retired: ",
)  # fmt: skip
"""What the controller's refusals begin with; that nothing was changed is said already."""
_NO_ANSWER: Final = {
    "no_quorum": "the controller has no leader with a quorum",
    "unknown": "no majority of the controller answered in time",
    "stopping": "the node that was asked is stopping",
}


class ControllerRefused(PnyxError):
    """The controller refused a change of groups or shards. Nothing was changed."""

    code = "PX0413"


class ControllerSilent(PnyxError):
    """The controller has no quorum. Nothing was changed; shards go on being served."""

    code = "PX0414"
    lacks_quorum = True


class Seated(msgspec.Struct, frozen=True):
    """A node that has a replica of a group."""

    label: str


class Placed(msgspec.Struct, frozen=True):
    """A group, and where its replicas live."""

    group: int
    members: tuple[Seated, ...]
    """The first one is to lead it."""
    engine: str = "raft"
    """What keeps its log."""

    @classmethod
    def of(cls, group: int, labels: Iterable[str]) -> Self:
        """Return a group on the nodes of these labels."""
        return cls(group, tuple(Seated(label) for label in labels))

    @property
    def nodes(self) -> tuple[str, ...]:
        """The labels of its nodes."""
        return tuple(member.label for member in self.members)


class Configuration(msgspec.Struct, frozen=True):
    """Who should have which shard, as the controller decided under that number."""

    number: int
    targets: tuple[int, ...]
    """By shard, a group or `NOBODY`."""
    placements: tuple[Placed, ...]

    def placed(self, group: int) -> Placed | None:
        """Return where a group lives, if it is one of these."""
        return next((one for one in self.placements if one.group == group), None)


class Serving(msgspec.Struct, frozen=True):
    """Who serves a shard now, and where it is on its way to."""

    epoch: int
    group: int
    destination: int


class Directory(msgspec.Struct, frozen=True):
    """Who serves what now, and which groups left."""

    shards: tuple[Serving, ...]
    leaving: tuple[Placed, ...]
    """In no configuration any more, and something is still to be moved away from there."""
    departed: tuple[int, ...]
    retired: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Maps:
    """Both; the configuration is at least as new as the directory."""

    configuration: Configuration
    directory: Directory

    def to_move(self) -> list[tuple[int, int, int]]:
        """Return (shard, who serves it, where it is to be) of what is not where it should be."""
        pairs = zip(self.directory.shards, self.configuration.targets, strict=True)
        return [
            (shard, serving.group, target)
            for shard, (serving, target) in enumerate(pairs)
            if serving.group != target or serving.destination not in {NOBODY, target}
        ]


class _Told(msgspec.Struct, frozen=True):
    outcome: str
    reason: str = ""
    result: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to ask."""

    pages: Mapping[str, tuple[str, int]]
    """Label -> host and http port of its nodes; they are asked in this order."""
    password: str | None = None
    """What the nodes' `requirepass` says."""


# Made once, before any thread; see health.py.
_decode_told: Final = msgspec.json.Decoder(_Told).decode
_decode_configuration: Final = msgspec.json.Decoder(Configuration).decode
_decode_directory: Final = msgspec.json.Decoder(Directory).decode

# What may be asked for. Each raises SettingsWrong for what is no group or shard by its kind.


def joining(
    groups: Mapping[int, Sequence[str]], *, apart: bool = False, engine: str | None = None
) -> Change:
    """Let new groups have their part of the shards, each on the nodes of these labels.

    With `apart`, nodes that have another group already are refused. The `engine` keeps their logs,
    raft or multipaxos; without one, what the node that is asked has in its settings.
    """
    named = {str(_group(group)): list(nodes) for group, nodes in groups.items()}
    chosen = {} if engine is None else {"consensus": engine}
    return {"join": named} | ({} if apart else {"shared": True}) | chosen


def leaving(groups: Sequence[int]) -> Change:
    """Give the shards of these groups to the others."""
    return {"leave": [_group(group) for group in groups]}


def moving(shard: int, group: int) -> Change:
    """Let one shard go to a group, where it stays until the next group joins or leaves."""
    if type(shard) is not int or not 0 <= shard < SLOT_COUNT:
        raise SettingsWrong(
            f"{shard!r} is no shard; nothing was changed",
            cause="shards are numbered from 0",
            next_step="`pnyx shards show` lists them",
        )
    return {"move": shard, "to": _group(group)}


def retiring(group: int) -> Change:
    """Let a group that left never come back: its replicas are destroyed."""
    return {"retire": _group(group)}


def _group(number: int) -> int:
    # A bool would be sent as 1, and what is larger does not fit where nodes keep it.
    if type(number) is not int or not 0 <= number <= GROUP_MAX:
        raise SettingsWrong(
            f"{number!r} is no group's number; nothing was changed",
            cause=f"groups are numbered from 1 to {GROUP_MAX}",
            next_step="`pnyx group list` shows them",
        )
    return number


# Asking.


def configuration(cluster: Cluster, number: int | None = None) -> Configuration:
    """Return the configuration of that number (above the newest, the newest), or the newest.

    Raises:
        ControllerSilent: it has no quorum.
        ControllerRefused: there is no such number, or nothing was founded yet.
        NoAnswer: no node answers, or the password is wrong.
    """
    told = _ask(cluster, {"query": number}, "could not ask who has what", changes=False)
    return _decode_configuration(told)


def maps(cluster: Cluster) -> Maps:
    """Return the newest configuration, and who serves what; errors as of `configuration`."""
    # In this order: a directory that is newer could speak of groups that are not known.
    told = _ask(cluster, {"whereabouts": None}, "could not ask who serves what", changes=False)
    return Maps(configuration(cluster), _decode_directory(told))


def change(cluster: Cluster, wish: Change) -> Configuration:
    """Have the controller make a change; return the configuration that it led to.

    Raises:
        ControllerRefused: it was refused; nothing was changed.
        ControllerSilent: it has no quorum; nothing was changed.
        ChangeUnknown: it may have been made; asking again does no harm.
        NoAnswer: no node answers, or the password is wrong.
    """
    what = f"could not {next(iter(wish))}{_UNCHANGED}"
    return _decode_configuration(_ask(cluster, wish, what, changes=True, step=_step(wish)))


def plan(cluster: Cluster, wish: Change) -> Configuration:
    """Return the configuration that a join, leave or move would lead to now; errors as `change`."""
    what = f"{next(iter(wish))} would be refused{_UNCHANGED}"
    told = _ask(cluster, {"plan": wish}, what, changes=False, step=_step(wish))
    return _decode_configuration(told)


def slots_of(shard: int, count: int) -> tuple[int, int]:
    """Return the first and last slot of a shard, one of `count`."""
    return first_slot(shard, count), first_slot(shard + 1, count) - 1


def _ask(
    cluster: Cluster, wish: Change, what: str, *, changes: bool, step: str = _WHAT_THERE_IS
) -> msgspec.Raw:
    """Ask one node after the other until one has an answer of the controller."""
    body, password = msgspec.json.encode(wish), cluster.password
    silent: page.NoAnswer | None = None
    reason = ""
    for host, port in cluster.pages.values():
        try:
            answer = page.ask(
                host, port, "/v1/controller", body=body, timeout_s=ANSWER_S_MAX, password=password
            )
        except page.NoAnswer as error:
            if error.status == HTTPStatus.BAD_REQUEST:
                step = "`pnyx node list` shows the nodes"
                raise ControllerRefused(what, cause=error.cause, next_step=step) from error
            if error.status:
                raise
            if error.has_left and changes:
                raise _unknown(what, error.cause) from error
            silent = error
            continue
        told = _decode_told(answer)
        match told.outcome:
            case "done":
                return told.result
            case "refused":
                raise _refused(what, told.reason, step)
            case "unknown" if changes:
                raise _unknown(what, _NO_ANSWER["unknown"])
            case _:
                reason = told.reason or told.outcome
    if not reason and silent is not None:
        raise silent
    what = what.removesuffix(_UNCHANGED) + _UNCHANGED
    raise ControllerSilent(
        f"{what}, and shards go on being served where they are",
        cause=_NO_ANSWER.get(reason, f"the controller says {reason}"),
        next_step="`pnyx health` shows which nodes are missing; then ask again",
    )


def _step(wish: Change) -> str:
    is_apart = "join" in wish and "shared" not in wish
    return (
        f"{_WHAT_THERE_IS}; without --apart groups may share nodes" if is_apart else _WHAT_THERE_IS
    )


def _refused(what: str, reason: str, step: str) -> ControllerRefused:
    prefix, _, sentence = reason.partition(" ")
    if prefix == "MOVING":
        step = "`pnyx shards watch` ends when all moves have; then ask again"
    for done in _NOTHING_DONE:
        sentence = sentence.removeprefix(done)
    return ControllerRefused(what, cause=sentence, next_step=step)


def _unknown(what: str, cause: str) -> ChangeUnknown:
    return ChangeUnknown(
        what.removesuffix(_UNCHANGED) + ", or it was done: that is not known",
        cause=cause,
        next_step="ask again: what is done already does no harm",
    )
