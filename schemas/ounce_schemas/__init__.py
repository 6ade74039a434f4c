"""Contracts of Ounce: documents (tasks, cards, policies), wire messages, topics and errors."""

__version__ = "0.1.0"
