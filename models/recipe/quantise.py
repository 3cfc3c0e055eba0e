"""Float ONNX to int8, and to a float file of half the size."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from PIL import Image

from . import prepare

OPERATIONS = ["Conv", "LeakyRelu", "Concat", "Add", "Resize", "MaxPool"]
"""All that lies between input and head, so that no tensor goes back to float on the way."""


class Pictures(CalibrationDataReader):
    """Letterboxed pictures as input tensors, each in the input size nearest to its aspect ratio."""

    def __init__(self, folder: Path, sizes: list[tuple[int, int]]):
        files = sorted(folder.glob("*.jpg")) if folder.is_dir() else []
        if not files:
            raise SystemExit(
                f"No .jpg in {folder}: give a folder of some hundred everyday photographs as --calibration."
            )
        self._tensors = (self._tensor(file, sizes) for file in files)

    @staticmethod
    def _tensor(file: Path, sizes: list[tuple[int, int]]) -> dict[str, np.ndarray]:
        picture = Image.open(file)
        canvas, _ = prepare.letterbox(picture, prepare.nearest(picture.size, sizes))
        return {"input": prepare.tensor(canvas)}

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._tensors, None)


def to_int8(model: onnx.ModelProto, pictures: Pictures) -> onnx.ModelProto:
    """Static quantisation in QDQ form: int8 weights per output channel, uint8 activations, ranges from the pictures."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), source)
        quantize_static(
            source,
            target,
            pictures,
            quant_format=QuantFormat.QDQ,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=OPERATIONS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        result = onnx.load(target)
    return stripped(result)


def to_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store float32 weights as float16 followed by a Cast, which a runtime folds when it loads the model.

    The arithmetic stays float32, and so do weights that float16 cannot hold exactly (the first convolution's, which
    hold the normalisation).
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 16:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(result, full_check=True)
    return stripped(result)


def stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Leave out what no runtime reads: shapes of inner tensors and notes of the tools that wrote them."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.producer_name, model.producer_version = "lares", ""
    return model
