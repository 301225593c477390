"""The guarantees that every state and every step must keep, each named with its source.

A step is judged by what the member did (did a promise leave too early?), a state by what its
members hold and by what is past for ever (who led, what was committed).
"""

from dataclasses import dataclass
from typing import Final

from pnyx.consensus.raft.messages import AppendEntriesReply, RequestVote, RequestVoteReply
from pnyx.consensus.ready import Entry, HardState
from pnyx.ids import NodeId
from pnyx.lab.exploration.facts import Durable, Facts, Flight, Past


@dataclass(frozen=True, slots=True)
class Check:
    """One guarantee."""

    name: str
    source: str
    explain: str
    """Why it would be bad if it did not hold."""


ELECTION_SAFETY: Final = Check(
    "election-safety",
    "Raft §5.2",
    "Two leaders of one term would give the same index to different commands.",
)
LEADER_APPEND_ONLY: Final = Check(
    "leader-append-only",
    "Raft §5.3",
    "A leader that rewrites its log takes back what followers already acknowledged to it.",
)
OWN_TERM_COMMITS: Final = Check(
    "own-term-commits",
    "Raft §5.4.2, Fig. 8",
    "An entry of an older term may be on a majority and still be replaced by a later leader.",
)
LOG_MATCHING: Final = Check(
    "log-matching",
    "Raft §5.3",
    "Two logs with the same index and term must agree before it, or one comparison proves nothing.",
)
LEADER_COMPLETENESS: Final = Check(
    "leader-completeness",
    "Raft §5.4",
    "A later leader without a committed entry would overwrite it everywhere.",
)
STATE_MACHINE_SAFETY: Final = Check(
    "state-machine-safety",
    "Raft §5.4.3",
    "Two members would apply different commands at one index: their data differ from then on.",
)
DURABLE_MAJORITY: Final = Check(
    "committed-on-durable-majority",
    "Raft §5.3, dissertation §10.2.1",
    "What is committed must survive a crash of everybody, so a majority must have it on disk.",
)
ONE_VOTE: Final = Check(
    "one-vote-a-term",
    "Raft §5.2",
    "A member that votes twice in a term can elect two leaders.",
)
DURABLE_PROMISE: Final = Check(
    "durable-before-promised",
    "Raft Fig. 2, persistent state",
    "A promise that leaves before it is on disk is forgotten by a crash, but not by who got it.",
)
DURABLE_APPLIED: Final = Check(
    "durable-before-applied",
    "consensus contract, Ready.committed",
    "What is applied before it is on disk lets the data get ahead of the log.",
)
OWN_ASSERTION: Final = Check(
    "own-assertion",
    "the assertions in consensus/raft",
    "The core itself called this state impossible; a node would have stopped here.",
)
CHECKS: Final = (
    ELECTION_SAFETY,
    LEADER_APPEND_ONLY,
    OWN_TERM_COMMITS,
    LOG_MATCHING,
    LEADER_COMPLETENESS,
    STATE_MACHINE_SAFETY,
    DURABLE_MAJORITY,
    ONE_VOTE,
    DURABLE_PROMISE,
    DURABLE_APPLIED,
    OWN_ASSERTION,
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A guarantee that did not hold, and how."""

    check: Check
    detail: str


def left_too_early(durable: Durable, flight: Flight) -> Broken | None:
    """Judge a message that leaves now by what its sender has on disk now."""
    hard_state, message = durable.hard_state, flight.message
    why = ""
    if hard_state.term < message.term:
        why = f"its term {message.term} is not durable"
    elif hard_state.term > message.term:
        return None
    elif isinstance(message, AppendEntriesReply) and len(durable.entries) < message.match_index:
        why = f"entries up to {message.match_index} are not durable"
    elif (vote := vote_in(flight)) is not None and hard_state != vote:
        why = f"the vote for {vote.voted_for} is not durable"
    if not why:
        return None
    name = type(message).__name__
    return Broken(DURABLE_PROMISE, f"{flight.sender} sent {name} to {flight.to}, but {why}")


def vote_in(flight: Flight) -> HardState | None:
    """Return the vote that a message tells of its sender, or None."""
    match flight.message:
        case RequestVote(term=term):
            return HardState(term, flight.sender)
        case RequestVoteReply(term=term, granted=True):
            return HardState(term, flight.to)
        case _:
            return None


def voted_again(node: NodeId, said: HardState, vote: HardState) -> Broken | None:
    """Judge a vote by the last one that left the same member."""
    if vote.term > said.term or vote == said:
        return None
    return Broken(
        ONE_VOTE,
        f"{node} told its vote for {said.voted_for} in term {said.term}, "
        f"then one for {vote.voted_for} in term {vote.term}",
    )


def applied_too_early(
    node: NodeId, durable: Durable, committed: tuple[Entry, ...]
) -> Broken | None:
    """Judge what is handed out to be applied by what is on disk here."""
    for entry in committed:
        if entry.index > len(durable.entries) or durable.entries[entry.index - 1] != entry:
            return Broken(
                DURABLE_APPLIED, f"{node} applies {entry.index}, which is not on its disk"
            )
    return None


def led_badly(before: Facts, after: Facts) -> Broken | None:
    """Judge a step of a leader that still leads the same term."""
    if not (before.leads and after.leads and before.term == after.term):
        return None
    if after.log[: len(before.log)] != before.log:
        return Broken(LEADER_APPEND_ONLY, f"{before.node} changed its own log while leading")
    if after.commit_index > before.commit_index:
        newest = after.committed[-1]
        if newest.term != after.term:
            detail = f"{after.node} leads term {after.term} and commits {named(newest)} by counting"
            return Broken(OWN_TERM_COMMITS, detail)
    return None


def logs_disagree(one: Facts, other: Facts) -> Broken | None:
    """Judge two logs: the same up to the last index where their terms are equal."""
    agree = False
    length = min(len(one.log), len(other.log))
    pairs = zip(reversed(one.log[:length]), reversed(other.log[:length]), strict=True)
    for mine, theirs in pairs:
        agree = agree or mine.term == theirs.term
        if agree and mine != theirs:
            return Broken(
                LOG_MATCHING,
                f"{one.node} and {other.node} agree above index {mine.index}, but not there",
            )
    return None


def remembered(past: Past, facts: Facts) -> tuple[Past, Broken | None]:
    """Add what one member is to what is past, and judge whether the two can both be."""
    leaders, committed = past.leaders, past.committed
    if facts.leads:
        known = dict(leaders)
        first = known.setdefault(facts.term, facts.node)
        if first != facts.node:
            detail = f"{first} and {facts.node} both led term {facts.term}"
            return past, Broken(ELECTION_SAFETY, detail)
        leaders = tuple(sorted(known.items()))
    for entry, (first_entry, _) in zip(facts.committed, committed, strict=False):
        if entry != first_entry:
            return past, Broken(
                STATE_MACHINE_SAFETY,
                f"{facts.node} holds {named(entry)} as committed at index {entry.index}, "
                f"where {named(first_entry)} was committed",
            )
    fresh = facts.committed[len(committed) :]
    committed += tuple((entry, facts.term) for entry in fresh)
    return Past(leaders, committed), None


def leader_lacks(past: Past, facts: Facts) -> Broken | None:
    """Judge a leader by what was committed in earlier terms."""
    if not facts.leads:
        return None
    for entry, term in past.committed:
        held = facts.log[entry.index - 1] if entry.index <= len(facts.log) else None
        if term < facts.term and held != entry:
            return Broken(
                LEADER_COMPLETENESS,
                f"{facts.node} leads term {facts.term} without {named(entry)} at index "
                f"{entry.index}, committed in term {term}",
            )
    return None


def held_durably(past: Past, facts: Facts) -> int:
    """Return how many of the committed entries are on this member's disk, from the first on."""
    held = 0
    for entry, (committed, _) in zip(facts.durable.entries, past.committed, strict=False):
        if entry != committed:
            break
        held += 1
    return held


def majority_lacks(past: Past, held: list[int]) -> Broken | None:
    """Judge a state by how much of what is committed each member has on disk."""
    on_majority = sorted(held)[(len(held) - 1) // 2]
    if on_majority >= len(past.committed):
        return None
    entry, term = past.committed[on_majority]
    return Broken(
        DURABLE_MAJORITY,
        f"{named(entry)} at index {entry.index} was committed in term {term}, "
        "but no majority has it on disk",
    )


def named(entry: Entry) -> str:
    """Return an entry in words, e.g. "command 2 of term 1"."""
    what = f"command {entry.payload.decode()}" if entry.payload else "the empty entry"
    return f"{what} of term {entry.term}"
