"""What policies call a runtime."""

import pytest
from ounce_edge.models.runtimes.base import kind_of
from ounce_edge.models.runtimes.fake import FakeRuntime
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.policy_rules import RuntimeKind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (OnnxCpuRuntime().name, "cpu"),
        ("onnxruntime-cuda 1.32.0", "cuda"),
        ("tensorrt 10.15.1", "tensorrt"),
        ("tensorrt-rtx 1.7.1", "tensorrt"),
    ],
)
def test_a_runtime_has_a_kind_that_policies_can_name(name: str, kind: str) -> None:
    assert kind_of(name) == kind
    assert kind in RuntimeKind.__args__


def test_a_fake_is_no_kind_that_a_policy_can_name() -> None:
    assert kind_of(FakeRuntime({}).name) not in RuntimeKind.__args__
