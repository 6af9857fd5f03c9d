"""Mail that comes in is seen at once."""
import statistics
import time

from harness import PASSWORD, case, check, message


class RawIMAP:
    """As much of a client as IDLE needs; imaplib of this Python has none."""

    def __init__(self, server, user, service="imaps"):
        self.socket = server.socket(service)
        self.buffer = b""
        self.line()
        self.send(f'a1 LOGIN {user} "{PASSWORD}"')
        self.until(b"a1 OK")
        self.send("a2 SELECT INBOX")
        self.until(b"a2 OK")

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def line(self):
        while b"\r\n" not in self.buffer:
            data = self.socket.recv(65536)
            check(data, "the server closed")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def until(self, start):
        while True:
            line = self.line()
            if line.startswith(start):
                return line

    def close(self):
        self.socket.close()


@case("idle: delivery over SMTP is seen by an IDLE connection, also after DONE and IDLE in one packet")
def idle(server):
    user = server.user()
    client = RawIMAP(server, user)
    client.send("a3 IDLE")
    client.until(b"+ ")
    times = []
    for number in range(1, 11):
        server.deliver(user, message(f"number {number}"))
        began = time.monotonic()
        client.until(b"* %d EXISTS" % number)
        times.append(time.monotonic() - began)
    check(statistics.median(times) < 0.5, f"EXISTS came {statistics.median(times) * 1000:.1f} ms after the reply")
    client.send("DONE\r\na4 NOOP\r\na5 IDLE")
    client.until(b"a3 OK")
    client.until(b"a4 OK")
    client.until(b"+ ")
    server.deliver(user, message("after"))
    client.until(b"* 11 EXISTS")
    client.send("DONE")
    client.until(b"a5 OK")
    client.close()


@case("push: two IMAP sessions see each other's changes; POP3's next login sees the mail")
def two_sessions(server):
    user = server.user()
    one, two = RawIMAP(server, user), RawIMAP(server, user, "imap")
    two.send("b1 IDLE")
    two.until(b"+ ")
    server.deliver(user, message("seen by both"))
    two.until(b"* 1 EXISTS")
    one.send("a3 NOOP")
    one.until(b"* 1 EXISTS")
    one.until(b"a3 OK")
    one.send(r"a4 STORE 1 +FLAGS (\Flagged)")
    one.until(b"a4 OK")
    two.until(b"* 1 FETCH")
    with server.pop3(user) as client:
        check(client.stat()[0] == 1, "POP3 does not see the message")
        client.dele(1)
        client.quit()
    two.until(b"* 1 EXPUNGE")
    one.close()
    two.close()
