"""From the credentials of a call to who asks."""

from dataclasses import dataclass

from ounce_services.control.access.keys import Keys
from ounce_services.control.access.principal import EVERYBODY, Principal
from ounce_services.control.access.rate import RateLimit
from ounce_services.control.access.tokens import Tokens
from ounce_services.control.errors import UnauthorizedError

_WRONG_PER_MINUTE = 10
_WRONG_AT_ONCE = 20


@dataclass
class Gate:
    """Lets callers in.

    Attributes:
        keys: that are known.
        tokens: of a provider; None: none are taken.
        calls: how often each caller may ask.
        is_open: whether everybody is let in as an administrator.
    """

    keys: Keys
    tokens: Tokens | None
    calls: RateLimit
    is_open: bool = False

    def __post_init__(self) -> None:
        self._wrong = RateLimit(_WRONG_PER_MINUTE, _WRONG_AT_ONCE)

    def enter(self, bearer: str | None, cookie: str | None, address: str) -> Principal:
        """Who asks.

        A right key is let in however many wrong ones came from its address: behind a proxy all
        callers have one.

        Args:
            bearer: a key or a token.
            cookie: of a session of the console.
            address: where the call comes from.

        Raises:
            UnauthorizedError: nobody is known by these.
            TooManyError: too many calls, or one more of too many wrong keys from there.
        """
        if self.is_open:
            self.calls.take(address)
            return EVERYBODY
        try:
            principal = self._find(bearer, cookie)
        except UnauthorizedError:
            if bearer or cookie:
                self._wrong.take(address)
            raise
        self.calls.take(principal.key_id or principal.name)
        return principal

    def log_in(self, key: str, address: str) -> tuple[str, Principal]:
        """A session of the console; see `Keys.log_in`."""
        try:
            return self.keys.log_in(key)
        except UnauthorizedError:
            self._wrong.take(address)
            raise

    def _find(self, bearer: str | None, cookie: str | None) -> Principal:
        if bearer:
            if bearer.startswith("ounce_") or self.tokens is None:
                return self.keys.find(bearer)
            return self.tokens.find(bearer)
        if cookie:
            return self.keys.of_session(cookie)
        raise UnauthorizedError("send `Authorization: Bearer KEY`, with a key or a token")
