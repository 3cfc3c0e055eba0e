"""What is in deploy/: the systemd unit, the Debian package, the container, the dashboard. Each file is read as the program that
takes it would read it; where a tool for that is missing here, its test is skipped and says so.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What customers get, and what developers have beside it: the commands of the demo.
LARES = ROOT / os.environ.get("LARES", "target/release/lares")
DEVELOPERS = ROOT / os.environ.get("DEVELOPERS", "target/release/lares")
