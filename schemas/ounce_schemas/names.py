"""Names that people give: the rule of a task's, and where those of topics are said."""

TASK_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
NAME_RULE = "use lower-case letters, digits and '-', 63 at most"
"""The pattern in words."""
TOPIC_NAME_PATTERN = r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}$"
"""As Kafka takes them."""
TOPIC_PREFIX_PATTERN = r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,99}$"
TOPIC_RULE = "use letters, digits, '.', '_' and '-'"
"""Both in words."""
TOPICS_VARIABLE = "OUNCE_TOPICS"
"""Environment variable: path of the file that says what topics are called. Processes that one
starts inherit it."""
