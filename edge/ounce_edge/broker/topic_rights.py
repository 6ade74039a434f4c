"""What Kafka lets this user do with topics."""

from collections.abc import Collection

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

_TIMEOUT_S = 10.0


class TopicRights:
    """Asks once; the answer blocks a thread for seconds at most.

    Args:
        admin: asks.
        topics: to ask for.
    """

    def __init__(self, admin: AdminClient, topics: Collection[str]) -> None:
        self._answers = admin.describe_topics(
            TopicCollection([*topics]),
            include_authorized_operations=True,
            request_timeout=_TIMEOUT_S,
        )

    def may(self, topic: str, operation: str) -> bool | None:
        """Whether this user may do it; None where Kafka does not say.

        Args:
            topic: one of those that were asked for.
            operation: such as `READ`.
        """
        try:
            permitted = self._answers[topic].result(2 * _TIMEOUT_S).authorized_operations
        except KafkaException as e:  # absent, or a broker that can't tell: not a question of rights
            is_denied = e.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            return False if is_denied else None
        except TimeoutError:
            return None
        return operation in {each.name for each in permitted} if permitted else None
