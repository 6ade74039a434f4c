"""Who may do what: keys, tokens, roles, tenants, and bounds on how often."""
