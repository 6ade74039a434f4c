"""What a policy would do: on the cards of models, and on decisions that were recorded."""
