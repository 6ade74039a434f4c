"""The `bearing` task: diagnose a rolling-element bearing from a window of simulated vibration."""
