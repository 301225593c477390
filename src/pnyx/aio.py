"""The door of the asyncio client: ``await pnyx.aio.connect("pnyx://127.0.0.1:7001")``."""

from pnyx.client.async_client import AsyncPnyx, connect
from pnyx.client.async_collected import Lock, Pipeline, Transaction

__all__ = ["AsyncPnyx", "Lock", "Pipeline", "Transaction", "connect"]
