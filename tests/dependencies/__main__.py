"""`python -m dependencies`: reads `cargo metadata` and prints what is not allowed."""

import json
import subprocess
import sys

from . import judge


def metadata() -> dict:
    host = next(
        line.removeprefix("host: ")
        for line in subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.splitlines()
        if line.startswith("host: ")
    )
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> int:
    packages = judge.shipped(metadata())
    wrong = judge.licences(packages) + judge.duplicates(packages)
    for line in wrong:
        print(f"dependencies: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
