"""Certificates that are created on demand, so that none in the repository expires."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

__all__ = ["Certificate", "certificate"]


class Certificate:
    """A self-signed certificate and its key.

    Args:
        directory: Where the files go.
        name: Its subject, in openssl's notation, such as `IP:127.0.0.1`.

    Attributes:
        file: The certificate.
        key_file: Its private key.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.file = directory / "certificate.pem"
        self.key_file = directory / "key.pem"
        subprocess.run(
            [
                *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split(),
                *f"-nodes -days 2 -subj /CN=test -addext subjectAltName={name}".split(),
                *("-keyout", self.key_file, "-out", self.file),
            ],
            check=True,
            capture_output=True,
        )

    @property
    def server_side(self) -> ssl.SSLContext:
        """The context of a server with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key_file)
        return context

    @property
    def trusting(self) -> ssl.SSLContext:
        """The context of a client that trusts only this certificate."""
        return ssl.create_default_context(cafile=self.file)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and nothing else here makes certificates")
    return Certificate(tmp_path_factory.mktemp("tls"), "IP:127.0.0.1")
