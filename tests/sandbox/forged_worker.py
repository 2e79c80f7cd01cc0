#!/usr/bin/python3 -I
"""A program in the worker's place that breaks the protocol of host/wire/wire.h on purpose, in the way that the file `case` beside it
names. A case of ON_LOAD does so when it is loaded, one of ON_CALL answers that well and does so when it is called."""

import os
import pathlib
import socket
import struct
import sys
import time

LOAD, DESCRIPTION, CALL_VALUE, CALL_RECORDS, RESULT, FAIL, LOG, CRYPTO, CRYPTO_RESULT = range(1, 10)

WHOLE = (b'{"name":"rows","version":"1.0.0","config":{"base_url":{"type":"string"},"api_key":{"type":"string","secret":true}},"http":{"base":"{{config.base_url}}"},'
         b'"streams":{"rows":{"path":"/rows","records":"rows","primary_key":"id","fields":{"id":"string"},'
         b'"pages":{"kind":"page","param":"page","size":10,"size_param":"size","start":1,"more":"more"},"map":{"$function":"streams.rows.map"}}}}')


def frame(kind, number, payload, length=None):
    return struct.pack("<IBI", 5 + len(payload) if length is None else length, kind, number) + payload


def sized(data, size=None):
    return struct.pack("<I", len(data) if size is None else size) + data


def fail(kind, message=b"m", traceback=b"t"):
    return struct.pack("<Q", kind) + sized(message) + sized(traceback)


def crypto(op=2, encoding=1, algorithm=b"sha256", key=b"", message=b"x", parts=0):
    return struct.pack("<QQ", op, encoding) + sized(algorithm) + struct.pack("<Q", parts) + sized(key) + struct.pack("<Q", parts) + sized(message)


def answer(kind):
    return DESCRIPTION if kind == LOAD else RESULT


# name: what is sent in answer to a request of type `kind` and number `n`; a list is sent piece by piece
ANYWHERE = {
    "nothing, and the end": lambda kind, n: b"",
    "half a length": lambda kind, n: b"\x09\x00",
    "a length of nothing": lambda kind, n: b"\0\0\0\0",
    "a length under the header's": lambda kind, n: frame(answer(kind), n, b"", 4),
    "a length of 4 GiB": lambda kind, n: frame(answer(kind), n, sized(b"{}"), 0xFFFFFFFF),
    "a length past the maximum by one": lambda kind, n: frame(answer(kind), n, sized(b"{}"), 17 * 1024 * 1024 - 3),
    "more promised than sent": lambda kind, n: frame(answer(kind), n, sized(b"{}"), 1000),
    "type 0": lambda kind, n: frame(0, n, sized(b"{}")),
    "type 10": lambda kind, n: frame(10, n, sized(b"{}")),
    "type 255": lambda kind, n: frame(255, n, sized(b"{}")),
    "another's number": lambda kind, n: frame(answer(kind), n + 1, sized(b"{}")),
    "number 0": lambda kind, n: frame(answer(kind), 0, sized(b"{}")),
    "a request back": lambda kind, n: frame(kind, n, sized(b"{}")),
    "an answer to a question nobody asked": lambda kind, n: frame(CRYPTO_RESULT, n, struct.pack("<Q", 0) + sized(b"x")),
    "the other answer": lambda kind, n: frame(DESCRIPTION if kind != LOAD else RESULT, n, sized(b"{}")),
    "a text longer than its frame": lambda kind, n: frame(answer(kind), n, sized(b"{}", 3)),
    "a text of 4 GiB": lambda kind, n: frame(answer(kind), n, sized(b"{}", 0xFFFFFFFF)),
    "bytes behind the text": lambda kind, n: frame(answer(kind), n, sized(b"{}") + b"x"),
    "no text": lambda kind, n: frame(answer(kind), n, b""),
    "a failure of no kind": lambda kind, n: frame(FAIL, n, fail(0)),
    "a failure of kind 2^64 - 1": lambda kind, n: frame(FAIL, n, fail(2 ** 64 - 1)),
    "a failure that is cut": lambda kind, n: frame(FAIL, n, fail(1)[:11]),
    "a failure of 16 MiB with escapes": lambda kind, n: frame(FAIL, n, fail(1, b"\x1b[2J\n\0\xff" * 1000000, b"line\n" * 1000000)),
    "a line that is cut": lambda kind, n: frame(LOG, n, sized(b"x", 9)),
    "a thousand lines and one": lambda kind, n: frame(LOG, n, sized(b"x")) * 1001,
    "lines of another": lambda kind, n: frame(LOG, n + 7, sized(b"x")),
    "a question of no kind": lambda kind, n: frame(CRYPTO, n, crypto(op=9)),
    "a question with no encoding": lambda kind, n: frame(CRYPTO, n, crypto(encoding=0)),
    "a question that is cut": lambda kind, n: frame(CRYPTO, n, crypto()[:-1]),
    "questions for secrets, and then nonsense": lambda kind, n: [frame(CRYPTO, n, crypto(op=1, parts=1, key=b'[{"$secret":"api_key"}]', message=m))
                                                                 for m in (b"[]", b"{", b'[{"$secret":7}]', b"\xff", b'["' + b"x" * 1000 + b'"]')] + [b"\xff" * 64],
    "frames without end": lambda kind, n: frame(answer(kind), n + 1, sized(b"x" * 1000)) * 5000,
}
ON_LOAD = {
    "a description that is no JSON": lambda kind, n: frame(DESCRIPTION, n, sized(b"{name}")),
    "an empty description": lambda kind, n: frame(DESCRIPTION, n, sized(b"")),
    "a description of 16 MiB": lambda kind, n: frame(DESCRIPTION, n, sized(b'{"name":"' + b"x" * (16 * 1024 * 1024) + b'"}')),
    "a description as deep as it is long": lambda kind, n: frame(DESCRIPTION, n, sized(b"[" * 1000000)),
    "a list for a description": lambda kind, n: frame(DESCRIPTION, n, sized(b"[1,2]")),
    "two streams of one name": lambda kind, n: frame(DESCRIPTION, n, sized(WHOLE.replace(b'"streams":{', b'"streams":{"rows":{"path":"/other"},'))),
    "bytes that are no text": lambda kind, n: frame(DESCRIPTION, n, sized(WHOLE.replace(b'"/rows"', b'"/\xff\xfe\0"'))),
}
ON_CALL = {
    "records that are no JSON": lambda kind, n: frame(RESULT, n, sized(b'{"id":')),
    "records that are no records": lambda kind, n: frame(RESULT, n, sized(b'"text"\n[1]\n7\n')),
    "a record without an end": lambda kind, n: frame(RESULT, n, sized(b'{"id":"' + b"x" * (16 * 1024 * 1024))),
    "records as deep as they are long": lambda kind, n: frame(RESULT, n, sized(b'{"id":' + b"[" * 1000000)),
}


def main():
    case = (pathlib.Path(sys.argv[0]).parent / "case").read_text()
    channel = socket.socket(fileno=3)
    at_load = case in ON_LOAD or case.startswith("load: ")
    send = {**ANYWHERE, **ON_LOAD, **ON_CALL}[case.removeprefix("load: ").removeprefix("call: ")]

    def take(size):
        data = bytearray()
        while len(data) < size:
            piece = channel.recv(min(1 << 20, size - len(data)))
            if not piece:
                os._exit(0)
            data += piece
        return bytes(data)

    while True:
        length, kind, number = struct.unpack("<IBI", take(9))
        take(length - 5)
        if kind == LOAD and not at_load:
            channel.sendall(frame(DESCRIPTION, number, sized(WHOLE)))
            continue
        pieces = send(kind, number)
        try:
            for piece in pieces if isinstance(pieces, list) else [pieces]:
                channel.sendall(piece)
        except OSError:
            os._exit(0)
        if case.endswith(("nothing, and the end", "half a length", "more promised than sent", "a length of 4 GiB", "a length past the maximum by one")):
            os._exit(0)
        time.sleep(600)  # ended by the host


if __name__ == "__main__":
    main()
