"""Messages that are hard to parse: taken or refused with a clear reply, and read back as they were."""
import imaplib
import smtplib

from harness import HOST, case, check, equal, message

imaplib._MAXLINE = 50_000_000


def round_trip(server, data, commands=("(BODYSTRUCTURE)", "(ENVELOPE)", "(RFC822.SIZE)")):
    """Delivers `data`; if it was taken, it must come back as it went in over IMAP and POP3."""
    user = server.user()
    try:
        with smtplib.SMTP(HOST, server.ports["smtp"], timeout=60) as client:
            client.ehlo()
            client.sendmail("a@elsewhere.test", [user], data, ["BODY=8BITMIME"])
    except smtplib.SMTPDataError as error:
        check(500 <= error.smtp_code < 600, error)
        return False
    with server.imap(user) as client:
        equal(client.select()[1], [b"1"], "messages")
        got = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
        check(got.endswith(data), "the message came back changed:", got[-200:])
        for items in commands:
            equal(client.fetch("1", items)[0], "OK", items)
        equal(client.search(None, "TEXT", "needle")[0], "OK", "SEARCH")
    with server.pop3(user) as client:
        check((b"\r\n".join(client.retr(1)[1]) + b"\r\n").endswith(data), "POP3 gives something else")
        client.top(1, 5)
    return True


@case("hard messages: 100,000 header fields")
def fields(server):
    data = b"".join(b"X-%d: value\r\n" % number for number in range(100_000)) + b"\r\nneedle\r\n"
    round_trip(server, data)
    server.works()


@case("hard messages: one header field of two megabytes, folded and not")
def long_field(server):
    round_trip(server, b"Subject: " + b"folded\r\n " * 200_000 + b"end\r\n\r\nneedle\r\n")
    round_trip(server, b"To: " + b",\r\n ".join(b"a%d@b.test" % number for number in range(100_000)) + b"\r\n\r\nneedle\r\n")
    server.works()


@case("hard messages: MIME nested 10,000 deep, and message/rfc822 in itself 1,000 times")
def nesting(server):
    levels = 10_000
    parts = [b"MIME-Version: 1.0\r\n"]
    for level in range(levels):
        parts.append(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level))
    parts.append(b"\r\nneedle\r\n")
    round_trip(server, b"".join(parts))
    round_trip(server, b"Content-Type: message/rfc822\r\n\r\n" * 1_000 + b"Subject: innermost\r\n\r\nneedle\r\n")
    server.works()


@case("hard messages: 50,000 parts, and a boundary that never comes")
def parts(server):
    many = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 50_000 + b"--x--\r\n"
    round_trip(server, many)
    round_trip(server, b'Content-Type: multipart/mixed; boundary="never"\r\n\r\n' + b"needle\r\n" * 50_000)
    server.works()


@case("hard messages: no header, no blank line, only dots, raw 8-bit, NUL")
def odd(server):
    for data in (
        b"\r\nneedle\r\n", b"Subject: only a header\r\n", b"no header at all\r\n", b".\r\n..\r\n...\r\n",
        b"Subject: \xff\xfe\xe4\r\nFrom: \xe4@\xf6\r\n\r\n\xff\xfe needle\r\n", b"\r\n",
        b"Subject: =?utf-8?q?=FF=FE?= =?x?y?z?=\r\nDate: rubbish\r\nFrom: <<>>@@,;:\r\nTo: (((\r\n\r\nneedle\r\n",
        b"Content-Type: ;;;=\r\nContent-Transfer-Encoding: rot13\r\nContent-Disposition: \"\r\n\r\nneedle\r\n",
    ):
        user = server.user()
        try:
            server.deliver(user, data)
        except smtplib.SMTPDataError as error:
            check(500 <= error.smtp_code < 600, error)
            continue
        with server.imap(user) as client:
            client.select()
            got = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
            check(got.endswith(data), "came back changed:", got[-100:], data)
            for items in ("(ENVELOPE)", "(BODYSTRUCTURE)", "(BODY.PEEK[HEADER])", "(BODY.PEEK[1])", "(BODY.PEEK[TEXT])"):
                equal(client.fetch("1", items)[0], "OK", items)
    server.works()


@case("hard messages: 20 MB over SMTP and 20 MB over APPEND come back the same")
def large(server):
    line = b"0123456789" * 7 + b"\r\n"
    data = message("large") + line * (20_000_000 // len(line))
    round_trip(server, data, ("(RFC822.SIZE)",))
    user = server.user()
    with server.imap(user) as client:
        equal(client.append("INBOX", None, None, data)[0], "OK", "APPEND")
        client.select()
        equal(client.fetch("1", "(BODY.PEEK[])")[1][0][1], data, "appended message")
        equal(client.fetch("1", "(BODY.PEEK[]<1000000.20>)")[1][0][1], data[1_000_000:1_000_020], "partial fetch")


@case("hard messages: one over the size limit is refused before and after it is sent")
def too_large(server):
    user = server.user()
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=60) as client:
        limit = int(client.ehlo() and client.esmtp_features["size"])
        equal(client.mail("a@elsewhere.test", [f"SIZE={limit + 1}"])[0], 552, "MAIL with SIZE")
        client.rset()
        client.mail("a@elsewhere.test")
        client.rcpt(user)
        code, text = client.data(b"Subject: too large\r\n\r\n" + (b"x" * 998 + b"\r\n") * (limit // 1000 + 10))
        equal(code, 552, text)
        equal(client.noop()[0], 250, "NOOP")
    with server.imap(user) as client:
        equal(client.select()[1], [b"0"], "messages")
