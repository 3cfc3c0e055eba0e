"""Checks what `lares ledger export` prints, with nothing of Lares: each record's hash is the SHA-256 of its own text, and the
next one names it.

    lares ledger export | python3 chain.py      prints the head, NUMBER:HASH
"""

import hashlib
import json
import sys

head = None
for line in sys.stdin:
    text, _, rest = line.rstrip("\n").rpartition(',"hash":"')
    record, stored = json.loads(text + "}"), rest[:64]
    if hashlib.sha256((text + "}").encode()).hexdigest() != stored:
        sys.exit(f"record {record['seq']} was changed")
    if head and (record["seq"], record["prev"]) != (head[0] + 1, head[1]):
        sys.exit(f"something is missing before record {record['seq']}")
    head = record["seq"], stored
print("%d:%s" % head if head else "empty")
