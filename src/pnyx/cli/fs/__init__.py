"""Verbs of `pnyx fs`: the files of a cluster from a shell."""
