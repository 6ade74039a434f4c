"""What is known of decisions that were made: answers given, incidents, the decision log."""
