"""TensorRT's runtime over the fakes, to be made in another process."""

from pathlib import Path

from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.device import Device
from ounce_edge.models.runtimes.tensorrt.engines import Target
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime

from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt

PROFILE = BatchProfile(8, 64)


def make_fake(folder: Path, *contents: bytes, flavour: Flavour = Flavour.NATIVE) -> TensorRtRuntime:
    """With engines of these models, which are the models themselves."""
    gpu = FakeGpu()
    tensorrt = TensorRt(flavour, "10.3.0", FakeTensorRt(gpu, most=PROFILE.most))
    target = Target(tensorrt, Device("a GPU", "8.9", "12.6"), PROFILE)
    cache = EngineCache(folder)
    for content in contents:
        cache.write(target.key(content), "digits/model", content)
    runtime = TensorRtRuntime(target, Cuda(gpu), cache)
    runtime.find_meters()
    return runtime
