"""Floor `cli`: what people and scripts type.

`entry` is the program: it prints before it imports, turns errors into sentences and exit statuses.
`app` names every command and loads none; the modules beside it hold one group of commands each.
Payload goes to standard output, everything else to standard error. Nothing here decides anything
about a cluster: it asks the nodes over their public ports, and prints.

Exit statuses: 0 ok, 1 failure, 2 usage or unreadable input, 3 degraded, 4 no quorum, 5 not found or
compare failed, 74 the disk failed, 130 interrupted.
"""
