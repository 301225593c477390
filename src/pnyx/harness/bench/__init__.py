"""What pnyx, redis-server and etcd do on one machine in one run.

Only ratios taken in one run count: machines differ and are noisy. So the subjects take turns,
workload by workload, several rounds, and the table shows medians.

`subjects` is who is measured, `loads` who measures them, `table` how rounds become a table,
`faults` what a kill, a restart and idleness cost, `usage` what the kernel says about a process.
"""
