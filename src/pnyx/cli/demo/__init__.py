"""`pnyx demo`: a cluster of real nodes on this machine, to look at and to break.

`command` is what can be typed, `stage` the running demo and its loop, `growth` the [s] key,
`faults` what may be done to its nodes, `control` the socket through which a second terminal asks
for that, `terminal` single keys and colour. The writes behind the [l] key are harness/load.
"""
