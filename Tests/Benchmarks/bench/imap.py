"""Just enough of an IMAP client to measure with: it counts bytes and lines and does not build objects."""

import socket

from servers import PASSWORD, USER


class Imap:
    def __init__(self, port, login=True, tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket)
        self.buffer = b""
        self.count = 0
        self.line()
        if login:
            self.command(f'LOGIN "{USER}" "{PASSWORD}"')

    def line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def _fill(self):
        received = self.socket.recv(1 << 20)
        if not received:
            raise EOFError("the server closed the connection")
        self.buffer += received

    def send(self, text):
        self.count += 1
        tag = f"t{self.count}".encode()
        self.socket.sendall(tag + b" " + (text.encode() if isinstance(text, str) else text) + b"\r\n")
        return tag

    def command(self, text):
        """Sends a command and returns everything up to and with its tagged reply."""
        tag = self.send(text)
        chunks = [self.buffer]
        tail = self.buffer
        while True:
            position = tail.rfind(b"\r\n" + tag + b" ")
            start = position + 2 if position >= 0 else (0 if tail.startswith(tag + b" ") else -1)
            if start >= 0 and tail.endswith(b"\r\n"):
                break
            received = self.socket.recv(1 << 20)
            if not received:
                raise EOFError("the server closed the connection")
            chunks.append(received)
            tail = tail[-2000:] + received if len(tail) < 4000 else tail[-2000:] + received
        self.buffer = b""
        status = tail[start:].split(b" ", 2)[1]
        if status != b"OK":
            raise RuntimeError(f"{text[:80]} -> {tail[start:][:200]!r}")
        return b"".join(chunks)

    def drain(self, text):
        """Sends a command, throws the answer away, and returns how many octets it had."""
        tag = self.send(text)
        total, tail = len(self.buffer), self.buffer
        buffer = bytearray(1 << 18)
        while not (tail.endswith(b"\r\n") and b"\n" + tag + b" " in tail):
            count = self.socket.recv_into(buffer)
            if not count:
                raise EOFError("the server closed the connection")
            total += count
            tail = (tail + bytes(buffer[max(0, count - 500):count]))[-500:]
        self.buffer = b""
        return total

    def message_count(self):
        answer = self.command("STATUS INBOX (MESSAGES)")
        return int(answer.split(b"MESSAGES ")[1].split(b")")[0])

    def append(self, message, mailbox="INBOX"):
        tag = self.send(f"APPEND {mailbox} {{{len(message)}}}")
        while not self.line().startswith(b"+"):
            pass
        self.socket.sendall(message + b"\r\n")
        while True:
            line = self.line()
            if line.startswith(tag):
                if not line.startswith(tag + b" OK"):
                    raise RuntimeError(line)
                return

    def close(self):
        try:
            self.send("LOGOUT")
            self.socket.close()
        except OSError:
            pass
