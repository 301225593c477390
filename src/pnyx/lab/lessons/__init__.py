"""Protocols that are lessons: run, hurt and judged in the Lab, by nobody in production.

Purpose: single-decree and multi-instance Paxos, and primary-backup with a view service: what leads
to Multi-Paxos, and what fails without consensus. They run on the Lab's timeline, luck and network,
with hosts and disks that know nothing of replicas.

Contract: a protocol is a pure `Node` (`node.py`); a `Judge` (`judge.py`) sees all that it does.

Must never know: clocks, sockets, threads, entropy.

Read `node.py`, `host.py`, `world.py`, `stage.py`; then `decrees.py` and `service.py` (Paxos),
`views.py` and `backup.py` (primary-backup), and each one's judge.
"""
