"""Does a lock's object know what it holds, and say the true cause when it does not?"""

import pytest

from pnyx.client.errors import LockLost
from pnyx.client.lock import Claim


def held() -> Claim:
    claim = Claim("job", 1000)
    claim.acquire()
    assert claim.acquired(7)
    return claim


def test_a_second_acquire_leaves_secret_and_token_as_they_are() -> None:
    claim = held()
    words = claim.release().words
    with pytest.raises(RuntimeError, match="held by this object already"):
        claim.acquire()
    assert claim.token == 7
    assert claim.release().words == words


@pytest.mark.parametrize("name", ["renew", "release"])
def test_what_was_not_taken_can_be_neither_renewed_nor_released(name: str) -> None:
    claim = Claim("job", 1000)
    with pytest.raises(RuntimeError, match="not held by this object"):
        getattr(claim, name)()
    claim.acquire()
    assert not claim.acquired(None)
    with pytest.raises(RuntimeError, match="not held by this object"):
        getattr(claim, name)()


def test_a_lock_that_was_found_lost_stays_lost_until_it_is_taken_again() -> None:
    claim = held()
    with pytest.raises(LockLost):
        claim.kept(None)
    with pytest.raises(LockLost):
        claim.release()
    claim.acquire()
    assert claim.acquired(9)
    claim.release()


def test_a_lock_in_doubt_can_be_let_go_whether_it_was_taken_or_not() -> None:
    claim = Claim("job", 1000)
    claim.acquire()
    claim.release()
    claim.kept(None)
    with pytest.raises(RuntimeError, match="not held by this object"):
        claim.release()
