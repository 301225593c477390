"""The door of redis-py's own clients with exactly-once writes: ``from pnyx.redis import Redis``."""

from pnyx.client.redispy import OutcomeUnknown, Pipeline, Redis, RedisCluster

__all__ = ["OutcomeUnknown", "Pipeline", "Redis", "RedisCluster"]
