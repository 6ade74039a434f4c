"""A runtime for MLServer; it is imported in MLServer's own environment alone."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.base import open_session


class OnnxRuntime(MLModel):
    """Runs an ONNX model with one float input and one output."""

    async def load(self) -> bool:
        """Open the model."""
        self._session = open_session(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one request."""
        row = NumpyCodec.decode_input(payload.inputs[0])
        result = self._session.run(None, {"input": row})[0]
        output = NumpyCodec.encode_output("probabilities", result)
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=[output])
