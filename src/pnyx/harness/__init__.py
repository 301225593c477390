"""Floor `harness`: clusters of real processes, which demo, bench and tests share.

Reading order: `serve` (the program that one node process runs), `process` (such a process, seen
from outside), `ports`, `cluster` (several of them), `health` (what they say about themselves, and
the one word for it), `resp` (a client connection), `bench/` (what is measured and against whom).

Serve imports the floors below; everything else here only starts processes and talks to them over
their public ports, so that what is tested and measured is what a user runs. No module of this
floor may import the command line: a node process would pay for it in memory and start-up time.
"""
