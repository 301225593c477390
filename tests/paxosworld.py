"""A world of Multi-Paxos members for tests: raftworld.py with the other engine and its promises."""

from typing import Any

from pnyx.consensus.member.start import Start
from pnyx.consensus.multipaxos.messages import Accept, Accepted, Prepare, Promise
from pnyx.consensus.multipaxos.multipaxos import MultiPaxos
from pnyx.consensus.ready import Role
from raftworld import Flight, Member, World


class PaxosWorld(World):
    """Members 1..size; what a member says must be durable there, as Paxos wants it."""

    def _core_of(self, start: Start) -> Any:
        return MultiPaxos(start)

    def __getitem__(self, number: int) -> Any:
        return super().__getitem__(number)

    def check(self, member: Member) -> None:
        super().check(member)
        paxos: Any = member.core._state
        assert paxos.log.last_term <= paxos.accepted <= paxos.term, "accepted above the promise"

    def _check_log(self, member: Member) -> None:
        # One (index, birth) is one log up to there, in members of whatever ballots.
        super()._check_log(member)

    def _check_completeness(self, member: Member) -> None:
        if member.core.role is Role.LEADER:
            super()._check_completeness(member)

    def _check_durable(self, flight: Flight) -> None:
        disk, message = self.members[flight.sender].disk, flight.message
        assert disk.hard_state.term >= message.term, "a round left before it was durable"
        if disk.hard_state.term > message.term:
            return
        match message:
            case Accepted(_, match_index):
                assert disk.accepted == message.term, "the acceptance is not durable"
                assert disk.last_index >= match_index, "accepted before it was durable"
            case Prepare():
                assert disk.hard_state.voted_for == flight.sender, "own promise is not durable"
            case Promise():
                assert disk.hard_state.voted_for == flight.to, "the promise is not durable"
            case Accept(entries=entries):
                assert all(entry.term <= message.term for entry in entries)
            case _:
                pass
