"""A time-stamp authority's word (RFC 3161) on the log's checkpoint: not later than this.

What is stamped is the body of the checkpoint, without its signatures, since those of witnesses may
come later. A token is checked against the authority's certificates before it is kept.
"""

from passmuster import transport
from passmuster.errors import MusterError, Unreachable, UsageError, VerificationFailed

DEADLINE_S = 30.0
REQUEST = "application/timestamp-query"


def stamp(data: bytes, url: str, roots: bytes) -> bytes:
    """The authority's answer on *data*, as DER; *roots* are the certificates it must lead to."""
    _installed()
    from rfc3161_client import TimestampRequestBuilder

    request = TimestampRequestBuilder().data(data).cert_request(cert_request=True).build()
    answer = transport.post(url, request.as_bytes(), REQUEST, deadline_s=DEADLINE_S)
    try:
        check(answer, data, roots, nonce=request.nonce)
    except VerificationFailed as error:
        raise Unreachable(f"{url} gave no time stamp that holds: {error}") from None
    return answer


def check(token: bytes, data: bytes, roots: bytes, *, nonce: int | None = None) -> str:
    """When the authority says that it saw *data*; VerificationFailed when the token fails."""
    _installed()
    from cryptography import x509
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    from passmuster.text import rfc3339

    try:
        response = decode_timestamp_response(token)
        builder = VerifierBuilder()
        for certificate in x509.load_pem_x509_certificates(roots):
            builder = builder.add_root_certificate(certificate)
        if nonce is not None:
            builder = builder.nonce(nonce)
        builder.build().verify_message(response, data)
    except (ValueError, VerificationError) as error:
        raise VerificationFailed(f"the time stamp does not hold: {error}") from None
    return rfc3339(response.tst_info.gen_time)


def roots_of(path: str | None) -> bytes:
    """The certificates in the file that the setting `tsa_ca` names."""
    if path is None:
        raise UsageError("tsa_url needs tsa_ca: the file with the authority's certificates (PEM)")
    from pathlib import Path

    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(f"tsa_ca: {path}: {error.strerror}") from None


def _installed() -> None:
    try:
        import rfc3161_client  # noqa: F401 - asked for, to say what to do where it is not
    except ImportError:
        raise MusterError(
            "time stamps need one package more: pip install 'passmuster[tsa]'"
        ) from None
