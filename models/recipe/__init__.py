"""The recipe of every model in this folder: `python3 -m recipe --help`, run from `models/`.

What flows in: a pinned npm package (person detector) and a folder of pictures (int8 calibration).
What flows out: `*.onnx`, their cards `*.toml` and the golden vectors in `golden/`.
"""
