#!/usr/bin/env python3
"""webhook-bodies.py SECRET-FILE URL: 64 push events as GitHub sends them, each of 40 commits, a line each: the signature
of the body, a space, and the body. They are made before the clock starts."""
import hashlib
import hmac
import json
import sys

secret = open(sys.argv[1], "rb").read().rstrip(b"\n")
url = sys.argv[2]
for number in range(64):
    commit = bytes((number * 31 + part * 7) % 256 for part in range(20)).hex()
    body = json.dumps({
        "ref": "refs/heads/main", "before": "0" * 40, "after": commit, "created": False, "deleted": False,
        "forced": False,
        "repository": {"full_name": "team/site", "clone_url": url, "default_branch": "main"},
        "head_commit": {"id": commit, "message": "a push", "added": [], "modified": ["www/index.html"]},
        "commits": [{
            "id": commit, "message": f"change {change} of a push with a message as long as people write them",
            "added": [f"www/pages/page-{change}.html"], "modified": ["www/index.html", "www/style.css"],
        } for change in range(40)],
    }, separators=(",", ":")).encode()
    print(hmac.new(secret, body, hashlib.sha256).hexdigest(), body.decode())
