"""What can answer, and what is believed of it.

`latency`, `accuracy` and `suspension` learn about one model or plan, `overhead` about groups of
messages. `plan_beliefs` holds them for the plans of a task, and makes from `tables` the `view` that
decisions are made on.
"""
