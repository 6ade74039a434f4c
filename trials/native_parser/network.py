"""A stand-in for a network of TensorRT: it builds nothing, but knows all shapes and types."""

from functools import partial
from typing import Any

from trials.native_parser.graph import Graph, Tensor
from trials.native_parser.layers import Layers
from trials.native_parser.objects import Function, instance, shape_of, table
from trials.native_parser.value_layers import ValueLayers

_STRONGLY_TYPED = 1
"""Of NetworkDefinitionCreationFlag."""
NETWORK = (
    "addInput markOutput addActivation addLRN addScale addSoftMax addConcatenation addElementWise "
    "addUnary addShuffle getNbLayers getLayer getNbInputs getInput getNbOutputs getOutput "
    "addReduce addTopK addGather addRaggedSoftMax addMatrixMultiply addConstant addIdentity "
    "removeTensor unmarkOutput addPluginV2 addPluginV3 addSlice setName getName addShape "
    "hasImplicitBatchDimension markOutputForShapes unmarkOutputForShapes addParametricReLU "
    "addConvolutionNd addPoolingNd addDeconvolutionNd addScaleNd addResize addLoop addSelect "
    "addFill addPaddingNd setWeightsName setErrorRecorder getErrorRecorder addDequantize "
    "addQuantize addGatherV2 addIfConditional addScatter addEinsum addAssertion addOneHot "
    "addNonZero addGridSample addNMS addReverseSequence addNormalization addCast getBuilder "
    "getFlags getFlag addQuantizeV2 addDequantizeV2 addFillV2 markDebug unmarkDebug isDebugTensor "
    "markWeightsRefittable unmarkWeightsRefittable areWeightsMarkedRefittable addSqueeze "
    "addUnsqueeze addDynamicQuantize addCumulative markUnfusedTensorsAsDebugTensors "
    "unmarkUnfusedTensorsAsDebugTensors addTopKV2 addNonZeroV2 addNMSV2 addAttention "
    "addRotaryEmbedding addDynamicQuantizeV2 addKVCacheUpdate addNormalizationV2"
)
"""Functions of a network, in their order."""


class Network:
    """A network without layers, as a parser finds it.

    Args:
        registry: address of the registry of plugins.
    """

    def __init__(self, registry: int) -> None:
        self.graph = Graph()
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        builder = instance(table(), instance(table(answer=registry)))
        outer = table("getBuilder", {"getBuilder": ("p:", lambda this: builder)})
        functions = self._others()
        for of in (Layers(self.graph), ValueLayers(self.graph)):
            functions |= of.functions()
        functions |= self._functions()
        self.address = instance(outer, instance(table(NETWORK, functions)))
        """Of the C++ object."""

    def _others(self) -> dict[str, Function]:
        """Layers that nothing here adds: whoever asks for one is told that there is none."""

        def warn(name: str, this: int) -> int:
            self.graph.warnings.append(f"{name}, which this stand-in does not do")
            return 0

        layers = (name for name in NETWORK.split() if name.startswith("add"))
        return {name: ("p:", partial(warn, name)) for name in layers}

    def _functions(self) -> dict[str, Function]:
        return {
            "addInput": ("p:siD", self._add_input),
            "markOutput": (":p", self._mark_output),
            "getNbLayers": ("i:", lambda this: self.graph.n_layers),
            "getNbInputs": ("i:", lambda this: len(self.inputs)),
            "getInput": ("p:i", lambda this, place: self.inputs[place].address),
            "getNbOutputs": ("i:", lambda this: len(self.outputs)),
            "getOutput": ("p:i", lambda this, place: self.outputs[place].address),
            "setWeightsName": ("b:Ws", lambda this, weights, name: True),
            "getFlags": ("u:", lambda this: 1 << _STRONGLY_TYPED),
            "getFlag": ("b:i", lambda this, flag: flag == _STRONGLY_TYPED),
        }

    def _add_input(self, this: int, name: bytes, kind: int, dims: Any) -> int:
        shape = shape_of(dims)
        tensor = self.graph.tensor(name.decode(), lambda: kind, lambda: shape)
        tensor.is_input = True
        self.inputs.append(tensor)
        return tensor.address

    def _mark_output(self, this: int, tensor: int) -> None:
        self.graph.at(tensor).is_output = True
        self.outputs.append(self.graph.at(tensor))
