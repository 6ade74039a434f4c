"""Which plan for this message, now? Pure: arguments in, decision out; no I/O, clock or randomness.

`plans` says what can answer, `latency` believes how long it takes here, `decision` applies the
rule, `explanation` says why.
"""
