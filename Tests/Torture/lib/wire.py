"""Clients on bare sockets: they know exactly what has been answered when the connection breaks."""
import re
import socket


class Lost(Exception):
    """The connection is gone; what was asked and not answered may have happened or not."""


class Refused(Exception):
    """The server says no, and the session goes on."""


class Connection:
    def __init__(self, port):
        self.buffer = b""
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), 60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Lost(str(error)) from None

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Lost(str(error)) from None

    def _fill(self):
        try:
            data = self.socket.recv(262_144)
        except OSError as error:
            raise Lost(str(error)) from None
        if not data:
            raise Lost("closed")
        self.buffer += data

    def line(self):
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._fill()
        line, self.buffer = self.buffer[:end], self.buffer[end + 2:]
        return line

    def octets(self, count):
        if len(self.buffer) < count:
            pieces, have = [self.buffer], len(self.buffer)
            while have < count:
                self.buffer = b""
                self._fill()
                pieces.append(self.buffer)
                have += len(self.buffer)
            self.buffer = b"".join(pieces)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data


class SMTP(Connection):
    """Port 25, or LMTP."""

    def __init__(self, port, lmtp=False):
        super().__init__(port)
        self.lmtp = lmtp
        self.expect(b"220")
        self.send(b"LHLO torture.test\r\n" if lmtp else b"EHLO torture.test\r\n")
        self.expect(b"250")

    def reply(self):
        while (line := self.line())[3:4] == b"-":
            pass
        if line.startswith(b"421"):
            raise Lost(line.decode())
        return line

    def expect(self, code):
        line = self.reply()
        if not line.startswith(code):
            raise Refused(line.decode())

    def deliver(self, recipients, data, chunked=False):
        """Yields the final reply, or with LMTP that of each recipient, as they come."""
        envelope = b"MAIL FROM:<torture@elsewhere.test>\r\n" + b"".join(
            b"RCPT TO:<%s>\r\n" % recipient.encode() for recipient in recipients)
        self.send(envelope)
        replies = [self.reply() for _ in range(1 + len(recipients))]
        if bad := [reply for reply in replies if not reply.startswith(b"250")]:
            self.send(b"RSET\r\n")
            self.expect(b"250")
            raise Refused(bad[0].decode())
        if chunked:
            half = len(data) // 2
            self.send(b"BDAT %d\r\n" % half + data[:half])
            first = self.reply()
            self.send(b"BDAT %d LAST\r\n" % (len(data) - half) + data[half:])
            if not first.startswith(b"250"):
                for _ in recipients if self.lmtp else [0]:
                    self.reply()
                raise Refused(first.decode())
        else:
            self.send(b"DATA\r\n")
            self.expect(b"354")
            self.send(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        for _ in recipients if self.lmtp else [0]:
            yield self.reply()


class IMAP(Connection):
    def __init__(self, port, user):
        super().__init__(port)
        self.number = 0
        self.selected = None
        self.line()
        self.command(f"LOGIN {user} secret")

    def command(self, *parts):
        """Text and, as bytes, literals. Returns the text of the tagged OK, and the untagged responses, each a list in which every
        second piece is a literal."""
        self.number += 1
        tag = b"a%d" % self.number
        request = tag + b" "
        for part in parts:
            request += b"{%d+}\r\n" % len(part) + part if isinstance(part, bytes) else part.encode()
        self.send(request + b"\r\n")
        untagged = []
        while True:
            response = [self.line()]
            while match := re.search(rb"\{(\d+)\}$", response[-1]):
                response += [self.octets(int(match[1])), self.line()]
            if response[0].startswith(b"* BYE"):
                raise Lost(response[0].decode())
            if not response[0].startswith(tag + b" "):
                untagged.append(response)
                continue
            answer = response[0][len(tag) + 1:].decode()
            if not answer.startswith("OK"):
                raise Refused(f"{parts[0][:60] if isinstance(parts[0], str) else ''}: {answer}")
            return answer, untagged

    def select(self, mailbox):
        if self.selected != mailbox:
            self.selected = None
            self.command(f"SELECT {mailbox}")
            self.selected = mailbox


class POP3(Connection):
    def __init__(self, port, user):
        super().__init__(port)
        self.expect()
        self.command(f"USER {user}")
        self.command("PASS secret")

    def expect(self):
        line = self.line().decode()
        if line.startswith("-ERR"):
            raise Lost(line) if "shutting down" in line else Refused(line)
        return line

    def command(self, text):
        self.send(text.encode() + b"\r\n")
        return self.expect()

    def lines(self, text):
        self.command(text)
        lines = []
        while (line := self.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        return lines


def numbers(text):
    """A set as UIDPLUS has it, `3:5,9`, in its order."""
    result = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        first, last = int(first), int(last or first)
        result += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return result
