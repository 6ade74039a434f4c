"""Ladders of public tables, held against what a data scientist would train instead."""
