"""swaks with every mechanism it has in common with us; it has no SCRAM, and CRAM-MD5 is not offered."""
from harness import HOST, PASSWORD, case, check, command, equal, program


def swaks(server, service, user, *arguments, **keywords):
    return command(
        program("swaks"), "--server", HOST, "--port", str(server.ports[service]), "--to", user, "--timeout", "30",
        "--header", "Subject: by swaks", "--tls-ca-path", server.ca, "--tls-verify", *arguments, **keywords)


@case("swaks delivers on 25, in plaintext and with STARTTLS, with and without PIPELINING")
def exchange(server):
    user = server.user()
    for options in ((), ("--tls",), ("--pipeline",), ("--tls", "--pipeline"), ("--protocol", "SMTP")):
        output = swaks(server, "smtp", user, "--from", "a@elsewhere.test", *options)
        check("<~  250 2.0.0" in output or "<-  250 2.0.0" in output, output)
    with server.imap(user) as client:
        equal(client.select()[1], [b"5"], "messages")


@case("swaks submits by PLAIN and LOGIN on 587 and 465")
def mechanisms(server):
    user = server.user()
    for mechanism in ("PLAIN", "LOGIN"):
        login = ("--from", user, "--auth", mechanism, "--auth-user", user, "--auth-password", PASSWORD)
        check("235 2.7.0" in swaks(server, "submission", user, "--tls", *login), "no 235")
        check("235 2.7.0" in swaks(server, "submissions", user, "--tls-on-connect", *login), "no 235")
    with server.imap(user) as client:
        equal(client.select()[1], [b"4"], "messages")
    # 28: authentication failed.
    swaks(
        server, "submissions", user, "--tls-on-connect", "--from", user, "--auth", "PLAIN", "--auth-user", user,
        "--auth-password", "wrong", ok=(28,))


@case("swaks: CRAM-MD5 is not offered")
def cram(server):
    user = server.user()
    output = swaks(
        server, "submission", user, "--tls", "--from", user, "--auth", "CRAM-MD5", "--auth-user", user,
        "--auth-password", PASSWORD, ok=(28,))
    check("CRAM-MD5" not in output.split("AUTH", 1)[-1].splitlines()[0], output)
