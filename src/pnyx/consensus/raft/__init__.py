"""Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm").

State is data, rules are functions of it, the door is thin:

    messages    what members say to each other, tagged structs
    state       what a member of Raft knows beside what every member does
    roles       the table of role changes
    terms       levels the term of every message before a role sees it
    leader      replication, commit, heartbeats
    election    pre-vote and vote
    follower    append, heartbeat, snapshot
    quiet       heartbeats of a group at rest
    raft        the door: `Raft`, behind the `Consensus` contract

What a member of either engine is made of (log, writes, reads, ...) is in member/.

Where we differ from the paper, and why, is argued in docs/explanation/raft-in-pnyx.md.
"""
