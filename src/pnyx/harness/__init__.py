"""Floor `harness`: clusters of real processes, which demo, bench and tests share.

Reading order: `serve` (the program that one node process runs), `nursery` (several of them at the
price of one), `children` and `process` (such processes, seen from outside), `ports` and `files`
(what they are told), `cluster` (all of them), `proxy` and `pipe` (what can stand between them),
`disks` (what can fail under them), `page` and `health` (what they say about themselves, and the one
word for it), `closing`, `resp` (a client connection), `load`, `witness` (clients that judge what
they saw), `members` (what changes who belongs to it), `words` and `realstage` (the Lab's scenario
files on such a cluster), `simulation` (one that a test drives by hand), `plugin` (pytest's fixtures
for both), `bench/` (what is measured and against whom).

Serve imports the floors below; everything else here only starts processes and talks to them over
their public ports, so that what is tested and measured is what a user runs. No module of this
floor may import the command line: a node process would pay for it in memory and start-up time.
"""
