"""What survives a crash: the write-ahead log and the applied state.

Two stores, two promises. The write-ahead log is the only thing that must be durable before an
answer: one a node, shared by all its groups, one batch a sync. The space holds what was applied;
it may lose its newest writes in a crash, because the applied index stands in the same atomic write
and the log replays from there.

This floor knows nothing of sockets, clocks or event loops. The log, its formats and its recovery
run over the small `Files` interface and are handed every random number, so the Lab runs the real
ones on a simulated disk. Whoever calls `Wal.append` owns the thread it blocks.

Read in this order: files, simulated, record, segment, groups, replay, recovery, wal, identity,
memory, rocks, readonly, inspection. The format, byte by byte: docs/reference/on-disk-format.md.
"""
