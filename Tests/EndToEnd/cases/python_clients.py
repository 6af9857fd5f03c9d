"""Python's smtplib, imaplib and poplib, in all TLS forms."""
import imaplib
import poplib
import smtplib
import socket
import ssl

from harness import HOST, PASSWORD, case, check, equal, message


def subjects(server, user, mailbox="INBOX"):
    with server.imap(user) as client:
        client.select(mailbox, readonly=True)
        found = client.search(None, "ALL")[1][0].split()
        return [client.fetch(number, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode().split(":", 1)[1].strip() for number in found]


@case("smtplib delivers to port 25 in plaintext and after STARTTLS")
def port_25(server):
    user = server.user()
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as client:
        client.sendmail("a@elsewhere.test", [user], message("in plaintext"))
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as client:
        client.starttls(context=server.tls)
        client.ehlo()
        check(not client.has_extn("auth"), "port 25 offers AUTH")
        check(not client.has_extn("starttls"), "STARTTLS is offered again")
        client.sendmail("a@elsewhere.test", [user], message("after STARTTLS"))
    equal(subjects(server, user), ["in plaintext", "after STARTTLS"], "subjects")


@case("smtplib submits on 587 with STARTTLS and on 465, by PLAIN and by LOGIN")
def submission(server):
    user, other = server.user(), server.user()
    for mechanism in ("PLAIN", "LOGIN"):
        for port in ("submission", "submissions"):
            if port == "submission":
                client = smtplib.SMTP(HOST, server.ports[port], timeout=20)
                client.starttls(context=server.tls)
            else:
                client = smtplib.SMTP_SSL(HOST, server.ports[port], timeout=20, context=server.tls)
            with client:
                client.ehlo()
                client.user, client.password = user, PASSWORD
                client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
                client.sendmail(user, [other], message(f"{mechanism} on {port}"))
    equal(len(subjects(server, other)), 4, "messages")


@case("smtplib: wrong password, no login, mail for elsewhere")
def refusals(server):
    user = server.user()
    with smtplib.SMTP_SSL(HOST, server.ports["submissions"], timeout=60, context=server.tls) as client:
        try:
            client.login(user, "wrong")
            check(False, "the wrong password logged in")
        except smtplib.SMTPAuthenticationError as error:
            equal(error.smtp_code, 535, "reply")
        try:
            client.sendmail(user, [user], message("not logged in"))
            check(False, "submission without login")
        except smtplib.SMTPSenderRefused as error:
            equal(error.smtp_code, 530, "reply")
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as client:
        try:
            client.sendmail(user, [user, "not an address"], message("bad recipient"))
        except smtplib.SMTPRecipientsRefused:
            pass


@case("smtplib: 8-bit, SMTPUTF8, and a message with dots and long lines comes out as it went in")
def octets(server):
    user = server.user()
    body = ".\r\n..\r\n.x\r\n" + "y" * 990 + "\r\nümläut\r\n"
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as client:
        client.ehlo()
        for extension in ("8bitmime", "smtputf8", "size", "pipelining", "enhancedstatuscodes", "chunking"):
            check(client.has_extn(extension), extension, "is not offered")
        client.sendmail("absänder@elsewhere.test", [user], message("octets", body), ["SMTPUTF8", "BODY=8BITMIME"])
    with server.imap(user) as client:
        client.select()
        got = client.fetch("1", "(BODY.PEEK[TEXT])")[1][0][1]
        equal(got, body.encode(), "body over IMAP")
        whole = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
        check(whole.startswith(b"Return-Path: <abs"), "no Return-Path:", whole[:60])
        check(b"Received: from " in whole, "no Received")
    with server.pop3(user) as client:
        equal(b"\r\n".join(client.retr(1)[1]) + b"\r\n", whole, "the message over POP3")
        equal(client.list()[1], [b"1 %d" % len(whole)], "LIST")


@case("imaplib: STARTTLS, APPEND, flags, COPY, SEARCH, STATUS, mailboxes, EXPUNGE")
def imap(server):
    user = server.user()
    client = imaplib.IMAP4(HOST, server.ports["imap"], timeout=30)
    client.starttls(server.tls)
    client.login(user, PASSWORD)
    names = b" ".join(client.list()[1])
    for name in (b"INBOX", b"Drafts", b"Sent", b"Trash", b"Archive", b"Junk"):
        check(name in names, name, "is missing in", names)
    for number in range(1, 4):
        kind, data = client.append("INBOX", r"(\Seen $Work)", None, message(f"number {number}", f"body {number}\r\n"))
        equal(kind, "OK", "APPEND")
        check(b"APPENDUID" in data[0], "no APPENDUID in", data)
    equal(client.select()[1], [b"3"], "EXISTS")
    equal(client.search(None, "SUBJECT", '"number 2"')[1], [b"2"], "SEARCH SUBJECT")
    equal(client.search(None, "BODY", '"body 3"')[1], [b"3"], "SEARCH BODY")
    equal(client.search(None, "KEYWORD", "$work", "SEEN")[1], [b"1 2 3"], "SEARCH KEYWORD")
    equal(client.store("2", "+FLAGS", r"(\Deleted)")[0], "OK", "STORE")
    equal(client.copy("1:2", "Archive")[0], "OK", "COPY")
    equal(client.expunge()[1], [b"2"], "EXPUNGE")
    check(b"MESSAGES 2" in client.status("Archive", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")[1][0], "STATUS")
    equal(client.create("Projekte/M&APw-nchen")[0], "OK", "CREATE")
    equal(client.rename("Projekte", "Projects")[0], "OK", "RENAME")
    check(any(b"Projects/M&APw-nchen" in line for line in client.list()[1]), "the renamed mailbox is not listed")
    equal(client.delete("Projects/M&APw-nchen")[0], "OK", "DELETE")
    envelope = client.fetch("1", "(UID FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE)")[1][0]
    check(b'"number 1"' in envelope and b'"TEXT" "PLAIN"' in envelope.upper(), envelope)
    equal(client.logout()[0], "BYE", "LOGOUT")


@case("poplib: STLS, CAPA, UIDL, TOP, DELE, RSET, and the update at QUIT")
def pop3(server):
    user = server.user()
    for number in range(1, 4):
        server.deliver(user, message(f"number {number}", "line 1\r\nline 2\r\nline 3\r\n"))
    client = poplib.POP3(HOST, server.ports["pop3"], timeout=30)
    check("STLS" in client.capa(), "STLS is not announced")
    client.stls(server.tls)
    capabilities = client.capa()
    for capability in ("UIDL", "TOP", "USER", "SASL", "PIPELINING", "RESP-CODES", "UTF8"):
        check(capability in capabilities, capability, "is not announced")
    check("STLS" not in capabilities, "STLS is announced under TLS")
    client.utf8()
    client.user(user)
    client.pass_(PASSWORD)
    count, size = client.stat()
    listed = [tuple(map(int, line.split())) for line in client.list()[1]]
    equal((count, size), (3, sum(octets for _, octets in listed)), "STAT")
    for number, octets in listed:
        _, lines, counted = client.retr(number)
        equal(sum(len(line) + 2 for line in lines), octets, "size of message")
    unique = [line.split()[1] for line in client.uidl()[1]]
    equal(len(set(unique)), 3, "different unique ids")
    check(client.top(1, 1)[1][-1] == b"line 1", "TOP 1 1 does not end in the first line")
    client.dele(1)
    client.rset()
    equal(client.stat()[0], 3, "messages after RSET")
    client.dele(2)
    client.quit()
    with server.pop3(user) as client:
        equal([line.split()[1] for line in client.uidl()[1]], [unique[0], unique[2]], "unique ids after QUIT")
        other = poplib.POP3_SSL(HOST, server.ports["pop3s"], context=server.tls, timeout=30)
        other.user(user)
        try:
            other.pass_(PASSWORD)
            check(False, "the maildrop was opened twice")
        except poplib.error_proto as error:
            check(b"[IN-USE]" in error.args[0], error)
        other.close()
    with server.imap(user) as client:
        equal(client.select()[1], [b"2"], "messages over IMAP")


@case("a client that does not trust the authority does not connect; the server goes on")
def distrust(server):
    for service in ("imaps", "pop3s", "submissions"):
        raw = socket.create_connection((HOST, server.ports[service]), 20)
        try:
            ssl.create_default_context().wrap_socket(raw, server_hostname=HOST)
            check(False, "an unknown authority was trusted")
        except ssl.SSLError:
            raw.close()
    server.works()


@case("any password logs in where no users are given", own_server=True)
def any_password(start):
    server = start(users=0)
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as client:
        client.sendmail("a@elsewhere.test", ["anyone@anywhere.test"], message("to anyone"))
    client = imaplib.IMAP4(HOST, server.ports["imap"], timeout=30)
    client.login("anyone@anywhere.test", "whatever")
    equal(client.select()[1], [b"1"], "messages")
    client.logout()
    check(server.seconds_to_ready < 5, f"ready only after {server.seconds_to_ready:.2f} s")
    server.stop()
