"""Fitting models: one module a family."""
