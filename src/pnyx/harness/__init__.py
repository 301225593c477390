"""Floor `harness`: clusters of real processes, which demo, bench and tests share.

Reading order: `serve` (the program that one node process runs), `nursery` (several of them at the
price of one), `children` and `process` (such processes, seen from outside), `ports` and `files`
(what they are told), `cluster` (all of them), `proxy` and `pipe` (what can stand between them),
`disks` (what can fail under them), `closing`, `resp` (a client connection), `load`, `witness`
(clients that judge what they saw), `words` and `realstage` (the Lab's scenario files on such a
cluster), `simulation` (one that a test drives by hand), `plugin` (pytest's fixtures for both),
`bench/` (what is measured and against whom). What nodes say about themselves is floor `admin`.

Serve imports the floors below; everything else here only starts processes and talks to them over
their public ports, so that what is tested and measured is what a user runs. No module of this
floor may import the command line: a node process would pay for it in memory and start-up time.
"""
