"""Somebody in this process who waits for the one answer to a request."""

import asyncio

from pnyx.replica.requests import Answer


class Waiting:
    """A request's ticket; `answer` is done once the answer has come."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answered(self, answer: Answer) -> None:
        """Take the answer; whoever waited may have gone by then."""
        if not self.answer.done():
            self.answer.set_result(answer)
