"""The controller's machine: directives in, configurations and the directory out.

Rule 1. One configuration a change that has an effect, numbered without gaps, never written again.
Rule 2. A configuration says who *should* own a shard; the directory changes when the groups say
        that a move has ended. A shard that nobody serves holds nothing: it is its target's at once.
Rule 3. A shard has at most one undecided move. When it ends, the next begins if the target is
        another group by then.
Rule 4. A group that left may come back, until it is retired: then its number is used up.
Rule 5. Reports name the epoch that they lead to. One that came before changes nothing.

Everything is in the group's rows: the newest number, each configuration under its own, and the
directory. So history outlives the log, and travels with a snapshot.
"""

from typing import Final

from msgspec.structs import replace

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine import directives as d
from pnyx.machine.commands import Tick
from pnyx.machine.configuration import (
    NEWEST,
    NOBODY,
    SHARDS_MAX,
    Configuration,
    Directory,
    Serving,
    decode_configuration,
    decode_directory,
    encode,
)
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.machine import Machine, Rules
from pnyx.machine.planning import planned, why_not_retire
from pnyx.machine.results import OK, Refusal, Result

NOT_FOUNDED: Final = Refusal("ERR there is no configuration yet: found the cluster's shards first")
_NEWEST_KEY: Final = b"newest"
_DIRECTORY_KEY: Final = b"directory"
_CONFIGURATION: Final = b"configuration "


# Changes.


def _found(keyspace: Keyspace, directive: d.Found) -> Result:
    count = directive.shard_count
    if not 1 <= count <= SHARDS_MAX:
        return Refusal(f"ERR a cluster has 1 to {SHARDS_MAX} shards, not {count}")
    first = _configuration(keyspace, 0)
    if first is None:
        first = Configuration(0, (NOBODY,) * count)
        _add(keyspace, first)
        _put_directory(keyspace, Directory((Serving(),) * count))
    elif len(first.targets) != count:
        return Refusal(
            f"ERR this cluster was founded with {len(first.targets)} shards, not {count}: their "
            "number never changes"
        )
    return encode(first)


def _change(keyspace: Keyspace, change: d.Change) -> Result:
    before = _newest(keyspace)
    if before is None:
        return NOT_FOUNDED
    directory = _directory(keyspace)
    after = planned(before, directory, change)
    if isinstance(after, Refusal):
        return after
    if after.number != before.number:
        _add(keyspace, after)
        _put_directory(keyspace, _redirected(directory, before, after))
    return encode(after)


def _redirected(directory: Directory, before: Configuration, after: Configuration) -> Directory:
    """Return the directory as a new configuration begins to be carried out."""
    shards = []
    for serving, target in zip(directory.shards, after.targets, strict=True):
        if serving.group == NOBODY and target != NOBODY:
            shards.append(Serving(Epoch(serving.epoch + 1), target))
        elif serving.destination == NOBODY:
            shards.append(_next(serving.epoch, serving.group, target))
        else:
            shards.append(serving)
    staying = set(after.groups)
    left = [each for each in before.placements if each.group not in staying]
    departed = tuple([each for each in directory.departed if each not in staying])
    leaving = tuple(sorted([*directory.leaving, *left], key=lambda placement: placement.group))
    return _tidied(replace(directory, shards=tuple(shards), leaving=leaving, departed=departed))


def _retire(keyspace: Keyspace, directive: d.Retire) -> Result:
    newest, group = _newest(keyspace), directive.group
    if newest is None:
        return NOT_FOUNDED
    directory = _directory(keyspace)
    why = why_not_retire(newest, directory, group)
    if why:
        return Refusal(why)
    if group not in directory.retired:
        departed = tuple([each for each in directory.departed if each != group])
        retired = tuple(sorted([*directory.retired, group]))
        _put_directory(keyspace, replace(directory, departed=departed, retired=retired))
    return encode(newest)


# Reports.


def _move_committed(keyspace: Keyspace, report: d.MoveCommitted) -> Result:
    serving = _serving(keyspace, report.shard)
    if isinstance(serving, Refusal) or serving.epoch >= report.epoch:
        return serving if isinstance(serving, Refusal) else OK
    if report.epoch != serving.epoch + 1 or report.group != serving.destination:
        return _no_such_move(report.shard, serving)
    return _settle(keyspace, report.shard, report.epoch, report.group)


def _move_failed(keyspace: Keyspace, report: d.MoveFailed) -> Result:
    serving = _serving(keyspace, report.shard)
    if isinstance(serving, Refusal) or serving.epoch >= report.epoch:
        return serving if isinstance(serving, Refusal) else OK
    # The attempt's own epoch + 1 is what it would have led to: that one is never served.
    if report.epoch != serving.epoch + 2 or serving.destination == NOBODY:
        return _no_such_move(report.shard, serving)
    return _settle(keyspace, report.shard, report.epoch, serving.group)


def _vacated(keyspace: Keyspace, report: d.Vacated) -> Result:
    serving = _serving(keyspace, report.shard)
    if isinstance(serving, Refusal) or serving.epoch >= report.epoch:
        return serving if isinstance(serving, Refusal) else OK
    if report.epoch != serving.epoch + 1 or serving.destination != NOBODY:
        return _no_such_move(report.shard, serving)
    _put_serving(keyspace, report.shard, Serving(report.epoch))
    return OK


def _settle(keyspace: Keyspace, shard: ShardId, epoch: Epoch, group: GroupId) -> Result:
    newest = _newest(keyspace)
    assert newest is not None, "whoever has a directory has a configuration"
    _put_serving(keyspace, shard, _next(epoch, group, newest.targets[shard]))
    return OK


def _next(epoch: Epoch, group: GroupId, target: GroupId) -> Serving:
    """Return the entry of a shard that no move is under way of: one begins if it should."""
    return Serving(epoch, group, NOBODY if target == group else target)


def _put_serving(keyspace: Keyspace, shard: ShardId, serving: Serving) -> None:
    directory = _directory(keyspace)
    shards = (*directory.shards[:shard], serving, *directory.shards[shard + 1 :])
    _put_directory(keyspace, _tidied(replace(directory, shards=shards)))


def _tidied(directory: Directory) -> Directory:
    """Return the directory with those departed who were leaving and have nothing to do any more."""
    busy = {group for each in directory.shards for group in (each.group, each.destination)}
    still = tuple([each for each in directory.leaving if each.group in busy])
    gone = [each.group for each in directory.leaving if each.group not in busy]
    departed = tuple(sorted([*directory.departed, *gone]))
    return replace(directory, leaving=still, departed=departed)


def _serving(keyspace: Keyspace, shard: ShardId) -> Serving | Refusal:
    if _newest(keyspace) is None:
        return NOT_FOUNDED
    shards = _directory(keyspace).shards
    if not 0 <= shard < len(shards):
        return Refusal(f"ERR there is no shard {shard}: they are 0 to {len(shards) - 1}")
    return shards[shard]


def _no_such_move(shard: ShardId, serving: Serving) -> Refusal:
    return Refusal(
        f"ERR no move of shard {shard} leads there: in epoch {serving.epoch} it is served by group "
        f"{serving.group}, and on its way to {serving.destination or 'no other'}"
    )


# Reads.


def _query(keyspace: Keyspace, query: d.Query) -> Result:
    newest = _newest(keyspace)
    if newest is None:
        return NOT_FOUNDED
    if query.number < NEWEST:
        return Refusal(f"ERR configurations count from 0, {NEWEST} is the newest: {query.number}?")
    if query.number == NEWEST or query.number >= newest.number:
        return encode(newest)
    return keyspace.value(_key(query.number))


def _whereabouts(keyspace: Keyspace, _: d.Whereabouts) -> Result:
    return keyspace.value(_DIRECTORY_KEY) or NOT_FOUNDED


def _plan(keyspace: Keyspace, plan: d.Plan) -> Result:
    newest = _newest(keyspace)
    if newest is None:
        return NOT_FOUNDED
    after = planned(newest, _directory(keyspace), plan.change)
    return after if isinstance(after, Refusal) else encode(after)


def _tick(_keyspace: Keyspace, _: Tick) -> Result:
    return OK


# Rows.


def _key(number: int) -> bytes:
    return _CONFIGURATION + b"%d" % number


def _configuration(keyspace: Keyspace, number: int) -> Configuration | None:
    row = keyspace.value(_key(number))
    return None if row is None else decode_configuration(row)


def _newest(keyspace: Keyspace) -> Configuration | None:
    number = keyspace.value(_NEWEST_KEY)
    return None if number is None else _configuration(keyspace, int(number))


def _add(keyspace: Keyspace, configuration: Configuration) -> None:
    number = configuration.number
    assert keyspace.value(_key(number)) is None, "a configuration is written once"
    keyspace.put(_key(number), encode(configuration))
    keyspace.put(_NEWEST_KEY, b"%d" % number)


def _directory(keyspace: Keyspace) -> Directory:
    row = keyspace.value(_DIRECTORY_KEY)
    assert row is not None, "the directory is made with configuration 0"
    return decode_directory(row)


def _put_directory(keyspace: Keyspace, directory: Directory) -> None:
    keyspace.put(_DIRECTORY_KEY, encode(directory))


_READS: Final = Rules({d.Query: _query, d.Whereabouts: _whereabouts, d.Plan: _plan})

CONTROLLER: Final = Machine(
    "controller",
    Rules(
        _READS,
        {
            d.Found: _found,
            d.Join: _change,
            d.Leave: _change,
            d.Retire: _retire,
            d.Move: _change,
            d.MoveCommitted: _move_committed,
            d.MoveFailed: _move_failed,
            d.Vacated: _vacated,
            Tick: _tick,
        },
    ),
    _READS,
)
"""The machine of group 0."""
