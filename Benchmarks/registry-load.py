#!/usr/bin/env python3
"""registry-load.py push|pull|small PORT ...: what registry.sh measures a registry with.

push FILE DIGEST REPOSITORY COUNT   pushes a file into COUNT repositories at once; MiB/s of all
pull DIGEST REPOSITORY SIZE COUNT   pulls a blob COUNT times at once; MiB/s of all
small COUNT REPOSITORY CONNECTIONS  pushes COUNT blobs of a few bytes; blobs/s
"""
import hashlib
import http.client
import os
import sys
import threading
import time


def connect():
    return http.client.HTTPConnection("127.0.0.1", port, blocksize=1 << 20)


def place(connection, repository):
    connection.request("POST", f"/v2/{repository}/blobs/uploads/")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 202, answer.status
    url = answer.headers["Location"]
    path = url.split(str(port), 1)[1] if url.startswith("http") else url
    return path + ("&" if "?" in path else "?") + "digest="


def push(path, digest, repository):
    connection = connect()
    size = os.path.getsize(path)
    connection.putrequest("PUT", place(connection, repository) + digest)
    connection.putheader("Content-Length", str(size))
    connection.putheader("Content-Type", "application/octet-stream")
    connection.endheaders()
    with open(path, "rb") as file:
        offset = 0
        while offset < size:
            offset += os.sendfile(connection.sock.fileno(), file.fileno(), offset, size - offset)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 201, answer.status


def pull(digest, repository, size):
    connection = connect()
    connection.request("GET", f"/v2/{repository}/blobs/{digest}")
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    buffer = bytearray(1 << 20)
    count = 0
    while part := answer.readinto(buffer):
        count += part
    assert count == size, count


def small(first, count, repository):
    connection = connect()
    for number in range(first, first + count):
        blob = f"blob {number}".encode()
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        connection.request("PUT", place(connection, repository) + digest, blob,
                           {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201, answer.status


def at_once(works):
    failures = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    start = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(f"registry-load: error: {failures[0]!r}")
    return time.time() - start


verb, port, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if verb == "push":
    path, digest, repository, count = words[0], words[1], words[2], int(words[3])
    took = at_once([lambda n=n: push(path, digest, f"{repository}/{n}") for n in range(count)])
    print(f"{os.path.getsize(path) * count / took / (1 << 20):.0f}")
elif verb == "pull":
    digest, repository, size, count = words[0], words[1], int(words[2]), int(words[3])
    took = at_once([lambda: pull(digest, repository, size)] * count)
    print(f"{size * count / took / (1 << 20):.0f}")
else:
    count, repository, connections = int(words[0]), words[1], int(words[2])
    each = count // connections
    took = at_once([lambda n=n: small(n * each, each, repository) for n in range(connections)])
    print(f"{each * connections / took:.0f}")
