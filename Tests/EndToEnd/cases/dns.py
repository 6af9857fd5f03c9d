"""What DNS has to say for mail to flow: printed, published, compared."""
import hashlib
import json
import os
import re

from harness import case, check, command, equal, program
from cases.serve import Serve
from world import DNS, Peer

DOMAIN, NAME, ADDRESS = "example.zz", "mx.example.zz", "198.18.5.25"


def published(text, folder):
    """The records of a zone file as the little DNS server has them, read by somebody else's parser."""
    path = os.path.join(folder, "zone")
    with open(path, "w") as file:
        file.write(f"{DOMAIN}. 3600 IN SOA ns.{DOMAIN}. root.{DOMAIN}. 1 2 3 4 5\n{DOMAIN}. 3600 IN NS ns.{DOMAIN}.\n{text}\n")
    zone = {}
    for line in command(program("ldns-read-zone"), path).splitlines():
        name, _, _, kind, data = re.split(r"\s+", line.strip(), maxsplit=4)
        words = data.split()
        if kind == "MX":
            value = (int(words[0]), words[1])
        elif kind == "SRV":
            value = (*map(int, words[:3]), words[3])
        elif kind == "TXT":
            value = "".join(re.sub(r"\\(.)", r"\1", part) for part in re.findall(r'"((?:[^"\\]|\\.)*)"', data))
        else:
            value = data
        zone.setdefault(name.rstrip("."), {}).setdefault(kind, []).append(value)
    return zone


@case("dns: the printed records are a zone; published they pass; what is missing is named with its remedy", own_server=True)
def records(start):
    server, dns, provider = start(kind=Serve), DNS(), Peer("127.0.0.60", 0)
    server.martlet("domain", "add", DOMAIN)
    server.martlet("domain", "dkim", DOMAIN)
    chain, key = (os.path.join(server.scratch, name) for name in ("mx.pem", "mx.key"))
    openssl = program("openssl")
    command(
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", chain,
        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    options = ("--set", f"hostname={NAME}", "--set", f"tls.certificates={chain}:{key}", "--address", ADDRESS)
    zone = published(server.martlet("dns", "records", DOMAIN, *options), server.scratch)
    equal(zone[DOMAIN]["MX"], [(10, f"{NAME}.")], "MX")
    equal(zone[NAME]["A"], [ADDRESS], "A")
    equal(zone[f"_imaps._tcp.{DOMAIN}"]["SRV"], [(0, 1, 993, f"{NAME}.")], "SRV")
    equal(len([name for name in zone if name.endswith(f"._domainkey.{DOMAIN}")]), 2, "keys")
    command(openssl, "pkey", "-in", key, "-pubout", "-outform", "DER", "-out", key + ".der")
    with open(key + ".der", "rb") as file:
        equal(zone[f"_25._tcp.{NAME}"]["TLSA"][0].lower().replace(" ", ""), "311" + hashlib.sha256(file.read()).hexdigest(), "TLSA")

    def compared(code, *words):
        return server.martlet(
            "dns", "check", DOMAIN, *options, "--set", f"outbound.resolver={dns.address}", "--set", "outbound.trust_anchors=",
            "--set", f"outbound.port={provider.port}", *words, ok=(code,))

    # There is no web server for a policy here.
    policy = zone.pop(f"_mta-sts.{DOMAIN}")
    dns.zone = zone
    dns.zone.update({
        ".".join(reversed(ADDRESS.split("."))) + ".in-addr.arpa": {"PTR": [NAME]},
        "gmail.com": {"MX": [(5, "mx.gmail.zz")]}, "mx.gmail.zz": {"A": ["127.0.0.60"]}})
    report = json.loads(compared(0, "--json"))
    equal((report["domain"], report["hostname"]), (DOMAIN, NAME), "about")
    found = {(finding["subject"], finding["severity"]) for finding in report["findings"]}
    equal(
        {subject for subject, severity in found if severity == "right"},
        {"MX", "address", "PTR", "SPF", "DKIM", "DMARC", "TLSA", "TLSRPT", "SRV", "port 25"}, "right")
    equal({severity for _, severity in found}, {"right", "advice"}, "severities")

    dns.zone[f"_mta-sts.{DOMAIN}"] = policy
    check("warning  MTA-STS" in compared(2), "a policy that is not served")
    provider.replies["greeting"] = ["554 not from there"]
    for name in list(dns.zone):
        if name.endswith(("_domainkey." + DOMAIN, "in-addr.arpa")):
            del dns.zone[name]
    del dns.zone[DOMAIN]["MX"]
    text = compared(1)
    for subject in ("MX", "PTR", "DKIM", "port 25"):
        check(f"failure  {subject}" in text, subject, "is not named:", text)
    check("[127.0.0.60] says “554 not from there”" in text, text)
    check(f"→ publish: {DOMAIN}. 3600 IN MX 10 {NAME}.\n" in text, text)
    provider.close()
    dns.close()
    server.stop()
