"""Rights on a broker, as `kafka-acls.sh` commands grant them."""

import argparse
import re
import shlex
from collections.abc import Iterable

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)


def grant(servers: str, commands: Iterable[str]) -> None:
    """Do what `kafka-acls.sh --add` with these arguments does."""
    admin = AdminClient({"bootstrap.servers": servers})
    # Each once: two commands may grant the same.
    bindings = {binding: None for command in commands for binding in _bindings(command)}
    for outcome in admin.create_acls([*bindings]).values():
        outcome.result(60)


def withdraw(servers: str, commands: Iterable[str]) -> None:
    """Undo what `grant` did with these arguments."""
    admin = AdminClient({"bootstrap.servers": servers})
    filters = [
        AclBindingFilter(
            binding.restype,
            binding.name,
            binding.resource_pattern_type,
            binding.principal,
            binding.host,
            binding.operation,
            binding.permission_type,
        )
        for command in commands
        for binding in _bindings(command)
    ]
    for outcome in admin.delete_acls(filters).values():
        assert outcome.result(60)


def _bindings(command: str) -> Iterable[AclBinding]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", required=True)
    parser.add_argument("--resource-pattern-type", default="literal")
    kinds = {
        "topic": ResourceType.TOPIC,
        "group": ResourceType.GROUP,
        "transactional_id": ResourceType.TRANSACTIONAL_ID,
    }
    for kind in kinds:
        parser.add_argument(f"--{kind.replace('_', '-')}", action="append", default=[])
    given = parser.parse_args(shlex.split(command))
    for kind, resource in kinds.items():
        for name in getattr(given, kind):
            for operation in given.operation:
                yield AclBinding(
                    resource,
                    name,
                    ResourcePatternType[given.resource_pattern_type.upper()],
                    given.allow_principal,
                    "*",
                    AclOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
                    AclPermissionType.ALLOW,
                )
