"""The AsyncAPI 3.0 document of the topics, made from the contracts."""

from typing import Any

from ounce_schemas import __version__
from ounce_schemas.dead_letter import (
    DEAD_LETTER_HEADERS,
    HEADER_REPLAYED,
    HEADER_REPLAYED_FROM,
)
from ounce_schemas.event import EVENT_TYPE
from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.prediction import PREDICTION_EVENT_TYPE
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    HEADER_ANSWER,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_JSON_BYTES,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
    HEADER_TRACEPARENT,
    HEADERS_RETURNED,
    REQUEST_EVENT_TYPE,
    AnswerForm,
)
from ounce_schemas.topic_names import SharedTopic, TaskTopic, TopicNames

_TEXT = {"type": "string"}
_KEY = {"kafka": {"key": {"type": "string", "description": "Device id"}}}


def asyncapi() -> dict[str, Any]:
    """The whole document."""
    names = TopicNames()
    channels = {
        "requests": (TaskTopic.REQUESTS, "Inputs to be answered", ["request", "rawRequest"]),
        "predictions": (TaskTopic.PREDICTIONS, "Answers, keyed as their requests", ["prediction"]),
        "deadLetters": (
            TaskTopic.DEAD_LETTERS,
            "Records that could not be served, byte for byte, with the reason in headers",
            ["deadLetter", "replayMark"],
        ),
        "labels": (TaskTopic.LABELS, "True answers that arrive later; optional", ["label"]),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ounce",
            "version": __version__,
            "description": "Every request is answered by the lightest model that meets its "
            "deadline and accuracy floor.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE_JSON,
        "channels": {
            name: {
                "address": names.of_task("{task}", kind),
                "description": description,
                "parameters": {"task": {"description": f"Name of the task, {TASK_NAME_PATTERN}"}},
                "messages": {m: {"$ref": f"#/components/messages/{m}"} for m in messages},
            }
            for name, (kind, description, messages) in channels.items()
        }
        | {
            "events": {
                "address": names.shared(SharedTopic.EVENTS),
                "description": "What workers have to say to people, of all tasks",
                "messages": {"event": {"$ref": "#/components/messages/event"}},
            }
        },
        "operations": {
            "answer": {
                "action": "receive",
                "channel": {"$ref": "#/channels/requests"},
                "summary": "The worker takes requests in batches.",
                "reply": {"channel": {"$ref": "#/channels/predictions"}},
            },
            "predict": {"action": "send", "channel": {"$ref": "#/channels/predictions"}},
            "setAside": {"action": "send", "channel": {"$ref": "#/channels/deadLetters"}},
            "learn": {
                "action": "receive",
                "channel": {"$ref": "#/channels/labels"},
                "summary": "Every worker reads all labels, from where they end when it starts.",
            },
            "tell": {"action": "send", "channel": {"$ref": "#/channels/events"}},
        },
        "components": {
            "messages": {
                "request": {
                    "summary": "An Open Inference Protocol V2 request of one item",
                    "contentType": CONTENT_TYPE_JSON,
                    "headers": _request_headers(),
                    "payload": {"$ref": "request.schema.json"},
                    "bindings": _KEY,
                },
                "rawRequest": {
                    "summary": "The task's input tensor as raw little-endian float32",
                    "contentType": "application/octet-stream",
                    "headers": _request_headers(),
                    "payload": {"type": "string", "format": "binary"},
                    "bindings": _KEY,
                },
                "prediction": {
                    "summary": "An Open Inference Protocol V2 response plus the decision; "
                    "headers only where the request had a ce_id",
                    "contentType": CONTENT_TYPE_JSON,
                    "headers": _headers(
                        {
                            HEADER_ID: "the request's",
                            HEADER_SOURCE: "/ounce/<task>",
                            "ce_specversion": "1.0",
                            "ce_type": PREDICTION_EVENT_TYPE,
                            HEADER_TRACEPARENT: "the request's",
                        }
                    ),
                    "payload": {"$ref": "prediction.schema.json"},
                    "bindings": _KEY,
                },
                "deadLetter": {
                    "summary": "The record's own key, value and headers, and these",
                    "headers": _headers(DEAD_LETTER_HEADERS),
                    "payload": {"type": ["string", "null"], "format": "binary"},
                    "bindings": _KEY,
                },
                "replayMark": {
                    "summary": "No value; the key of a dead letter that was sent back, behind it "
                    "in its partition",
                    "headers": _headers({HEADER_REPLAYED: "offset of that dead letter, decimal"}),
                    "payload": {"type": "null"},
                    "bindings": _KEY,
                },
                "label": {
                    "summary": "The truth about one request: a class, or a value",
                    "contentType": CONTENT_TYPE_JSON,
                    "headers": _headers({HEADER_ID: "the prediction's; for a body without id"}),
                    "payload": {"$ref": "label.schema.json"},
                    "bindings": _KEY,
                },
                "event": {
                    "summary": "Something that people should know",
                    "contentType": CONTENT_TYPE_JSON,
                    "headers": _headers(
                        {
                            HEADER_ID: "identifies the event",
                            HEADER_SOURCE: "/ounce/<task>",
                            "ce_specversion": "1.0",
                            "ce_type": EVENT_TYPE,
                        }
                    ),
                    "payload": {"$ref": "event.schema.json"},
                    "bindings": {"kafka": {"key": {"type": "string", "description": "Task"}}},
                },
            }
        },
    }


def _request_headers() -> dict[str, Any]:
    return _headers(
        {
            HEADER_ID: "identifies the request; comes back; <topic>-<partition>-<offset> if absent",
            HEADER_SOURCE: "with ce_id, what a repeat is noticed by",
            "ce_specversion": "1.0",
            "ce_type": f"for example {REQUEST_EVENT_TYPE}",
            "ce_time": "RFC 3339; informative, deadlines count from the record's timestamp",
            HEADER_MAX_LATENCY_MS: "deadline in milliseconds, in (0, 3600000]",
            HEADER_MIN_ACCURACY: "accuracy floor, in [0, 1]",
            HEADER_CONTENT_TYPE: "application/json or application/octet-stream; sniffed if absent",
            HEADER_TRACEPARENT: "W3C trace context; comes back, as do "
            + ", ".join(HEADERS_RETURNED),
            HEADER_ANSWER: f"form of the answer: {', '.join(AnswerForm)}",
            HEADER_JSON_BYTES: "bytes of the body that are JSON, where binary tensors follow",
            HEADER_REPLAYED_FROM: "the dead letter that this was, <topic>-<partition>-<offset>; "
            "one for each time that it was sent back",
        }
    )


def _headers(descriptions: dict[str, str]) -> dict[str, Any]:
    """All optional, all UTF-8 text."""
    return {
        "type": "object",
        "properties": {
            name: {**_TEXT, "description": description}
            for name, description in descriptions.items()
        },
    }
