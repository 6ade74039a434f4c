"""What the control plane refuses; the HTTP layer knows the status of each.

::

    OunceError
    └── ControlError
        ├── UnauthorizedError   nobody is known by the key or token
        ├── ForbiddenError      known, and may not
        ├── NotFoundError       there is no such object, or none that this one may see
        ├── StaleError          somebody changed it meanwhile
        ├── PreconditionError   the call does not say which version it is based on
        ├── RefusedError        what is to change does not pass the checks
        ├── ProviderAwayError   whose tokens are taken does not publish its keys now
        └── TooManyError        asked too often
"""

from ounce_schemas.errors import OunceError


class ControlError(OunceError):
    """Root of what the control plane refuses."""


class UnauthorizedError(ControlError):
    """No key or token, or one that is not known."""


class ForbiddenError(ControlError):
    """Known, and may not."""


class NotFoundError(ControlError):
    """No such object, or none that the caller may see."""


class StaleError(ControlError):
    """It was changed since the caller read it."""


class PreconditionError(ControlError):
    """A change must say which version it is based on."""


class RefusedError(ControlError):
    """A change does not pass the checks.

    Attributes:
        findings: what is wrong, one line each.
    """

    def __init__(self, text: str, findings: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.findings = findings


class ProviderAwayError(ControlError):
    """The keys of the provider of tokens can't be had now."""


class TooManyError(ControlError):
    """Asked too often.

    Attributes:
        wait_s: seconds until the next call may pass.
    """

    def __init__(self, text: str, wait_s: float) -> None:
        super().__init__(text)
        self.wait_s = wait_s
