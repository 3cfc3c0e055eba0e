# shellcheck shell=bash disable=SC2034
# Everything the set-up takes from elsewhere and the versions it must have.

min_rust=1.95
min_gstreamer=1.22
min_python=3.11
min_node=18

# ONNX Runtime: the shared library out of the wheel that the Python package index carries.
# The C library is the same in each wheel of one architecture; cp311 is a choice, not a need.
onnxruntime_version=1.32.0
onnxruntime_sha256_x86_64=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
onnxruntime_sha256_aarch64=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c

# vtest.avi out of the package opencv-doc; the file is the same in every release of it.
vtest_sha256=45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf
