"""Images as a person's own data: a folder per class, a table of paths, or rows of pixels."""
