"""What a gateway carries and what it keeps: many devices, a broker that is away, kill -9."""
