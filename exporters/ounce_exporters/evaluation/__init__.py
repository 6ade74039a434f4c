"""How good a model's answers are: figures on a split, by group, and what cards promise of them."""
