"""Which cluster is the embedded one. Imports nothing: also a process that lives for one question
needs it."""

_PREFIX = "mockCluster"


def is_embedded(cluster_id: str | None) -> bool:
    """Whether a cluster is librdkafka's mock one, which is silent where it is asked for much."""
    return (cluster_id or "").startswith(_PREFIX)
