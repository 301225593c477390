"""A campaign on the workers of a Dask scheduler (the extra `pnyx[lab]`)."""

import socket
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Final

from distributed import Client
from distributed.comm.addressing import get_address_host_port

from pnyx.errors import SettingsWrong
from pnyx.harness.codehash import code_hash

CONNECT_S: Final = 10
"""For each of two steps: the connection, and what the scheduler says first."""


@contextmanager
def dask_executor(address: str) -> Iterator[tuple[Executor, int]]:
    """Yield an executor on the scheduler at `address`, and how many runs its workers do at once.

    Raises:
        SettingsWrong: it cannot be reached, has no workers, or they run other code.
    """
    try:
        # Asked first: a port that refuses is tried again and again by Dask, for its whole timeout
        # and, on a busy machine, far longer.
        place = get_address_host_port(address)
        socket.create_connection(place, timeout=CONNECT_S).close()
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise SettingsWrong(
            f"the Dask scheduler at {address} cannot be reached; nothing was run",
            cause=str(error) or type(error).__name__,
            next_step="start one with `dask scheduler`, and give its address as tcp://HOST:PORT",
        ) from error
    with client:
        _check_workers(client, address)
        yield client.get_executor(), sum(client.nthreads().values())


def _check_workers(client: Client, address: str) -> None:
    codes = set(client.run(code_hash).values())
    if codes != {code_hash()}:
        raise SettingsWrong(
            f"the workers of {address} cannot run this campaign; nothing was run",
            cause=f"they run the code {sorted(codes)}, this is {code_hash()}"
            if codes
            else "there are none",
            next_step="start `dask worker` with this same version of pnyx installed",
        )
