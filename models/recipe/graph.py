"""A few lines that make an ONNX graph readable as arithmetic."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 9


class Graph:
    """Collects nodes and constants; every method returns the name of the tensor it makes."""

    def __init__(self):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, value, kind=np.float32) -> str:
        """A constant; equal ones are shared."""
        array = np.array(value, kind)
        name = f"c_{array.dtype}_{'_'.join(str(v) for v in array.reshape(-1))}_{array.ndim}"
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def op(self, kind: str, *inputs, name: str | None = None, **attributes) -> str:
        """One node. Numbers among the inputs become float32 constants."""
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        tensors = [item if isinstance(item, str) else self.constant(item) for item in inputs]
        self.nodes.append(helper.make_node(kind, tensors, [name], name=name, **attributes))
        return name

    def add(self, a, b, **k) -> str:
        return self.op("Add", a, b, **k)

    def sub(self, a, b, **k) -> str:
        return self.op("Sub", a, b, **k)

    def mul(self, a, b, **k) -> str:
        return self.op("Mul", a, b, **k)

    def div(self, a, b, **k) -> str:
        return self.op("Div", a, b, **k)

    def less(self, a, b) -> str:
        """1.0 where a < b, else 0.0."""
        return self.number(self.op("Less", a, b))

    def number(self, a, **k) -> str:
        """Cast to float32."""
        return self.op("Cast", a, to=TensorProto.FLOAT, **k)

    def mean(self, a, axes=(0, 1, 2, 3), keep=False, **k) -> str:
        """Mean over all axes: a scalar, unless `keep`."""
        return self.op("ReduceMean", a, self.constant(list(axes), np.int64), keepdims=int(keep), **k)

    def clip(self, a, low: float, high: float, **k) -> str:
        return self.op("Clip", a, low, high, **k)

    def ratio(self, a, b, prior: float) -> str:
        """a / b, drawn to 1 by `prior` in both: defined where b is 0."""
        return self.div(self.add(a, prior), self.add(b, prior))

    def box(self, a, window: int | tuple[int, int], stride: int = 1) -> str:
        """Mean over a window (side, or height and width), without the outside of the picture."""
        height, width = (window, window) if isinstance(window, int) else window
        pads = [height // 2, width // 2] * 2 if stride == 1 else [0] * 4
        return self.op(
            "AveragePool", a, kernel_shape=[height, width], strides=[stride] * 2, pads=pads, count_include_pad=0
        )

    def highest(self, a, side: int) -> str:
        """Highest value in the square around each pixel; a dilation, where values are 0 and 1."""
        return self.op("MaxPool", a, kernel_shape=[side] * 2, strides=[1, 1], pads=[side // 2] * 4)

    def enlarge(self, a, factor: int) -> str:
        """Bilinear enlargement."""
        scales = self.constant([1, 1, factor, factor])
        return self.op("Resize", a, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")

    def model(self, name: str, inputs: dict, outputs: dict) -> onnx.ModelProto:
        """The checked model; `inputs` and `outputs` map a name to (element type, shape)."""
        info = lambda items: [helper.make_tensor_value_info(n, t, s) for n, (t, s) in items.items()]
        graph = helper.make_graph(self.nodes, name, info(inputs), info(outputs), list(self.constants.values()))
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="lares"
        )
        onnx.checker.check_model(model, full_check=True)
        return model
