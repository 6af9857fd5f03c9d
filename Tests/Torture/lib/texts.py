"""Messages whose text follows from their name, `w<worker>.<number>.<octets>`, so that what comes out can be told from what went in."""
import base64
import functools
import hashlib
import random

MARK = b"X-Torture: "


def text(name):
    size = int(name.rsplit(".", 1)[1])
    head = (f"X-Torture: {name}\r\nMessage-ID: <{name}@torture.test>\r\nSubject: {name}\r\n\r\n"
            ".a line that begins with a dot\r\n").encode()
    filler = base64.encodebytes(random.Random(name).randbytes(max(0, size - len(head)) * 72 // 100 + 1))
    return head + filler.replace(b"\n", b"\r\n")


@functools.lru_cache(maxsize=100_000)
def digest(name):
    return hashlib.sha256(text(name)).digest()


def name_of(stored):
    """The name in a message as it is kept, or None where it is not as it was. What comes before it are trace fields."""
    start = stored.find(MARK)
    end = stored.find(b"\r\n", start)
    if start < 0 or end < 0 or start > 10_000:
        return None
    for line in stored[:start].split(b"\r\n")[:-1]:
        if not line.startswith((b"Return-Path:", b"Delivered-To:", b"Received:", b"\t", b" ")):
            return None
    name = stored[start + len(MARK):end].decode(errors="replace")
    try:
        return name if hashlib.sha256(stored[start:]).digest() == digest(name) else None
    except (ValueError, IndexError):
        return None
