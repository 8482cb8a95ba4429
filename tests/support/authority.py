"""A certificate authority for one test."""

import hashlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.x509 import NameAttribute


class Authority:
    """Issues certificates that only those trust who were given its file."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """A server-side context; the certificate is for `names`."""
        until = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2020, 2, 1, tzinfo=UTC)}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*(names or ("127.0.0.1",)), **(until if expired else {})).configure_cert(context)
        return context

    def write(self, path: Path) -> Path:
        """The CA's own certificate, as a bundle."""
        self._ca.cert_pem.write_to_path(str(path))
        return path

    def write_folder(self, folder: Path) -> Path:
        """The same in a folder with the hashed name that OpenSSL looks for."""
        folder.mkdir()
        self.write(folder / f"{_subject_hash(self._ca.cert_pem.bytes()):08x}.0")
        return folder


def _subject_hash(pem: bytes) -> int:
    """X509_NAME_hash: the first four bytes, little-endian, of the SHA-1 of the canonical subject."""

    def canonical(attribute: NameAttribute[str]) -> bytes:
        value = " ".join(str(attribute.value).lower().split()).encode()
        oid = attribute.oid.dotted_string.split(".")
        encoded = bytes([int(oid[0]) * 40 + int(oid[1]), *map(int, oid[2:])])
        return _tlv(0x31, _tlv(0x30, _tlv(0x06, encoded) + _tlv(0x0C, value)))

    subject = x509.load_pem_x509_certificate(pem).subject
    return int.from_bytes(hashlib.sha1(b"".join(map(canonical, subject))).digest()[:4], "little")


def _tlv(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([tag, len(content)]) + content
