"""Which plan for this message, now? Pure: arguments in, decision out; no I/O, clock or randomness.

`beliefs` says what can answer and what is believed of it, as a `View` of one moment. `rule` decides
on all messages that wait together. `pacing` says what of that runs first, on which thread, and how
much is read. `pacing.next_calls.choose_next_calls` is the whole way of a decision.
"""
