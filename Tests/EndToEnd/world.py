"""Other people's servers, scripted: DNS and SMTP on addresses of this machine."""
import queue
import re
import socket
import ssl
import struct
import threading
import time

from harness import Failure


class DNS:
    """Answers for what it was told: `zone[name] = {"MX": [(10, host)], "A": [address]}`; everything else is not there."""

    types = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 52: "TLSA", 257: "CAA"}

    def __init__(self, port=0):
        self.zone = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.address = f"127.0.0.1@{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            try:
                self.socket.sendto(self.answer(query), peer)
            except (IndexError, struct.error):
                pass

    def answer(self, query):
        position, labels = 12, []
        while query[position]:
            labels.append(query[position + 1:position + 1 + query[position]].decode())
            position += 1 + query[position]
        name = ".".join(labels).lower()
        kind = self.types.get(struct.unpack(">H", query[position + 1:position + 3])[0])
        records = self.zone.get(name, {})
        if kind == "TXT" and sum(len(value) for value in records.get(kind, [])) > 400 and not query[11]:
            # Without EDNS it would have to be asked for again over TCP.
            return query[:2] + struct.pack(">HHHHH", 0x8580 | 2, 1, 0, 0, 0) + query[12:position + 5]
        answers = b"".join(
            b"\xc0\x0c" + query[position + 1:position + 5] + struct.pack(">IH", 1, len(data)) + data
            for data in (self.data(kind, value) for value in records.get(kind, [])))
        code = 0x8580 | (0 if name in self.zone or any(known.endswith("." + name) for known in self.zone) else 3)
        return query[:2] + struct.pack(">HHHHH", code, 1, len(records.get(kind, [])), 0, 0) + query[12:position + 5] + answers

    def data(self, kind, value):
        if kind == "A":
            return socket.inet_aton(value)
        if kind == "MX":
            return struct.pack(">H", value[0]) + self.name(value[1])
        if kind == "AAAA":
            return socket.inet_pton(socket.AF_INET6, value)
        if kind == "PTR":
            return self.name(value)
        if kind == "SRV":
            return struct.pack(">HHH", *value[:3]) + self.name(value[3])
        if kind == "TLSA":
            usage, selector, matching, *digits = value.split()
            return bytes([int(usage), int(selector), int(matching)]) + bytes.fromhex("".join(digits))
        if kind == "CAA":
            return bytes([0, len(value[0])]) + value[0].encode() + value[1].encode()
        pieces = [value.encode()[start:start + 255] for start in range(0, len(value), 255)]
        return b"".join(bytes([len(piece)]) + piece for piece in pieces)

    @staticmethod
    def name(text):
        return b"".join(bytes([len(label)]) + label.encode() for label in text.strip(".").split(".") if label) + b"\0"

    def close(self):
        self.socket.close()


class Peer:
    """A mail server at an address of its own. `replies[verb]` is what it says to that verb, one after the other, the last
    for ever; a function is called with the connection and ends it. What arrived is in `mails`. With a certificate (chain and
    key) it offers STARTTLS. Whoever says LHLO gets a reply for each recipient. An address with a slash is a socket's path."""

    def __init__(self, address, port, extensions=(), certificate=None, **replies):
        self.address = address
        self.extensions = extensions
        self.certificate = certificate
        self.replies = {verb: list(said) if isinstance(said, (list, tuple)) else [said] for verb, said in replies.items()}
        self.mails = queue.Queue()
        # MAIL commands, with all their parameters.
        self.senders = []
        self.count = 0
        self.connections = 0
        # At once, now and at most.
        self.open = self.most = 0
        self.lock = threading.Lock()
        if address.startswith("/"):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(address)
            self.listener.listen(200)
            self.port = None
        else:
            self.listener = socket.create_server((address, port), backlog=200)
            self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def reply(self, verb, usual):
        said = self.replies.get(verb, [usual])
        return said.pop(0) if len(said) > 1 else said[0]

    def talk(self, connection):
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            with connection:
                secured = self.converse(connection)
            if secured:
                with secured:
                    self.converse(secured, is_secured=True)
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open -= 1

    def converse(self, connection, is_secured=False):
        """Until the other side goes; returns the connection under TLS where it asks for that."""
        def say(verb, usual):
            said = self.reply(verb, usual)
            if callable(said):
                said(connection)
                raise ConnectionError
            connection.sendall(said.encode() + b"\r\n")
            return said
        with connection.makefile("rb") as lines:
            if not is_secured and not say("greeting", "220 peer.zz ESMTP").startswith("2"):
                return None
            sender, recipients, speaks_lmtp = None, [], False
            for line in lines:
                verb = line.split()[0].upper().decode() if line.split() else ""
                if verb in ("EHLO", "LHLO"):
                    speaks_lmtp = verb == "LHLO"
                    offer = ["STARTTLS"] if self.certificate and not is_secured else []
                    words = ["peer.zz", *offer, *self.extensions]
                    say("EHLO", "\r\n".join(f"250{'-' if word is not words[-1] else ' '}{word}" for word in words))
                elif verb == "MAIL":
                    self.senders.append(line.decode().strip())
                    if say("MAIL", "250 ok").startswith("2"):
                        sender, recipients = re.search(rb"<(.*?)>", line)[1].decode(), []
                elif verb == "RCPT":
                    if say("RCPT", "250 ok").startswith("2"):
                        recipients.append(re.search(rb"<(.*?)>", line)[1].decode())
                elif verb == "DATA":
                    if not say("DATA", "354 go ahead").startswith("3"):
                        continue
                    body = []
                    for part in lines:
                        if part == b".\r\n":
                            break
                        body.append(part[1:] if part.startswith(b".") else part)
                    replies = [say("message", "250 taken") for _ in (recipients if speaks_lmtp else [None])]
                    if any(said.startswith("2") for said in replies):
                        self.count += 1
                        self.mails.put((sender, recipients, b"".join(body)))
                elif verb == "QUIT":
                    say("QUIT", "221 bye")
                    return None
                elif verb == "STARTTLS" and self.certificate and not is_secured:
                    say("STARTTLS", "220 go ahead")
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(*self.certificate)
                    return context.wrap_socket(connection, server_side=True)
                else:
                    say(verb, "250 ok" if verb in ("RSET", "NOOP") else "500 what?")
        return None

    def mail(self, seconds=20):
        """The next one: sender, recipients, octets."""
        try:
            return self.mails.get(timeout=seconds)
        except queue.Empty:
            raise Failure(f"no mail arrived within {seconds} s")

    def close(self):
        self.listener.close()


def hang(connection):
    """Says nothing until the other side goes away."""
    connection.settimeout(120)
    while connection.recv(65536):
        pass


def drip(connection):
    """A line that would be an answer, an octet a second."""
    for octet in b"250-" + b"x" * 120:
        connection.sendall(bytes([octet]))
        time.sleep(1)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def until(truth, what, seconds=20):
    """Waits for something that nobody tells of."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = truth()
        if found:
            return found
        time.sleep(0.02)
    raise Failure(f"not within {seconds} s: {what}")
