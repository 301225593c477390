"""The verbs of `pnyx lab`: one file each, named by command.py."""
