"""How much of a device goes to Kafka at once. The rest is stored, and others wait less. Pure."""

_MOST_DEVICES = 10_000
"""Those that sent nothing lately are forgotten then, and where twice as many are known as are left
then."""
_MUCH_S = 0.5
_ROUNDED_S = 1e-6


class DevicePace:
    """Counts what devices send, as a leaky bucket of one second.

    Args:
        per_s: most messages a second of one device.
    """

    def __init__(self, per_s: float) -> None:
        self._each_s = 1.0 / per_s
        self._until_s: dict[bytes, float] = {}
        """When what a device has sent is worked off, at that pace."""
        self._most = _MOST_DEVICES

    def may_go(self, device: bytes, now_s: float) -> bool:
        """Count a message; whether it is within the bound."""
        if len(self._until_s) > self._most:
            self._until_s = {d: at_s for d, at_s in self._until_s.items() if at_s > now_s}
            self._most = max(2 * len(self._until_s), _MOST_DEVICES)
        until_s = max(self._until_s.get(device, now_s), now_s)
        if until_s > now_s and until_s - now_s + self._each_s > 1.0 + _ROUNDED_S:
            return False
        self._until_s[device] = until_s + self._each_s
        return True

    def sends_much(self, device: bytes, now_s: float) -> bool:
        """Whether a device is near its bound."""
        used_s = self._until_s.get(device, now_s) - now_s
        return used_s > max(_MUCH_S, self._each_s) + _ROUNDED_S
