"""SEARCH over 100,000 messages of 5 KB, with words as unevenly frequent as in letters."""

import email.utils
import itertools
import json
import os
import random
import subprocess
import time

from imap import Imap
from servers import USER

SIZE = 5_000
COMMON = ("the of and to in is that it for on with as was be this are by have not from at or an you we they which but"
          " if all can will your one when there about message server please thanks would").split()


def vocabulary(chance, count):
    """Words of two to four syllables, the same on every run."""
    heads = "b br c ch cl d dr f fl g gr h j k l m n p pl pr qu r s sh st str t th tr v w z".split()
    vowels = "a e i o u ai ea io ou y".split()
    tails = "n r s t l m nd ng st ck x d".split() + [""] * 10
    words = dict.fromkeys(COMMON)
    while len(words) < count:
        words["".join(chance.choice(heads) + chance.choice(vowels) + chance.choice(tails)
                      for _ in range(chance.randint(2, 4)))] = None
    return list(words)


def messages(count):
    chance = random.Random(5)
    words = vocabulary(chance, 60_000)
    # Close to Zipf's law for English.
    weights = list(itertools.accumulate((rank + 2) ** -1.1 for rank in range(len(words))))
    for number in range(count):
        sender = words[60 + chance.randrange(2_000)]
        date = email.utils.formatdate(1_000_000_000 + number * 60)
        head = (f"Return-Path: <{sender}@elsewhere.test>\r\n"
                f"Received: from mail.elsewhere.test (10.1.{chance.randrange(256)}.{chance.randrange(256)})\r\n"
                f"\tby mx.bench.test with ESMTPS id {chance.getrandbits(48):012x}; {date}\r\n"
                f"From: {sender.title()} {words[chance.randrange(4_000)].title()} <{sender}@elsewhere.test>\r\n"
                f"To: {USER}\r\nSubject: {' '.join(chance.choices(words, cum_weights=weights, k=5))}\r\nDate: {date}\r\n"
                f"Message-ID: <{chance.getrandbits(64):016x}.{number}@elsewhere.test>\r\nMIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n\r\n")
        lines, size = [head], len(head)
        while size < SIZE:
            line = " ".join(chance.choices(words, cum_weights=weights, k=11)) + "\r\n"
            lines.append(line)
            size += len(line)
        if number % 20_000 == 7_777:
            lines.append("Nobody else writes of a kumquatberry.\r\n")
        yield "".join(lines).encode()


def load(server, count):
    """Several messages a command: RFC 3502."""
    connection = Imap(server.imap)
    source = messages(count)
    while batch := list(itertools.islice(source, 100)):
        literals = b" ".join(b"{%d+}\r\n%s" % (len(message), message) for message in batch)
        connection.command(b"APPEND INBOX " + literals)
    connection.close()


def index_state(server, *options):
    answer = subprocess.run(
        [os.environ["MARTLET_BINARY"], "store", "index", "--json", "--data", str(server.data), *options],
        check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)


def search(servers, scale, compare):
    """The best of five on one connection; Martlet's index is up to date. Dovecot has no index of texts unless a further
    package makes one."""
    count = max(2_000, int(100_000 * scale))
    asked = {
        "TEXT, a rare word": "TEXT kumquatberry",
        "TEXT, a rare part of a word": "TEXT quatber",
        "TEXT, a word that is nowhere": "TEXT zyzzyvas",
        "rare word as Apple Mail asks": "OR FROM kumquatberry OR SUBJECT kumquatberry OR TO kumquatberry OR CC "
                                        "kumquatberry BODY kumquatberry",
        "FROM, one of 2,000 senders": "FROM {sender}",
        "SUBJECT and BODY, two words": "SUBJECT {sender} BODY please",
        "TEXT, a word that is everywhere": "TEXT please",
    }
    sender = vocabulary(random.Random(5), 60_000)[700]
    times = {name: {} for name in asked}
    found = {}
    for server in servers:
        server.start()
        load(server, count)
        if server.name == "Martlet":
            begin = time.monotonic()
            index_state(server, "--rebuild")
            state = index_state(server)
            yield ("search index, made anew", "–", f"{count / (time.monotonic() - begin):,.0f} messages/s",
                   f"{state['size'] / (count * SIZE):.2f} of the text's size")
        connection = Imap(server.imap)
        connection.command("SELECT INBOX")
        for name, keys in asked.items():
            for attempt in range(5 if server.name == "Martlet" else 1):
                begin = time.perf_counter()
                answer = connection.command("UID SEARCH " + keys.format(sender=sender))
                taken = (time.perf_counter() - begin) * 1000
                times[name][server.name] = min(taken, times[name].get(server.name, taken))
            numbers = next(line for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH")).split()[2:]
            if found.setdefault(name, len(numbers)) != len(numbers):
                raise RuntimeError(f"{name}: {found[name]} or {len(numbers)} messages")
        connection.close()
        server.stop()
    for name in asked:
        yield compare(f"SEARCH {name} ({found[name]:,} of {count:,})", times[name], "ms", False)
