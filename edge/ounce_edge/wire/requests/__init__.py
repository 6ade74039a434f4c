"""From records to one batch of tensors, with the targets of each request."""
