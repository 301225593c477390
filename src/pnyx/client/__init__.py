"""Floor `client`: how a Python program uses a cluster, whose nodes it knows by their ports only.

Purpose: the names of redis-py, blocking (`pnyx.connect`) and asyncio (`pnyx.aio.connect`), that
follow the shard map, try again when that can do no harm, and say whether a write may be there when
its answer did not come. The floor knows no other code of a node than the rules both sides share
(slots, sessions' rules): it must not import node, gateway or harness.

Every write carries a number of a session (`ledger`), so that it can be sent again and is done once;
the rules are transport/numbering.py and transport/verdict.py, below the faces and the Lab alike.

What is decided is decided in modules without socket and clock, once for both faces: `command` and
`commands` (words), `replies` (what an error means), `routes` (where to), `errand` (attempts until
the result or the end of patience), `ledger` (numbers), `listing` (a search of all slots), `table`
(what COMMAND says), `pipeline`, `transaction`, `lock`. A face only carries out.

Reading order: url, settings, wire, command, commands, replies, routes, errand, ledger; then the
blocking face: links, courier, desk, runner, collected, blocking; the asyncio one is the same in
`async_` files; then pipeline, transaction, lock, table, listing; `errors` is what is raised.
`admin` asks the nodes' http pages, by the rules of floor `admin`.
`redispy` is apart: redis-py's own clients with our numbers.
"""
