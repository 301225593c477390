"""The door of redis-py's own asyncio clients with exactly-once writes.

Named as redis-py names them: ``from pnyx.redis.asyncio import Redis``.
"""

from pnyx.client.async_redispy import Pipeline, Redis, RedisCluster
from pnyx.client.redispy import OutcomeUnknown

__all__ = ["OutcomeUnknown", "Pipeline", "Redis", "RedisCluster"]
