"""Floor `machine`: the deterministic key-value machine.

Equal entries give equal bytes: nothing here knows a clock, a socket, a thread or entropy. Time is
the stamp of the entry, or the reader's estimate, and both are arguments.

What it gives:    group.Group: apply entries, read applied state, view and install snapshots
What it needs:    a `Space` (space.py), implemented by the storage floor
What it speaks:   commands.py in, results.py out; nothing of RESP, nothing of consensus but marks

A group runs one of three machines (machine.py): the keys of clients, some shards of them, or the
controller of shards.

Read in this order: commands, results, space, slots, shards, rows (the layout), keyspace (rule by
rule), strings, kv, expiry, versions, bits, bitfields, scan, sessions, once, transactions (the
table), snapshots, group; then directives, configuration, rebalance, planning, controller, moves,
holdings, moving.
"""
