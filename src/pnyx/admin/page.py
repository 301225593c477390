"""A node's http page, asked over a plain blocking connection."""

import http.client
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from pnyx.errors import PnyxError

ASK_S_MAX: Final = 1.0
"""How long one node may take to answer."""
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
TIMED_OUT: Final = "timed out"
"""The cause when a node took a connection, or would not refuse one, and said nothing."""


_STEPS: Final[Mapping[int, str]] = {
    0: "`pnyx status` shows which nodes answer",
    http.client.UNAUTHORIZED: "give the nodes' `requirepass`: PNYX_PASSWORD in the environment, "
    "--password, or --config with a node's file; a client, in its URL",
}


class NoAnswer(PnyxError):
    """The node's http page did not answer as it should."""

    code = "PX0405"

    def __init__(
        self, effect: str, *, cause: str = "", has_left: bool = False, status: int = 0
    ) -> None:
        super().__init__(effect, cause=cause, next_step=_STEPS.get(status, ""))
        self.has_left = has_left
        """Was the question sent, and is nothing known of what became of it?"""
        self.status = status
        """Of HTTP; 0: there was no answer."""


def ask(
    host: str,
    port: int,
    path: str,
    *,
    body: bytes | None = None,
    timeout_s: float = ASK_S_MAX,
    password: str | None = None,
) -> bytes:
    """Return the body of the answer to GET, or to POST when there is a `body` (JSON).

    `password` is the node's `requirepass`, for what only an operator may ask.

    Raises:
        NoAnswer: nobody there, too late, or a status other than 200; the cause says which.
    """
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    has_left = False
    try:
        connection.connect()
        has_left = True
        if body is None:
            connection.request("GET", path)
        else:
            headers = {"Content-Type": "application/json"}
            if password:
                word = b64encode(f"default:{password}".encode()).decode()
                headers["Authorization"] = f"Basic {word}"
            connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read(ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        what = f"{host}:{port}{path} does not answer"
        raise NoAnswer(what, cause=_words(error), has_left=has_left) from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        said = content.decode(errors="replace").strip()[:200]
        if answer.status == http.client.UNAUTHORIZED:
            said = "the password is wrong" if password else "no password was given"
        what = f"{host}:{port}{path} answered {answer.status}"
        raise NoAnswer(what, cause=said, status=answer.status)
    return content


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__
