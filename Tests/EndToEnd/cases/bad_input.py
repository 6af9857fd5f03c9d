"""Hostile clients: a clear reply or a clean close, bounded memory, and the others go on."""
import base64
import contextlib
import socket
import struct
import threading
import time

from harness import PASSWORD, case, check, equal, message


def talk(server, service, *pieces, half_close=False, timeout=15):
    """Sends the pieces and returns everything the server says until it closes or is silent."""
    said = b""
    with server.socket(service, timeout) as connection:
        connection.settimeout(timeout)
        with contextlib.suppress(OSError):
            said += connection.recv(4096)
            for piece in pieces:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1.5)
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                said += data
    return said


LOGIN = 'a LOGIN {user} "' + PASSWORD + '"\r\n'

# service, what the client sends, what the server's answer must contain (bytes), or None for anything or nothing
ROWS = [
    ("smtp", b"\x00" * 5000 + b"\r\nQUIT\r\n", b"50"),
    ("smtp", b"EHLO " + b"x" * 100_000 + b"\r\nQUIT\r\n", b"\r\n5"),
    ("smtp", b"\xff\xfe\xfd\r\nQUIT\r\n", b"221 "),
    ("smtp", b"EHLO a\nMAIL FROM:<a@b.test>\nQUIT\r\n", b"\r\n"),
    ("smtp", b"EHLO a\r\nMAIL FROM:<" + b"a" * 3000 + b"@b.test>\r\nQUIT\r\n", b"\r\n5"),
    ("smtp", b"EHLO a\r\nMAIL FROM:<a@b.test> SIZE=99999999999999999999\r\nQUIT\r\n", b"\r\n5"),
    ("smtp", b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<u@example.test>\r\nBDAT 99999999999999999999 LAST\r\nQUIT\r\n", b"\r\n421"),
    ("smtp", b"EHLO a\r\nBDAT 10 LAST\r\n0123456789QUIT\r\n", b"\r\n503"),
    ("smtp", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n421"),
    ("smtp", b"EHLO a\r\nDATA\r\nQUIT\r\n", b"\r\n503"),
    ("submission", b"EHLO a\r\nAUTH PLAIN " + b"A" * 50_000 + b"\r\nQUIT\r\n", b"\r\n5"),
    ("submission", b"EHLO a\r\nAUTH PLAIN\r\n" + b"*\r\nQUIT\r\n", b"\r\n501"),
    ("imap", b"a1 LOGIN {99999999999999999999}\r\n", b"a1 BAD"),
    ("imap", b"a1 LOGIN {-5}\r\n", b"a1 BAD"),
    ("imap", b"a1 LOGIN {5x}\r\n", b"a1 BAD"),
    ("imap", b"a1 LOGIN {4294967296+}\r\n", b"* BYE"),
    ("imap", b"a1 LOGIN {10000000}\r\n", b"a1 "),
    ("imap", b"a1 NOOP" + b"\x00" * 10 + b"\r\na2 LOGOUT\r\n", b"a2 OK"),
    ("imap", b"\x00\x01\x02\xff\r\na2 LOGOUT\r\n", b"a2 OK"),
    ("imap", b"x" * 1_000_000 + b"\r\na2 LOGOUT\r\n", b"BAD"),
    ("imap", b"a1 " + b"(" * 100_000 + b"\r\na2 LOGOUT\r\n", b"BAD"),
    ("imap", LOGIN.encode() + b"b SELECT INBOX\r\nc SEARCH " + b"(" * 20_000 + b"\r\nd LOGOUT\r\n", b"c BAD"),
    ("imap", LOGIN.encode() + b"b SELECT INBOX\r\nc SEARCH " + b"NOT " * 10_000 + b"ALL\r\nd LOGOUT\r\n", b"d OK"),
    ("imap", LOGIN.encode() + b"b SELECT INBOX\r\nc FETCH 1:4294967295 FLAGS\r\nd FETCH 4294967296 FLAGS\r\ne LOGOUT\r\n", b"e OK"),
    ("imap", LOGIN.encode() + b"b SELECT INBOX\r\nc UID FETCH " + b"1," * 30_000 + b"1 FLAGS\r\nd LOGOUT\r\n", b"d OK"),
    ("imap", LOGIN.encode() + b"b APPEND INBOX {99999999999}\r\nc NOOP\r\nd LOGOUT\r\n", b"d OK"),
    ("imap", LOGIN.encode() + b"b APPEND INBOX {20+}\r\nshort", None),
    ("imap", LOGIN.encode() + b"b CREATE " + b"a/" * 5_000 + b"b\r\nd LOGOUT\r\n", b"d OK"),
    ("imap", LOGIN.encode() + b'b LIST "" "' + b"*%" * 20_000 + b'x"\r\nd LOGOUT\r\n', b"d OK"),
    ("imap", LOGIN.encode() + b"b SELECT INBOX\r\nc IDLE\r\nrubbish\r\nd LOGOUT\r\n", None),
    ("imap", b"a1 AUTHENTICATE PLAIN\r\n" + b"A" * 100_000 + b"\r\na2 LOGOUT\r\n", b"BAD"),
    ("pop3", b"x" * 1_000_000 + b"\r\nQUIT\r\n", b"-ERR"),
    ("pop3", b"\x00\xff\r\nQUIT\r\n", b"+OK"),
    ("pop3", b"AUTH PLAIN " + b"A" * 100_000 + b"\r\nQUIT\r\n", b"-ERR"),
    ("pop3", b"RETR 99999999999999999999\r\nTOP\r\nQUIT\r\n", b"-ERR"),
]


@case("bad input: lines too long, NULs, 8-bit, absurd numbers, broken literals, deep nesting of parentheses")
def rows(server):
    user = server.user()
    server.deliver(user, message("one"))
    problems = []
    threads = []

    def run(service, sent, wanted):
        said = talk(server, service, sent.replace(b"{user}", user.encode()))
        if wanted is not None and wanted not in said:
            problems.append(f"{service} {sent[:80]!r}: wanted {wanted!r}, got {said[:400]!r}")

    for row in ROWS:
        threads.append(threading.Thread(target=run, args=row))
        threads[-1].start()
    for thread in threads:
        thread.join()
    check(server.is_running(), "the server has ended:\n" + server.log_tail())
    check(not problems, "\n".join(problems))
    server.works()


@case("bad input: a line that never ends, on each protocol, costs no memory")
def endless(server):
    before = server.memory()
    for service in ("smtp", "submission", "imap", "pop3"):
        with server.socket(service) as connection:
            connection.recv(1000)
            sent = 0
            with contextlib.suppress(OSError):
                while sent < 50 << 20:
                    connection.sendall(b"x" * 65536)
                    sent += 65536
    check(server.memory() - before < 30_000, f"memory grew by {server.memory() - before} KB")
    server.works()


@case("bad input: STARTTLS and STLS drop plaintext sent with them")
def injection(server):
    for service, hello, command, injected, trace in (
        ("smtp", b"EHLO a\r\n", b"STARTTLS\r\n", b"MAIL FROM:<evil@x.test>\r\n", b"250"),
        ("submission", b"EHLO a\r\n", b"STARTTLS\r\n", b"RSET\r\n", b"250"),
        ("imap", b"", b"a STARTTLS\r\n", b"evil NOOP\r\n", b"evil"),
        ("pop3", b"", b"STLS\r\n", b"LANG\r\n", b"language"),
    ):
        connection = socket.create_connection(("127.0.0.1", server.ports[service]), 20)
        connection.recv(1000)
        if hello:
            connection.sendall(hello)
            connection.recv(2000)
        connection.sendall(command + injected)
        reply = connection.recv(1)
        while not reply.endswith(b"\n"):
            reply += connection.recv(1)
        check(trace not in reply, service, reply)
        # What follows in the stream is the client's handshake: Python's TLS sends it now.
        secured = server.tls.wrap_socket(connection, server_hostname="localhost")
        secured.settimeout(1)
        try:
            said = secured.recv(2000)
        except (TimeoutError, socket.timeout):
            said = b""
        equal(said, b"", f"{service} after the handshake")
        secured.close()
    server.works()


@case("bad input: half-closed connections get their answers and are closed")
def half_closed(server):
    check(b"221 " in talk(server, "smtp", b"EHLO a\r\nQUIT\r\n", half_close=True), "SMTP")
    check(b"250 " in talk(server, "smtp", b"EHLO a\r\nNOOP\r\nMAIL FR", half_close=True), "SMTP, half a command")
    check(b"a OK" in talk(server, "imap", b"a NOOP\r\nb NO", half_close=True), "IMAP")
    check(b"+OK" in talk(server, "pop3", b"CAPA\r\nNO", half_close=True), "POP3")
    user = server.user()
    lines = f"EHLO a\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<{user}>\r\nDATA\r\n".encode()
    said = talk(server, "smtp", lines, b"Subject: cut off\r\n\r\nand then", half_close=True)
    check(b"\r\n250 2.6" not in said and said.count(b"queued") == 0, said)
    with server.imap(user) as client:
        equal(client.select()[1], [b"0"], "messages cut off")


@case("bad input: TLS cut off inside DATA is not a message")
def truncated(server):
    user = server.user()
    connection = server.socket("submissions")
    connection.recv(1000)
    plain = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
    for line in ("EHLO a", f"AUTH PLAIN {plain}", f"MAIL FROM:<{user}>", f"RCPT TO:<{user}>", "DATA"):
        connection.sendall(line.encode() + b"\r\n")
        check(connection.recv(2000)[:1] in b"23", line)
    connection.sendall(b"Subject: cut\r\n\r\ntext\r\n")
    # The TCP connection ends without close_notify.
    raw = socket.socket(fileno=connection.detach())
    raw.close()
    time.sleep(0.3)
    with server.imap(user) as client:
        equal(client.select()[1], [b"0"], "messages")


@case("bad input: resets, TLS rubbish and silent connections leave nothing behind")
def resets(server):
    for service in ("smtp", "imaps", "pop3s", "submissions", "imap"):
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", server.ports[service]), 20)
            connection.sendall(b"\x16\x03\x01\x02\x00rubbish" * 10)
            # Linger 0: closing sends RST.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    server.works()


@case("bad input: 200 slow writers do not hold up the others")
def slow_writers(server):
    stop = time.monotonic() + 4
    connections = []
    for number in range(200):
        service = ("smtp", "imap", "pop3", "submission")[number % 4]
        connections.append(socket.create_connection(("127.0.0.1", server.ports[service]), 20))
    position = 0
    slowest = 0
    text = b"EHLO a.very.slow.client.example\r\n" * 4
    while time.monotonic() < stop:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.send(text[position:position + 1])
        position = (position + 1) % len(text)
        began = time.monotonic()
        if position % 10 == 0:
            server.works()
            slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.02)
    for connection in connections:
        connection.close()
    check(slowest < 3, f"a delivery and a login took {slowest:.1f} s")


@case("bad input: a reader that takes nothing costs bounded memory")
def slow_reader(server):
    user = server.user()
    server.deliver(user, message("large", ("z" * 76 + "\r\n") * 100_000))
    before = server.memory()
    connections = []
    for number in range(10):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", server.ports["imap"]))
        connection.recv(1000)
        commands = f'a LOGIN {user} "{PASSWORD}"\r\nb SELECT INBOX\r\n'
        connection.sendall((commands + "c FETCH 1 BODY.PEEK[]\r\n" * 20).encode())
        connections.append(connection)
    time.sleep(1.5)
    grown = server.memory() - before
    for connection in connections:
        connection.close()
    # Ten clients, each 20 times 7.8 MB asked for.
    check(grown < 150_000, f"memory grew by {grown} KB")
    server.works()
