# shellcheck shell=bash disable=SC2154  # pins.sh sets them
# The Python environment .venv: for the sample recipe, the end-to-end tests and the evaluation, not for Lares itself.

install_python_environment() {
    local found wanted stamp=.venv/.lares-requirements
    found=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        fail "python3 was not found: install Python $min_python or newer"
    version_at_least "$found" "$min_python" ||
        fail "Python $min_python or newer is needed and this is $found: use Debian 12, Ubuntu 24.04 or newer"
    wanted="$found $(cat samples/recipe/requirements.txt tests/requirements.txt tests/eval/requirements.txt | sha256sum | cut -d ' ' -f 1)"
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        say "Python environment: up to date"
        return
    fi
    say "Python environment: installing into .venv"
    python3 -m venv --clear .venv ||
        fail "python3 could not make the environment .venv: see its message above"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        -r samples/recipe/requirements.txt -r tests/requirements.txt -r tests/eval/requirements.txt ||
        fail "pip could not install the Python packages: check the network (pip's own proxy and index settings are honoured), then run this again"
    printf '%s\n' "$wanted" >"$stamp"
}
