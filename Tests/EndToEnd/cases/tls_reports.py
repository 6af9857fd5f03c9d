"""What other domains are told of TLS with their servers, a day later."""
import email
import email.policy
import gzip
import json
import os
import re
import smtplib
import time
import unittest.mock

from certificates import Authority, tlsa
from harness import HOST, case, check, command, equal, message, packages, program
from policies import Policies
from cases.sending import World, report
from cases.sending_tls import SignedWorld, folder, signed_folder
from world import until


# To noon of the next day (UTC), at any time of this one: by then each report is due, and none is given up.
LATER = 36 * 3600 - int(time.time()) % 86400


def later(server, folder):
    """Starts a server for which it is later."""
    library = os.path.join(folder, "later.so")
    source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "later.c")
    command(program("cc"), "-shared", "-fPIC", "-O", f"-DLATER={LATER}", source, "-o", library)
    server.environment = {"LD_PRELOAD": library}
    server.start()


class Signed:
    """A domain of ours whose keys are in DNS and sign."""

    def __init__(self, world, domain):
        packages(world.server, "dkimpy", "pynacl")
        self.world, self.domain = world, domain
        for key in self.keys():
            world.dns.zone[key["recordName"]] = {"TXT": [key["record"]]}
        self.await_keys()

    def keys(self):
        return json.loads(self.world.server.martlet("domain", "dkim", self.domain, "--json"))

    def await_keys(self):
        until(lambda: all(key["stage"] == "signing" for key in self.keys()), "keys that sign")

    def verify(self, data):
        import dkim

        def records(name, timeout=5):
            return self.world.dns.zone[name.decode().rstrip(".")]["TXT"][0].encode()
        # For the server it is later.
        now = time.time() + LATER
        with unittest.mock.patch("time.time", lambda: now):
            for index in range(2):
                check(dkim.DKIM(data).verify(index, dnsfunc=records), f"signature {index}", data)
        equal(data.count(f"d={self.domain};".encode()), 2, "signatures of the domain")


# What is to be told of each domain: policy and failure.
WANTED = {
    "good.zz": ("sts", None), "bad.zz": ("sts", "certificate-host-mismatch"), "lost.zz": ("sts", "sts-policy-fetch-error"),
    "bare.zz": ("no-policy-found", "starttls-not-supported")}


def look_at_reports(world, signed, peers, web):
    arrived = {}
    for _ in WANTED:
        sender, recipients, data = peers["reports"].mail()
        equal((sender, recipients), ("", ["tls@reports.zz"]), "envelope")
        signed.verify(data)
        text = email.message_from_bytes(data, policy=email.policy.default)
        arrived[text["TLS-Report-Domain"]] = text
    equal(sorted(arrived), sorted(WANTED), "reported")
    files = {}
    for domain, text in arrived.items():
        equal((text.get_content_type(), text.get_param("report-type")), ("multipart/report", "tlsrpt"), "type")
        equal((str(text["From"]), text["TLS-Report-Submitter"]), ("tls-reports@ours.zz", "ours.zz"), "from")
        part = list(text.iter_parts())[1]
        equal(part.get_content_type(), "application/tlsrpt+gzip", "type of the file")
        files[domain] = part.get_content()
        found = json.loads(gzip.decompress(files[domain]))
        check(re.fullmatch(rf"Report Domain: {domain} Submitter: ours.zz Report-ID: <{re.escape(found['report-id'])}>",
                           str(text["Subject"])), "subject", text["Subject"])
        check(re.fullmatch(rf"ours\.zz!{domain}!\d+!\d+!\w+\.json\.gz", part.get_filename()), "file name", part.get_filename())
        equal((found["organization-name"], found["contact-info"]), ("Ours & \"Sons\"", "tls-reports@ours.zz"), "who")
        day = found["date-range"]["start-datetime"]
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", day), "day", day)
        equal(found["date-range"]["end-datetime"], day.replace("00:00:00", "23:59:59"), "end of the day")
        (policy,) = found["policies"]
        kind, result = WANTED[domain]
        applied = {
            "mx-host": [f"mx.{domain}"],
            "policy-string": ["version: STSv1", "mode: enforce", f"mx: mx.{domain}", "max_age: 86400"]}
        equal(policy["policy"], {
            "policy-type": kind, "policy-domain": domain, **(applied if domain in ("good.zz", "bad.zz") else {})}, "policy")
        summary = policy["summary"]
        if not result:
            equal(summary, {"total-successful-session-count": 1, "total-failure-session-count": 0}, "summary")
            check("failure-details" not in policy, "failures", policy)
            continue
        equal(summary["total-successful-session-count"], 0, "successes")
        check(summary["total-failure-session-count"] >= 1, "failures", summary)
        (failure,) = policy["failure-details"]
        check(failure.pop("failure-reason-code"), "a reason", failure)
        equal(failure, {
            "result-type": result, "sending-mta-ip": "127.0.0.1",
            "receiving-mx-hostname": f"mx.{domain}", "receiving-ip": peers[domain.split(".")[0]].address,
            "failed-session-count": summary["total-failure-session-count"]}, "failure")
    posted = until(lambda: web.posted, "a report over HTTPS")
    equal(posted, [("https://web.reports.zz/v1/tlsrpt?for=bad", "application/tlsrpt+gzip", files["bad.zz"])], "posted")
    until(lambda: not world.queue(), "an empty queue")


def look_at_bounce(world, signed):
    # A report of a delivery is signed by the domain that our host is in.
    signed.await_keys()
    world.peer("strict", RCPT="550 5.1.1 no such person here")
    world.server.martlet("alias", "add", "away@example.test", "nobody@strict.zz")
    with smtplib.SMTP(HOST, world.server.ports["smtp"], timeout=20) as client:
        client.sendmail("b@first.zz", ["away@example.test"], message("in vain"))
    sender, recipients, data = world.peers[0].mail()
    equal((sender, recipients), ("", ["b@first.zz"]), "envelope")
    signed.verify(data)
    equal([part["Status"] for part in report(email.message_from_bytes(data, policy=email.policy.default))], ["5.1.1"],
          "reported")


@case("TLS reports: what a day brought is mailed and posted on the next, signed, where TLS fails too", own_server=True)
def tls_reports(start):
    with folder() as path:
        authority = Authority(path)
        chain, key = authority.issue(HOST)
        web = Policies("127.0.0.1", authority.issue(
            "mta-sts.lost.zz", "mta-sts.good.zz", "mta-sts.bad.zz", "mta-sts.quiet.zz", "mta-sts.reports.zz", "web.reports.zz"))
        peers = {}

        def prepare(world):
            # The one that takes reports breaks its own policy.
            for name, certificate in (
                    ("good", authority.issue("mx.good.zz")), ("bad", authority.issue("mx.elsewhere.zz")),
                    ("quiet", None), ("reports", authority.self_signed("mx.elsewhere.zz"))):
                peers[name] = world.peer(name, certificate=certificate)
                host = "mx.other.zz" if name == "reports" else f"mx.{name}.zz"
                web.texts[f"mta-sts.{name}.zz"] = f"version: STSv1\nmode: enforce\nmx: {host}\nmax_age: 86400\n"
                world.dns.zone[f"mta-sts.{name}.zz"] = {"A": [web.address]}
                world.dns.zone[f"_mta-sts.{name}.zz"] = {"TXT": ["v=STSv1; id=1;"]}
            post = f"https://web.reports.zz:{web.port}/v1/tlsrpt?for=bad"
            world.dns.zone["web.reports.zz"] = {"A": [web.address]}
            # One has lost its policy, the other never had one.
            peers["lost"] = world.peer("lost", certificate=authority.issue("mx.lost.zz"))
            peers["bare"] = world.peer("bare")
            world.dns.zone["_mta-sts.lost.zz"] = {"TXT": ["v=STSv1; id=1;"]}
            world.dns.zone["mta-sts.lost.zz"] = {"A": [web.address]}
            for name in ("good", "lost", "bare"):
                world.dns.zone[f"_smtp._tls.{name}.zz"] = {"TXT": ["v=TLSRPTv1; rua=mailto:tls@reports.zz"]}
            world.dns.zone["_smtp._tls.bad.zz"] = {"TXT": [f"v=TLSRPTv1;rua=mailto:tls@reports.zz, {post};"]}

        world = World(
            start, "--hostname", "mail.ours.zz", "--set", f"tls.certificates={chain}:{key}",
            "--set", f"outbound.authorities={authority.certificate}", "--set", f"outbound.policy_port={web.port}",
            "--set", "outbound.tls_report_contact=tls-reports@ours.zz",
            "--set", "outbound.tls_report_organization=Ours & \"Sons\"", prepare=prepare, trusts=authority.certificate)
        world.server.martlet("domain", "add", "ours.zz")
        signed = Signed(world, "ours.zz")
        world.send(*(f"a@{name}.zz" for name in ("good", "bad", "quiet", "lost", "bare")))
        for name in ("good", "lost", "bare"):
            equal(peers[name].mail()[1], [f"a@{name}.zz"], "recipients")
        for name in ("bad", "quiet"):
            world.delivery(f"a@{name}.zz", "deferred")
        world.server.martlet("queue", "drop", "--all")
        world.server.stop()

        later(world.server, path)
        look_at_reports(world, signed, peers, web)
        look_at_bounce(world, signed)
        world.end()
        web.close()
        equal((len(web.posted), peers["reports"].count), (1, len(WANTED)), "reports, no second ones")


@case("TLS reports: DANE: records that fit, do not, can't be used, and can't be had, each by its name", own_server=True)
def dane_reports(start):
    wanted = {"good": None, "wrong": "validation-failure", "unusable": "tlsa-invalid", "bogus": "dnssec-invalid"}
    with signed_folder() as (path, dns):
        authority = Authority(path)
        web = Policies("127.0.0.1", authority.issue("web.zz"))
        own = {name: authority.self_signed(f"mx.{name}.zz") for name in wanted}
        peers = {}

        def prepare(world):
            records = {"good": tlsa(own["good"][0]), "wrong": "3 1 1 " + "ab" * 32, "unusable": "1 1 1 " + "ab" * 32,
                       "bogus": "3 1 1 " + "ab" * 32}
            for name in wanted:
                peers[name] = world.peer(name, certificate=own[name])
                world.secure(f"mx.{name}.zz", records[name])
                dns.zone[f"_smtp._tls.{name}.zz"] = {"TXT": [f"v=TLSRPTv1; rua=https://web.zz:{web.port}/{name}"]}
            dns.zone["web.zz"] = {"A": [web.address]}
            dns.tampered.add("mx.bogus.zz")

        world = SignedWorld(start, dns, prepare, options=("--set", f"outbound.authorities={authority.certificate}"))
        world.send(*(f"a@{name}.zz" for name in wanted))
        for name in wanted:
            world.delivery(f"a@{name}.zz", "sent" if name in ("good", "unusable") else "deferred")
        world.server.martlet("queue", "drop", "--all")
        world.server.stop()
        later(world.server, path)
        until(lambda: len(web.posted) == len(wanted), "reports")
        for url, _, octets in web.posted:
            name = url.split("/")[-1]
            (policy,) = json.loads(gzip.decompress(octets))["policies"]
            equal((policy["policy"]["policy-type"], policy["policy"]["policy-domain"]), ("tlsa", f"mx.{name}.zz"), "policy")
            equal([failure["result-type"] for failure in policy.get("failure-details", [])],
                  [wanted[name]] if wanted[name] else [], f"failures of {name}")
            equal(policy["summary"]["total-successful-session-count"], 0 if wanted[name] else 1, f"successes of {name}")
            if name != "bogus":
                (record,) = policy["policy"]["policy-string"]
                check(re.fullmatch(r"[13] 1 1 [0-9a-f]{64}", record), "record", record)
        world.end()
        web.close()
