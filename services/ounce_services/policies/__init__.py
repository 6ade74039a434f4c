"""`ounce policy`: versions of the policy, and what one would do before it is in force."""
