"""How two policies differ."""

import difflib


def unified_diff(before: str, after: str, name_before: str, name_after: str) -> str:
    """Lines that differ, with their neighbours; empty where none does."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), name_before, name_after, lineterm=""
    )
    return "\n".join(lines)
