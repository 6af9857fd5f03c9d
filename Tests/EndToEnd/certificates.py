"""Certificates for servers in a world of our own."""
import hashlib
import os

from harness import command, program


class Authority:
    """A certification authority that nobody knows but who is given `certificate`."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0
        self.certificate, self.key = self.paths("authority")
        self.openssl("req", "-x509", "-subj", "/CN=An authority of our own", "-days", "2", *self.new_key(self.key),
                     "-out", self.certificate)

    def issue(self, *names, days=2):
        """Chain and key for these names; negative days make it out of date."""
        self.count += 1
        chain, key = self.paths(f"host{self.count}")
        extensions = os.path.join(self.folder, f"host{self.count}.extensions")
        with open(extensions, "w") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")
        request = self.openssl("req", "-new", "-subj", f"/CN={names[0]}", *self.new_key(key))
        self.openssl("x509", "-req", "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                     "-extfile", extensions, "-out", chain, input=request[request.index("-----BEGIN"):].encode())
        return chain, key

    def self_signed(self, name):
        """Chain and key of somebody who has asked no authority."""
        self.count += 1
        chain, key = self.paths(f"host{self.count}")
        self.openssl("req", "-x509", "-subj", f"/CN={name}", "-days", "2", *self.new_key(key), "-out", chain)
        return chain, key

    def paths(self, name):
        return os.path.join(self.folder, f"{name}.pem"), os.path.join(self.folder, f"{name}.key")

    @staticmethod
    def new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path

    @staticmethod
    def openssl(*arguments, input=None):
        return command(program("openssl"), *arguments, input=input)


def tlsa(chain):
    """The TLSA record of a certificate by its key: DANE-EE, SPKI, SHA-256.  RFC 7671 §5.1."""
    pem = Authority.openssl("x509", "-in", chain, "-noout", "-pubkey")
    der = chain + ".spki"
    Authority.openssl("pkey", "-pubin", "-outform", "DER", "-out", der, input=pem.encode())
    with open(der, "rb") as file:
        return f"3 1 1 {hashlib.sha256(file.read()).hexdigest()}"
