"""Reading YAML that anybody may have written: safe types, and bounded in size.

A document of a few lines can stand for billions of nodes, by aliases of aliases ("billion laughs").
PyYAML shares such nodes, but whoever walks the result does not.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Any

import yaml

MOST_BYTES = 524_288
SHORTER = "take patterns in place of lists of names"
"""Policies and maps of topics both have patterns."""
MOST_NODES = 100_000
"""Of a document, each alias counted as what it stands for."""


def too_large(size_bytes: int) -> str:
    """What is wrong with a document of so many bytes, and what to do."""
    return f"{size_bytes} bytes, at most {MOST_BYTES} are read: {SHORTER}"


def load_yaml(text: str) -> Any:
    """What a YAML document holds.

    Raises:
        yaml.YAMLError: it is none, too large, repeats a key, or refers to itself.
    """
    size = len(text.encode())
    if size > MOST_BYTES:
        raise yaml.YAMLError(too_large(size))
    try:
        return yaml.load(text, _BoundedLoader)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None


class _BoundedLoader(yaml.SafeLoader):
    """Safe types only; counts nodes, and takes no key twice."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._n_nodes = 0
        self._sizes: dict[str, int] = {}
        """Nodes that each anchor stands for, once it is complete."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: yaml.NodeEvent = self.peek_event()  # type: ignore[no-untyped-call]
        anchor = event.anchor
        if isinstance(event, yaml.AliasEvent):
            if anchor in self.anchors and anchor not in self._sizes:
                raise yaml.YAMLError(f"&{anchor} refers to itself")
            self._count(self._sizes.get(str(anchor), 1))
            return super().compose_node(parent, index)
        before = self._n_nodes
        self._count(1)
        node = super().compose_node(parent, index)
        if anchor is not None:
            self._sizes[anchor] = self._n_nodes - before
        return node

    def _count(self, n: int) -> None:
        self._n_nodes += n
        if self._n_nodes > MOST_NODES:
            raise yaml.YAMLError(f"stands for more than {MOST_NODES} values")

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        counts = Counter(key for key in keys if isinstance(key, str))
        repeated = sorted(key for key, n in counts.items() if n > 1)
        if repeated:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: repeats the key {repeated}")
        return super().construct_mapping(node, deep)
