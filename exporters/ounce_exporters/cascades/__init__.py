"""Cascades: a light model answers where it is confident, a heavier one does the rest.

`evidence` holds how each model answered the validation split. `search` chooses thresholds and
judges them on items that had no part in the choice. `frontier` keeps what is better than any single
model. `guarantee` bounds the error of the answers that a step takes. `planning` does it all for a
task's folder.
"""
