"""The replicas of one node, each a member of a group: consensus x machine -> effects.

Below the line on purpose: propose, wait, apply, answer, forward, park, stream a snapshot. If that
glue lived in asyncio, the Lab would test the paper and not the product. A replica never knows
whether its time, disk and peers are real.

The owner calls `submit`, `step`, `tick`, `persisted`, `flushed` as things happen, then `effects`
until it returns None, and carries those out in the order of consensus/ready.py. A node's owner
turns its `Roster` instead, which does so for all of its replicas and for what they share: requests
to groups that are elsewhere, and what is known of where groups are.

Read in this order: requests, effects, replica, proposals, reads, forwards, parking, answers, clock,
ticks, compaction, snapshots, diskspace, changes, members, survivor, messages, limits, counters,
atlas, envoy, roster, newsroom, founding, homing, chorus.
"""
