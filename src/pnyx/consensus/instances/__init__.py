"""Many decisions, one Paxos each: multi-instance Paxos.

Purpose: peers agree on a value for each of many numbered instances, in any order, with nobody in
charge, and forget an instance when every peer is done with it. A lesson: it shows what a log needs
beyond one decision, and what Multi-Paxos saves.

Contract: `Peer.start(seq, value)`, `status(seq)`, `done(seq)`, `min`, `max`; `step`, `tick`,
`ready`, `persisted` carry it, in one order, on one task. Everything leaves only after what it says
is durable.

Must never know: clocks, sockets, disks, entropy; what values mean.

Read `messages.py`, then `record.py` (what is durable), `peer.py`, `instance.py` (one decision as a
peer sees it) and `rejoining.py` (who comes back without a disk).
"""
