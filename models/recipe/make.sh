#!/usr/bin/env bash
# Makes models/*.onnx, their cards and the golden vectors anew, in a Python environment of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-$PWD/.venv}
if [ ! -x "$venv/bin/python" ]; then
    echo "models: making the Python environment $venv"
    python3 -m venv "$venv"
fi
echo "models: installing what the recipe needs"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r recipe/requirements.txt
exec "$venv/bin/python" -m recipe "${@:-all}"
