"""Alerts that page somebody, each made to fire by its fault, and its runbook followed."""
