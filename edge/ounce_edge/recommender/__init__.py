"""Which plan for this message, now? Pure: arguments in, decision out; no I/O, clock or randomness.

`plans` says what can answer and gives a `View` of what is believed at one moment; `latency`,
`accuracy` and `suspension` hold the beliefs; `decision` applies the rule, `exploration` lets
lighter plans prove themselves, `slicing` says what of it is run first, `explanation` says why.
"""
