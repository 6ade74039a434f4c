"""No call over the OpenAPI document is answered by a fault of the server's. Many more calls, others
each time: `python -m trials.calls`."""

from ounce_services.control.plane import Plane

from tests.services.control.conftest import Caller
from tests.services.control.generated_calls import ask_all

N_CALLS = 80


def test_no_generated_call_is_answered_by_a_fault_of_the_server(as_: Caller, plane: Plane) -> None:
    assert {200, 422} <= ask_all(as_, plane, N_CALLS).keys()
