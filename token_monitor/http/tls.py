"""Whom to trust: the certificate authorities of the environment, or those of `certifi`."""

import os
import ssl
from pathlib import Path
from typing import Final

import certifi

_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def tls_context() -> ssl.SSLContext:
    """A client context that verifies certificate and host name.

    Raises OSError: the bundle that the environment names cannot be read.
    """
    variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
    bundle = os.environ[variable] if variable else certifi.where()
    try:
        if Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError:  # an SSLError is one
        raise OSError(f"{variable or 'certifi'} names no readable file of CA certificates: {bundle}") from None
