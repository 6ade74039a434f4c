"""When: what runs first and for how long, and how much is read.

`next_calls` decides on what waits and says what of it is done now: `slicing` on this thread,
`sharing` with lanes. `urgency` and `overload` look at what waits, the others pace the reading.
"""
