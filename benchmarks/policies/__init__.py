"""What policies cost, and how quickly they act."""
