"""How replicas agree on one order of commands, whatever crashes.

Two protocols, one contract (consensus.py, the `Consensus` Protocol). Both are plain objects: they
never read a clock, open a socket, touch a disk or draw entropy. Whoever owns one does, in any
order, from one task:

    step(sender, message, now_ms)   something arrived
    tick(now_ms)                    `deadline_ms` has passed
    propose(payload, now_ms)        the leader gives it a position; anyone else refuses
    read_barrier(ticket, now_ms)    which index must a linearizable read wait for?
    change_membership(target, ...)  the leader leads the group to other members, by itself
    ready()                         what to write, send and apply, as one `Ready`, or None
    persisted(write_id, now_ms)     that write, and all before it, is durable

What the floors above may rely on: an entry handed out in `Ready.committed` is at that index on
every member, for ever, and is durable here. What they may not: that a proposal will ever be
committed. Losing leadership decides nothing about a proposal; only what commits at its index does.

The safety order is data, not discipline: `Ready.send` may leave at once, `send_when_durable` names
the write each envelope waits for, and a leader counts itself only through `persisted`.

What this floor must never know: what a command means, who a client is, where bytes are kept.

Read in this order: ready, consensus, membership, quorum, then the doors of member/, raft/ and
multipaxos/. How a cluster comes
to be at all is formation.py's business; it never asks the engines.
"""
