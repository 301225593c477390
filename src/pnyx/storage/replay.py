"""Records folded into what they say: the groups' state, their entries, the formation map.

Told the same facts in the same order as the running log was, so both arrive at the same state; a
checkpoint in the middle of the log proves it.
"""

from dataclasses import dataclass, field

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Acceptance, Entry, Mark
from pnyx.ids import GroupId
from pnyx.storage import record as records
from pnyx.storage.groups import Groups, GroupState
from pnyx.storage.record import Malformed, Record, RecordType


@dataclass(slots=True)
class Replay:
    """The state after the records folded so far."""

    groups: Groups = field(default_factory=Groups)
    entries: dict[GroupId, list[Entry]] = field(default_factory=dict)
    formed: Formed | None = None

    def fold(self, record: Record, sequence: int) -> None:
        """Take in a record that stands in segment `sequence`.

        Raises:
            Malformed: it contradicts what came before.
        """
        if record.type is RecordType.FORMATION:
            self.formed = records.formed_of(record)
            return
        if record.type is RecordType.GROUP:
            self.groups.destroyed.pop(record.group, None)
            self.groups.alive[record.group] = GroupState.restated(records.checkpoint_of(record))
            return
        state = self.groups.alive.get(record.group)
        if state is None:
            raise Malformed(f"a record of group g{record.group}, which was never created")
        entries = self.entries.setdefault(record.group, [])
        match record.type:
            case RecordType.ENTRY:
                _fold_entry(state, entries, records.entry_of(record), sequence)
            case RecordType.HARD_STATE:
                state.hard_state = records.hard_state_of(record)
            case RecordType.ACCEPTED:
                _fold_accepted(state, entries, Acceptance(record.term, record.index))
            case RecordType.COMPACTED | RecordType.RESTARTED:
                mark = Mark(record.index, record.term)
                move = state.compact if record.type is RecordType.COMPACTED else state.restart
                move(mark)
                trim(state, entries)
            case RecordType.DESTROYED:
                del self.groups.alive[record.group], self.entries[record.group]
                self.groups.destroyed[record.group] = records.hard_state_of(record)
            case _:
                raise Malformed(f"a {record.type.name} record in a group")

    def adopt(self, checkpoint: "Replay") -> None:
        """Start over from a checkpoint: every entry before it is missing."""
        self.groups, self.formed, self.entries = checkpoint.groups, checkpoint.formed, {}

    def require_same(self, checkpoint: "Replay") -> None:
        """Compare what was folded with what a checkpoint restates.

        Raises:
            Malformed: they differ.
        """
        own, theirs = self.groups, checkpoint.groups
        for group in own.alive.keys() & theirs.alive.keys():
            own.alive[group].learn_end(theirs.alive[group])
        same = (
            checkpoint.formed == self.formed
            and own.destroyed == theirs.destroyed
            and own.alive.keys() == theirs.alive.keys()
            and all(
                state.checkpoint() == theirs.alive[group].checkpoint()
                and state.accepted == theirs.alive[group].accepted
                for group, state in own.alive.items()
            )
        )
        if not same:
            raise Malformed("the checkpoint disagrees with the log before it")


def encode_checkpoint(groups: Groups, formed: Formed | None) -> list[bytes]:
    """Return the records that restate everything but entries."""
    parts = [records.encode_formed(formed)] if formed is not None else []
    parts += [
        records.encode_hard_state(group, hard_state, RecordType.DESTROYED)
        for group, hard_state in sorted(groups.destroyed.items())
    ]
    for group, state in sorted(groups.alive.items()):
        stated = state.checkpoint()
        parts.append(records.encode_group(group, stated))
        if state.accepted:
            accepted = Acceptance(state.accepted, stated.last.index)
            parts.append(records.encode_accepted(group, accepted))
    return parts


def restated(checkpoint: list[Record]) -> Replay:
    """Return the state that a checkpoint's records tell of.

    Raises:
        Malformed: they are no checkpoint.
    """
    replay = Replay()
    for record in checkpoint:
        match record.type:
            case RecordType.FORMATION:
                replay.formed = records.formed_of(record)
            case RecordType.DESTROYED:
                replay.groups.destroyed[record.group] = records.hard_state_of(record)
            case RecordType.GROUP:
                state = GroupState.restated(records.checkpoint_of(record))
                replay.groups.alive[record.group] = state
            case RecordType.ACCEPTED if record.group in replay.groups.alive:
                replay.groups.alive[record.group].accepted = record.term
            case _:
                raise Malformed(f"a {record.type.name} record in a checkpoint")
    return replay


def _fold_entry(state: GroupState, entries: list[Entry], entry: Entry, sequence: int) -> None:
    if not state.compacted.index < entry.index <= state.last_index + 1:
        raise Malformed(f"entry {entry.index} after {state.last_index} does not fit the log")
    if entry.index <= state.last_index:
        kept = max(0, entry.index - entries[0].index) if entries else 0
        del entries[kept:]
    state.append((entry,), sequence)
    entries.append(entry)


def _fold_accepted(state: GroupState, entries: list[Entry], accepted: Acceptance) -> None:
    if not state.compacted.index <= accepted.last_index <= state.last_index:
        raise Malformed(
            f"an acceptance up to entry {accepted.last_index} of a log that ends at "
            f"{state.last_index}"
        )
    state.accept(accepted)
    while entries and entries[-1].index > accepted.last_index:
        entries.pop()


def trim(state: GroupState, entries: list[Entry]) -> None:
    """Drop the entries that a mark made void or unwanted."""
    if entries and entries[-1].index != state.last_index:
        entries.clear()
    if entries and entries[0].index <= state.compacted.index:
        del entries[: state.compacted.index - entries[0].index + 1]
