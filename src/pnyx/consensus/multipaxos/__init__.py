"""Multi-Paxos, as one sequence: Lamport's Paxos run over a whole log (after OmniPaxos).

A leader owns a *ballot* (round, node). In phase 1 it learns from a quorum the log that was accepted
in the highest ballot and adopts it; in phase 2 it has that log, and all that it appends, accepted
in its own. What a quorum accepted in one ballot is chosen. The log has no gaps, so whatever is
above consensus/ is the same as with Raft.

    messages    what members say to each other, tagged structs
    suffix      the best log that a candidate has heard of, page by page
    staging     a log that a follower is being given, whole before it is accepted
    state       what a member knows beside what every member does, and the acts its roles share
    election    who may lead: heartbeats among all, quorum connectivity; phase 1 of the candidate
    acceptor    promises and acceptances
    leader      phase 2: streams, what is chosen, reads
    multipaxos  the door: `MultiPaxos`, behind the `Consensus` contract

What a member of either engine is made of (log, writes, reads, ...) is in member/.

`term` is Paxos' round here and `voted_for` the node whose ballot was promised in it: an acceptor
promises at most one ballot a round, so a round that has a leader names its ballot, and an entry's
`term` is the ballot it was born in. See docs/explanation/paxos-in-pnyx.md.
"""
