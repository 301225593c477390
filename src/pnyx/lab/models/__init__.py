"""What a correct store would answer, one request after the other.

`model.py` is the contract and the four names; each other file is a model, and its plan: the same
model made ready for the search over one key's operations, which asks it a million times. A plan
also knows what cannot matter any more, and prunes only what no order of the remaining operations
could make good; tests/lab compares it with a search of all permutations over the plain model.
"""
