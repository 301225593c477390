"""`pnyx demo`: a cluster of real nodes on this machine, to look at and to break.

`command` is what can be typed, `stage` the running demo with its loop and faults, `control` the
socket through which a second terminal asks for the same faults, `terminal` single keys and colour.

"""
