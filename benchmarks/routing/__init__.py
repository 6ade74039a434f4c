"""The routing rule against the best known rules, on real models and measured times.

`tables` and `overhead` measure, `workloads` makes messages, `rules` decides, `simulation` serves in
virtual time, `scores` judges, `real` checks the simulation against a worker on a real Kafka,
`report` prints and draws.
"""
