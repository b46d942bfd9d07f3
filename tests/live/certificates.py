"""Certificates for the tests of TLS, made by openssl: a CA, and what hangs on it or does not."""
import ssl
import subprocess

from conftest import seconds

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A CA in a folder, whose certificate is `file`."""

    def __init__(self, folder, name="test CA"):
        self.folder = folder
        self.file = folder / "ca.pem"
        self._openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", f"/CN={name}",
                      "-days", "2", "-addext", "keyUsage=critical,keyCertSign")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=seconds(30))

    def issue(self, name, subject="localhost", names="DNS:localhost,IP:127.0.0.1,IP:::1", days=2):
        """A certificate and its key, in one file, which is returned. Fewer days than none: it has expired."""
        self._openssl("req", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        file = self.folder / f"{name}.pem"
        file.write_bytes((self.folder / f"{name}.crt").read_bytes() + (self.folder / f"{name}.key").read_bytes())
        return file

    def client(self, certificate=None):
        """A context of Python's that trusts it."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate:
            context.load_cert_chain(certificate)
        return context


def server_context(certificate, client_ca=None):
    """A context of Python's for a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context
