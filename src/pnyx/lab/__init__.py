"""The Lab: the product's own code in a simulated world, broken on purpose and judged.

One seed, one world, one order of events: the same bytes every time. The replica, its machine and
consensus, the write-ahead log, recovery, formation, frames and codec are the ones a node runs;
simulated are time, disks' bytes, links and the process around them. What a `Process` does here,
node/driver.py and node/batching.py do on asyncio.

The Lab starts no thread and no process, reads no clock and draws no entropy: every random decision
is a hash of the seed and of what it decides (chance.py), so removing one fault or one client
operation does not reshuffle the others.

Read in this order: chance, timeline, network, disk, process, world; then workload, faults, swarm
(what happens in a run), invariants/ and witness (what must hold), history and linearizability (what
clients may see), scenario and scenarios/ (scripts), zoo/ (planted bugs), shrink, explore.
"""
