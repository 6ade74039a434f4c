"""Which sub-commands `ounce` has, and where each of them is."""

COMMANDS = {
    "train": (
        "ounce_exporters.train_command.command",
        "exporters",
        "Train and export a task's ladder.",
    ),
    "advise": (
        "ounce_exporters.advisor.command",
        "exporters",
        "Say which models to build of a table, and why.",
    ),
    "add": ("ounce_exporters.own.command", "exporters", "Add your own model to a task's ladder."),
    "worker": ("ounce_edge.worker.command", "edge", "Answer the requests of one or more tasks."),
    "gateway": (
        "ounce_edge.gateway.command",
        "edge",
        "Carry messages of MQTT devices to Kafka, and answers back.",
    ),
    "http": ("ounce_edge.front.command", "edge,http", "Answer requests over HTTP, by Kafka."),
    "runtimes": (
        "ounce_edge.models.runtimes_command",
        "edge",
        "Show which runtimes this machine can use.",
    ),
    "engines": (
        "ounce_edge.models.engines_command",
        "edge",
        "Build, list and prune engines of TensorRT.",
    ),
    "policy": (
        "ounce_services.policies.command",
        "services",
        "Check, try and apply routing policies.",
    ),
    "explain": ("ounce_edge.evidence.explain", "edge", "Show why a message is routed as it is."),
    "topics": ("ounce_services.topics.command", "services", "Create the topics of tasks."),
    "models": (
        "ounce_services.registry.command",
        "services",
        "Publish models to running workers, and take them back.",
    ),
    "ask": (
        "ounce_services.client.ask_command",
        "services",
        "Send a request, and show the answer and how it came about.",
    ),
    "tail": (
        "ounce_services.client.tail_command",
        "services",
        "Show a task's answers, dead letters and events as they come.",
    ),
    "status": (
        "ounce_services.workers.status_command",
        "services",
        "Show whether workers serve, and what is amiss.",
    ),
    "top": ("ounce_services.workers.top_command", "services", "Show what workers do right now."),
    "doctor": (
        "ounce_edge.doctor.command",
        "edge",
        "Check all that a worker needs, and say what to do.",
    ),
    "devices": ("ounce_services.devices.command", "services", "Simulate a fleet of devices."),
    "dead-letters": (
        "ounce_services.dead_letters.command",
        "services",
        "List, show and replay what could not be served.",
    ),
    "control": (
        "ounce_services.control.command",
        "control",
        "Serve policies, models and workers over HTTP, with a console.",
    ),
    "monitoring": (
        "ounce_services.monitoring.command",
        "monitoring",
        "Write rules, alerts and dashboards from objectives.",
    ),
    "demo": ("ounce_services.demo.command", "services", "Show the whole path at work."),
    "contracts": ("ounce_schemas.generate", "edge", "Write the JSON Schemas and AsyncAPI."),
}
"""By name: the module with a click command named `command`, the extra that installs it, and a line
of help."""
