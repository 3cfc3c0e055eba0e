"""Reads an SQLite database without writing: `query.py FILE SQL` prints a JSON object for each row."""

import json
import sqlite3
import sys

path, sql = sys.argv[1:]
db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
db.row_factory = sqlite3.Row
for row in db.execute(sql):
    print(json.dumps(dict(row)))
