"""Records and what is in them: decoding requests, encoding predictions and dead letters."""
