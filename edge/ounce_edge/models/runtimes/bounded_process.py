"""A process that is waited for up to a limit: one that hangs in a driver does not even end by
force."""

from multiprocessing.context import SpawnProcess

END_S = 5.0
"""What does not end within this time, by itself or by force, is not waited for any longer."""


class BoundedProcess(SpawnProcess):
    """As a process of `spawn`, which ends with its parent. Python's end waits for it no longer than
    any other caller."""

    def join(self, timeout: float | None = None) -> None:
        """Wait so many seconds; without a number `END_S`."""
        super().join(END_S if timeout is None else timeout)

    def end(self, wait_s: float) -> int | None:
        """End it, with force where it does not end within this time.

        Returns:
            Its exit code; None where it does not end even so.
        """
        self.join(wait_s)
        if self.is_alive():
            self.kill()
            self.join()
        return self.exitcode
