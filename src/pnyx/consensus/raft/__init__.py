"""Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm").

State is data, rules are functions of it, the door is thin:

    messages    what members say to each other, tagged structs
    settings    every limit and duration
    log         the entries, their terms, the membership they imply
    writes      what is on its way to the disk, and which promise waits for what
    progress    what a leader knows of one peer, and its window
    reads       reads that wait for a confirmed round
    state       all of the above, for one member
    roles       the table of role changes
    terms       levels the term of every message before a role sees it
    leading     what the next two must know of a member
    transfer    leadership moves on purpose
    members     members change, through joint consensus
    leader      replication, commit, reads
    election    pre-vote and vote
    follower    append, heartbeat, snapshot
    raft        the door: `Raft`, behind the `Consensus` contract

Log, writes, progress, reads, transfer and members serve Multi-Paxos as well.

Where we differ from the paper, and why, is argued in docs/explanation/raft-in-pnyx.md.
"""
