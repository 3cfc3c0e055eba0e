"""Turn the TensorFlow.js graph of NanoDet-g into a plain NCHW ONNX graph.

The published graph was itself converted from an NCHW model: around each convolution stand a Pad, two
Transposes and a bias Add, 250 nodes in all. Here a Transpose is only a note about a tensor (`View`), a Pad
waits for the convolution that takes it, a bias moves into its convolution, and the split of the head into
scores and distances becomes two convolutions, of which the first keeps only the wanted classes. What is
left is about 100 nodes, for any height and width that are multiples of 32.

Operations that this graph does not hold are refused, not guessed.
"""

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import prepare, tfjs

OPSET = 18
IR_VERSION = 9
CLASSES = 80
"""Classes of the published head (COCO)."""
SIDE = 416
"""Height and width for which the graph was published; only output names are derived from it."""

PIXELS = "pixels"
"""The input after centring: 0..255 minus the grey of the letterbox, BGR."""

NO_PADS = (0, 0, 0, 0)
TO_NHWC = [0, 2, 3, 1]
TO_NCHW = [0, 3, 1, 2]


@dataclass(frozen=True)
class View:
    """A tensor of the published graph, expressed by one of ours (always NCHW)."""

    tensor: str
    nhwc: bool = False
    pads: tuple[int, int, int, int] = NO_PADS
    """Zeros (or, before a MaxPool, minus infinity) still to be added: top, left, bottom, right."""


class Converter:
    """Walks the published graph once, in order, and collects our nodes and weights."""

    def __init__(self, model: tfjs.GraphModel, classes: list[int]):
        self.model = model
        self.classes = classes
        self.constants = dict(model.weights)
        self.views: dict[str, View] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}

    def convert(self) -> onnx.ModelProto:
        """The whole graph; outputs `cls8, dist8, cls16, dist16, cls32, dist32`, each [1, cells, channels]."""
        self._open()
        for node in self.model.nodes:
            if node.inputs and all(name in self.constants for name in node.inputs):
                self.constants[node.name] = self._fold(node)
            else:
                getattr(self, f"_{node.op.lower()}", self._refuse)(node)
        self._normalise()
        outputs = self._name_outputs()
        size = ["height", "width"]
        graph = helper.make_graph(
            self.nodes,
            "nanodet-g",
            [helper.make_tensor_value_info("input", TensorProto.UINT8, [1, 3, *size])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, cells, channels])
                for name, (cells, channels) in outputs.items()
            ],
            [numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in self.weights.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="lares"
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    # --- plumbing -------------------------------------------------------------------------------------

    def _emit(self, op: str, inputs: list[str], name: str, **attributes) -> str:
        """Append a node with one output, both called `name`."""
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def _new(self, op: str) -> str:
        return f"{op}_{len(self.nodes)}"

    def _weight(self, name: str, values: np.ndarray) -> str:
        self.weights[name] = values
        return name

    def _view(self, name: str) -> View:
        view = self.views[name]
        if view.pads != NO_PADS:
            raise SystemExit(f"{name}: a padding is followed by something else than a convolution or a pool.")
        return view

    def _fold(self, node: tfjs.Node) -> np.ndarray:
        """Shape arithmetic on constants."""
        values = [self.constants[name] for name in node.inputs]
        if node.op == "AddV2":
            return values[0] + values[1]
        if node.op == "SparseToDense" and values[0].size == 0:
            return np.full(values[1], values[3])
        return self._refuse(node)

    def _refuse(self, node: tfjs.Node):
        raise SystemExit(f"{node.name}: no conversion of {node.op} is known; the graph is not the expected one.")

    # --- the input ------------------------------------------------------------------------------------

    def _open(self):
        """Bytes to centred floats. An int8 runtime takes the bytes as they are: this is its own form of input."""
        scale = self._weight("input_scale", np.array(1, np.float32))
        grey = self._weight("input_grey", np.array(prepare.PAD, np.uint8))
        self._emit("DequantizeLinear", ["input", scale, grey], PIXELS)

    def _normalise(self):
        """Move the normalisation (minus mean, by deviation) into the first convolution.

        Its zero padding then means the grey of the letterbox, where it meant the mean colour, ten levels away.
        """
        first = next(n for n in self.nodes if n.op_type == "Conv")
        _, weight, bias = first.input
        kernel = self.weights[weight].astype(np.float64) / np.reshape(prepare.STD, (1, 3, 1, 1))
        shift = np.reshape(prepare.PAD - np.array(prepare.MEAN), (1, 3, 1, 1))
        self.weights[bias] = (self.weights[bias] + (kernel * shift).sum((1, 2, 3))).astype(np.float32)
        self.weights[weight] = kernel.astype(np.float32)

    # --- one method per operation ---------------------------------------------------------------------

    def _placeholder(self, node: tfjs.Node):
        self.views[node.name] = View(PIXELS)

    def _identity(self, node: tfjs.Node):
        self.views[node.name] = self._view(node.inputs[0])

    def _pad(self, node: tfjs.Node):
        view = self._view(node.inputs[0])
        amounts = self.constants[node.inputs[1]]
        if view.nhwc or amounts[:2].any():
            self._refuse(node)
        (top, bottom), (left, right) = amounts[2:].tolist()
        self.views[node.name] = replace(view, pads=(top, left, bottom, right))

    def _padv2(self, node: tfjs.Node):
        """Padding before the max pool. ONNX pads a MaxPool with minus infinity, so the value must not win."""
        if self.constants[node.inputs[2]] > -1e30:
            self._refuse(node)
        self._pad(node)

    def _transpose(self, node: tfjs.Node):
        view = self.views[node.inputs[0]]
        order = self.constants[node.inputs[1]].tolist()
        if order == TO_NHWC and not view.nhwc:
            self.views[node.name] = replace(view, nhwc=True)
        elif order == TO_NCHW and view.nhwc:
            self.views[node.name] = replace(view, nhwc=False)
        elif order == [0, 2, 1]:
            self.views[node.name] = View(self._emit("Transpose", [view.tensor], self._new("transpose"), perm=order))
        else:
            self._refuse(node)

    def _conv2d(self, node: tfjs.Node):
        view = self.views[node.inputs[0]]
        kernel = self.constants[node.inputs[1]].transpose(3, 2, 0, 1)
        if not view.nhwc or node.text("padding") != "VALID" or node.ints("dilations") != [1, 1, 1, 1]:
            self._refuse(node)
        name = self._new("conv")
        self._emit(
            "Conv",
            [view.tensor, self._weight(f"{name}.weight", kernel)],
            name,
            kernel_shape=kernel.shape[2:],
            strides=node.ints("strides")[1:3],
            pads=view.pads,
        )
        self.views[node.name] = View(name, nhwc=True)

    def _add(self, node: tfjs.Node):
        constants = [name for name in node.inputs if name in self.constants]
        if not constants:
            views = [self._view(name) for name in node.inputs]
            tensor = self._emit("Add", [view.tensor for view in views], self._new("add"))
            self.views[node.name] = View(tensor, views[0].nhwc)
            return
        (operand,) = [name for name in node.inputs if name not in self.constants]
        view = self._view(operand)
        conv = next(n for n in self.nodes if n.name == view.tensor)
        if conv.op_type != "Conv" or len(conv.input) != 2 or not view.nhwc:
            self._refuse(node)
        conv.input.append(self._weight(f"{conv.name}.bias", self.constants[constants[0]].reshape(-1)))
        self.views[node.name] = view

    def _leakyrelu(self, node: tfjs.Node):
        view = self._view(node.inputs[0])
        alpha = float(node.attributes["alpha"]["f"])
        self.views[node.name] = replace(
            view, tensor=self._emit("LeakyRelu", [view.tensor], self._new("leaky"), alpha=alpha)
        )

    def _maxpool(self, node: tfjs.Node):
        view = self.views[node.inputs[0]]
        if not view.nhwc or node.text("padding") != "VALID":
            self._refuse(node)
        tensor = self._emit(
            "MaxPool",
            [view.tensor],
            self._new("pool"),
            kernel_shape=node.ints("ksize")[1:3],
            strides=node.ints("strides")[1:3],
            pads=view.pads,
        )
        self.views[node.name] = View(tensor, nhwc=True)

    def _concatv2(self, node: tfjs.Node):
        *parts, axis = node.inputs
        views = [self._view(name) for name in parts]
        if int(self.constants[axis]) != 1 or any(view.nhwc for view in views):
            self._refuse(node)
        self.views[node.name] = View(self._emit("Concat", [view.tensor for view in views], self._new("concat"), axis=1))

    def _resizebilinear(self, node: tfjs.Node):
        """The neck only doubles or halves, so a factor stands for the published fixed size."""
        view = self._view(node.inputs[0])
        if not view.nhwc or not node.flag("half_pixel_centers") or node.flag("align_corners"):
            self._refuse(node)
        factor = self._resize_factor(node)
        scales = self._weight(f"scale_{factor}", np.array([1, 1, factor, factor], np.float32))
        tensor = self._emit(
            "Resize",
            [view.tensor, "", scales],
            self._new("resize"),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        self.views[node.name] = View(tensor, nhwc=True)

    def _resize_factor(self, node: tfjs.Node) -> float:
        """Target size over source size, the latter found by following the published graph's strides."""
        stride = self._stride(self.views[node.inputs[0]].tensor)
        return float(self.constants[node.inputs[1]][0]) * stride / SIDE

    def _stride(self, tensor: str) -> float:
        """Input pixels per pixel of `tensor`."""
        if tensor == PIXELS:
            return 1.0
        node = next(n for n in self.nodes if n.name == tensor)
        own = 1.0
        for attribute in node.attribute:
            if attribute.name == "strides":
                own = attribute.ints[0]
        if node.op_type == "Resize":
            own = 1 / self.weights[node.input[2]][2]
        return own * self._stride(node.input[0])

    def _splitv(self, node: tfjs.Node):
        """The head: one convolution of 80 scores and 44 distance bins becomes two, on the wanted classes."""
        view = self._view(node.inputs[0])
        sizes, axis = (self.constants[name].tolist() for name in node.inputs[1:])
        conv = next(n for n in self.nodes if n.name == view.tensor)
        if view.nhwc or axis != 1 or conv.op_type != "Conv" or sizes[0] != CLASSES:
            self._refuse(node)
        self.nodes.remove(conv)
        source, weight, bias = conv.input
        kernel, offset = self.weights.pop(weight), self.weights.pop(bias)
        attributes = {a.name: helper.get_attribute_value(a) for a in conv.attribute}
        channels = (self.classes, list(range(CLASSES, CLASSES + sizes[1])))
        for suffix, part, rows in zip(("scores", "distances"), (node.name, f"{node.name}:1"), channels):
            name = f"{conv.name}_{suffix}"
            inputs = [source, self._weight(f"{name}.weight", kernel[rows]), self._weight(f"{name}.bias", offset[rows])]
            self.views[part] = View(self._emit("Conv", inputs, name, **attributes))

    def _sigmoid(self, node: tfjs.Node):
        view = self._view(node.inputs[0])
        self.views[node.name] = replace(view, tensor=self._emit("Sigmoid", [view.tensor], self._new("sigmoid")))

    def _reshape(self, node: tfjs.Node):
        """[1, channels, height, width] to [1, channels, cells]; zeros keep a dimension."""
        view = self._view(node.inputs[0])
        target = self.constants[node.inputs[1]].tolist()
        if view.nhwc or len(target) != 3 or target[2] != -1:
            self._refuse(node)
        shape = self._weight("cells", np.array([0, 0, -1], np.int64))
        self.views[node.name] = View(self._emit("Reshape", [view.tensor, shape], self._new("reshape")))

    # --- outputs --------------------------------------------------------------------------------------

    def _name_outputs(self) -> dict[str, tuple[str, int]]:
        """Rename the six outputs by kind and stride, finest first."""
        found = {}
        for tensor, (_, cells, channels) in self.model.outputs.items():
            stride = round(SIDE / cells**0.5)
            kind, width = ("cls", len(self.classes)) if channels == CLASSES else ("dist", channels)
            node = next(n for n in self.nodes if n.name == self._view(tensor).tensor)
            node.name = node.output[0] = f"{kind}{stride}"
            found[stride, kind] = (f"cells{stride}", width)
        return {f"{kind}{stride}": found[stride, kind] for stride, kind in sorted(found)}


def convert(model: tfjs.GraphModel, classes: list[int]) -> onnx.ModelProto:
    """NanoDet-g as float ONNX. `classes` are indexes into COCO's 80.

    Input `input` uint8 [1, 3, height, width], BGR, as it is. Outputs per stride s: `cls<s>` [1, cells, classes]
    (probabilities) and `dist<s>` [1, cells, 44] (left, top, right, bottom: 11 bins each, before softmax).
    """
    return Converter(model, classes).convert()
