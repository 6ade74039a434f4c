"""The GPU, once for each TensorRT; and the tasks of the suite of all runtimes, as in its folder."""

import os
from collections.abc import Iterator

import pytest
from ounce_edge.models.runtimes.tensorrt import runtime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_schemas.errors import RuntimeAbsentError

from tests.contracts.runtimes.conftest import pytest_generate_tests
from tests.support.tensorrt.found_gpu import Gpu, works

__all__ = ["pytest_generate_tests"]


@pytest.fixture(scope="module", params=list(Flavour))
def gpu(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gpu:
    folder = tmp_path_factory.mktemp("engines") / "own"
    try:
        made = runtime.make_tensorrt(folder, request.param)
    except RuntimeAbsentError as e:
        pytest.skip(str(e))
    return Gpu(made.target, made.cuda, EngineCache(folder), made)


@pytest.fixture(autouse=True)
def _no_other_test_meets_a_gpu_that_broke(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tests behind one that breaks the GPU run in another process, which xdist starts."""
    did_work = works()
    yield
    if did_work and not works() and hasattr(request.config, "workerinput"):
        os._exit(1)
