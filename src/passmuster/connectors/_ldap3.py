"""A directory that was logged in at: questions, changes, and whether it takes a password.

The one module that knows ldap3 (extra `passmuster[ldap]`; pure Python, last release 2021, so it is
kept to what stands here). TLS is our own: ldap3 compares host names by a function that Python 3.12
took away, and believes any certificate unless told otherwise.

Simple binds only: SASL (GSSAPI, EXTERNAL) is not here. Where a directory takes nothing else, the
plan's ldapmodify lines do it. No referral is followed: the password would go along.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from passmuster.connectors._live import Where
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import visible

PAGE = 1000
"""Entries of one answer; Active Directory gives no more at once."""
CONNECT_S, ANSWER_S = 10, 30
LOOPBACK = ("localhost", "127.0.0.1", "::1")
START_TLS = "1.3.6.1.4.1.1466.20037"
_PAGED = "1.2.840.113556.1.4.319"
_PPOLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
# result codes (RFC 4511, appendix A) as the numbers that HTTP has for the like
_STATUS = {
    7: 401, 8: 403, 13: 403, 48: 401, 49: 401, 50: 403, 32: 404, 3: 413, 4: 413, 11: 413,
    16: 409, 19: 409, 20: 409, 21: 422, 34: 422, 53: 409, 65: 409, 67: 409, 68: 409,
}  # fmt: skip
NO_SUCH_OBJECT, INVALID_CREDENTIALS, UNWILLING = 32, 49, 53
_REFERRAL, _BUSY, _UNAVAILABLE = 10, 51, 52

Values = dict[str, list[bytes]]


class Found(NamedTuple):
    """An entry; the names of its attributes as the server spells them."""

    dn: str
    values: Values

    def texts(self, name: str) -> list[str]:
        """Values of *name*, whatever the case of its letters; what is no UTF-8 is made visible."""
        wanted = name.lower()
        return [
            value.decode("utf-8", "backslashreplace")
            for key, values in self.values.items() if key.lower() == wanted
            for value in values
        ]  # fmt: skip

    def first(self, name: str) -> str | None:
        """The first value of *name*."""
        return next(iter(self.texts(name)), None)


class Tried(NamedTuple):
    """How a directory answered to a bind."""

    code: int
    """0: it took it (RFC 4511, appendix A)."""
    words: str
    """What the server said beside it; Active Directory hides the reason there (`data 533`)."""
    locked: bool
    """The password policy's own word that the account is locked (`ppolicy_use_lockout`)."""


class Directory:
    """One server, bound as the `user` of the settings; not for several threads at once."""

    def __init__(self, where: Where, default: str | None = None) -> None:
        """Log in. *default*: the address where the settings name none."""
        self._ldap3 = _library()
        settings = where.settings
        address, user = settings.get("endpoint") or default, settings.get("user")
        if not address or not user:
            missing = "user" if address else "endpoint"
            raise UsageError(
                f'{where.source}: say {missing} under [sources."{where.source}"] in config.toml: '
                'endpoint = "ldaps://HOST", user = the DN to bind as'
            )  # fmt: skip
        self.address = _checked(address)
        self._ca = settings.get("ca")
        password = where.secret("ldap", ())
        if not password:
            # RFC 4513, 5.1.2: a name with an empty password is let in as nobody
            raise UsageError(f"{where.source}: no password for {visible(user)} in the keyring")
        self._connection: Any = self._open()
        try:
            tried = self._bind(self._connection, user, password)
            if tried.code:
                raise self._refusal(tried.code, tried.words, "the login")
            self.root = self._root()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Say good-bye; whatever the server answers to that."""
        self._ended(self._connection)

    def one(self, dn: str, attributes: list[str], match: str = "(objectClass=*)") -> Found | None:
        """The entry *dn*, where it is there and fits *match*."""
        found = self._search(dn, match, "BASE", attributes)
        return next((item for item in found if isinstance(item, Found)), None)

    def first(self, base: str, match: str, attributes: list[str]) -> Found | None:
        """The one entry below *base* that fits *match*; None where there is none, or not one."""
        found = [f for f in self._search(base, match, "SUBTREE", attributes)
                 if isinstance(f, Found)]  # fmt: skip
        return found[0] if len(found) == 1 else None

    def entries(self, base: str, match: str, attributes: list[str]) -> Iterator[Found | str]:
        """All entries below *base*, page by page; a `str` is a referral to another server.

        Long lists of values come whole: Active Directory sends 1,500 at once.
        """
        cookie: bytes | None = b""
        while cookie is not None:
            page = self._search(base, match, "SUBTREE", attributes, cookie or None)
            control = (self._connection.result.get("controls") or {}).get(_PAGED)
            cookie = (control["value"].get("cookie") or None) if control else None
            for item in page:
                yield self._whole(item) if isinstance(item, Found) else item

    def change(self, dn: str, name: str, how: str, values: list[str]) -> None:
        """Change one attribute; *how*: add, delete, replace."""
        operation = getattr(self._ldap3, f"MODIFY_{how.upper()}")
        with _told(self.address):
            self._connection.modify(dn, {name: [(operation, values)]})
        self._expect(f"changing {name}")

    def tries(self, dn: str, password: str) -> Tried:
        """Whether the server takes *password* for *dn*, on a connection of its own."""
        connection = self._open()
        try:
            return self._bind(connection, dn, password)
        finally:
            self._ended(connection)

    def escaped(self, value: str) -> str:
        """*value* for a filter (RFC 4515)."""
        from ldap3.utils.conv import escape_filter_chars

        return str(escape_filter_chars(value))

    def _open(self) -> Any:
        parts = urlsplit(self.address)
        library = self._ldap3
        with _told(self.address):
            server = library.Server(
                parts.hostname, port=parts.port or (636 if parts.scheme == "ldaps" else 389),
                use_ssl=parts.scheme == "ldaps", get_info=library.NONE,
                connect_timeout=CONNECT_S, tls=_tls(self._ca),
            )  # fmt: skip
            connection = library.Connection(
                server, authentication=library.ANONYMOUS, auto_bind=library.AUTO_BIND_NONE,
                auto_referrals=False, auto_range=False, receive_timeout=ANSWER_S, check_names=False,
                raise_exceptions=False, return_empty_attributes=False,
            )  # fmt: skip
        try:
            with _told(self.address):
                connection.open(read_server_info=False)
                if parts.scheme == "ldap" and (self._ca or parts.hostname not in LOOPBACK):
                    connection.start_tls(read_server_info=False)
        except BaseException:
            self._ended(connection)
            raise
        return connection

    def _bind(self, connection: Any, user: str, password: str) -> Tried:
        connection.authentication = self._ldap3.SIMPLE
        connection.user, connection.password = user, password
        try:
            with _told(self.address):
                connection.bind(read_server_info=False, controls=[(_PPOLICY, False, None)])
        finally:
            connection.password = None
        result = connection.result
        answered = (result.get("controls") or {}).get(_PPOLICY) or {}
        return Tried(result["result"], result["message"], _is_locked(answered.get("value")))

    def _ended(self, connection: Any) -> None:
        try:
            with _told(self.address):
                connection.unbind()
        except Unreachable:
            pass
        finally:
            # ldap3 leaves it open where it lost the connection by itself
            if connection.socket is not None:
                connection.socket.close()

    def _root(self) -> Found:
        wanted = ["namingContexts", "defaultNamingContext", "vendorName"]
        found = self.one("", wanted)
        if found is None:
            raise Unreachable(f"{self.address}: no root entry (RFC 4512, 5.1): no LDAP directory?")
        return found

    def _search(
        self, base: str, match: str, scope: str, attributes: list[str], cookie: bytes | None = None
    ) -> list[Found | str]:
        paged = {"paged_size": PAGE, "paged_cookie": cookie} if scope == "SUBTREE" else {}
        with _told(self.address):
            self._connection.search(
                base, match, search_scope=scope, attributes=attributes, **paged,
            )  # fmt: skip
            response = self._connection.response
        if scope == "BASE" and self._connection.result["result"] == NO_SUCH_OBJECT:
            return []
        self._expect(f"searching {visible(base) or 'the root entry'}")
        found: list[Found | str] = []
        for item in response or ():
            if item["type"] == "searchResEntry":
                values = {str(k): list(v) for k, v in item["raw_attributes"].items()}
                found.append(Found(item["raw_dn"].decode("utf-8", "backslashreplace"), values))
            elif item["type"] == "searchResRef":
                found += [str(uri) for uri in item["uri"]]
        return found

    def _whole(self, found: Found) -> Found:
        """*found* with the rest of each value list of which only a range came (MS-ADTS 3.1.1.3)."""
        values: Values = {}
        for name, some in found.values.items():
            plain, ranged, rest = name.partition(";range=")
            if not ranged:
                values.setdefault(name, some)
                continue
            every, end = list(some), rest.rpartition("-")[2]
            while end != "*":
                more = self.one(found.dn, [f"{plain};range={int(end) + 1}-*"])
                spelled = [(k, v) for k, v in (more.values if more else {}).items() if v]
                if not spelled:
                    raise Unreachable(f"{self.address}: the rest of {plain} did not come")
                every += spelled[0][1]
                end = spelled[0][0].rpartition("-")[2]
            values[plain] = every
        return Found(found.dn, values)

    def _expect(self, what: str) -> None:
        result = self._connection.result
        if result["result"]:
            raise self._refusal(result["result"], result["message"] or result["description"], what)

    def _refusal(self, code: int, words: str, what: str) -> Unreachable:
        said = f"{self.address} answered {code} to {what}: {_plain(words)}".rstrip(": ")
        if code == _REFERRAL:
            return Unreachable(f"{said}: it is a copy that cannot be written; name another server")
        if code in (_BUSY, _UNAVAILABLE):
            return Unreachable(said, again=True)
        if code not in _STATUS:
            return Unreachable(said)
        return Declined(said, str(code), _STATUS[code])


def _plain(words: str) -> str:
    return visible(words.rstrip("\0\n"))[:200]


def _checked(address: str) -> str:
    parts = urlsplit(address)
    try:
        known = parts.scheme in ("ldap", "ldaps") and parts.hostname and (parts.port or 1)
    except ValueError:
        known = None
    if not known or parts.username or parts.path.strip("/") or parts.query:
        raise UsageError(f"{visible(address)}: no address of a directory: ldaps://HOST[:PORT]")
    return f"{parts.scheme}://{parts.netloc}"


def _is_locked(value: Any) -> bool:
    """Whether a PasswordPolicyResponseValue (draft-behera, 6.2) has error accountLocked (1)."""
    return isinstance(value, bytes) and value[:1] == b"\x30" and value[-3:] == b"\x81\x01\x01"


class _told:  # noqa: N801 - used as a word: `with _told(address):`
    """Turns whatever ldap3 raises into Unreachable, and keeps its deprecation warnings to it.

    It raises IndexError and the like where an answer is no LDAP at all.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._quiet = warnings.catch_warnings()

    def __enter__(self) -> None:
        self._quiet.__enter__()
        warnings.simplefilter("ignore", DeprecationWarning)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        self._quiet.__exit__(None, None, None)
        if isinstance(error, Exception) and not isinstance(error, Unreachable | UsageError):
            why = _plain(" ".join(str(error).split())) or type(error).__name__
            raise Unreachable(f"{self._address}: {why}", again=isinstance(error, OSError)) from None


def _library() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import ldap3
        except ImportError:
            raise UsageError(
                "speaking with a directory needs one package more: pip install 'passmuster[ldap]'"
            ) from None
    return ldap3


def _tls(ca: str | None) -> Any:
    import ssl

    from ldap3 import Tls

    class Checked(Tls):  # type: ignore[misc]
        """Python's own check of certificate and host name, addresses included."""

        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            context = ssl.create_default_context(cafile=ca)
            connection.socket = context.wrap_socket(
                connection.socket, server_hostname=connection.server.host,
                do_handshake_on_connect=do_handshake,
            )  # fmt: skip

    return Checked(validate=ssl.CERT_REQUIRED)


def context_of(wanted: str, named: Mapping[str, str], address: str) -> str:
    """The suffix to read: that of the tenant *wanted* among *named* (tenant → suffix)."""
    if wanted and wanted in named:
        return named[wanted]
    if not wanted and len(named) == 1:
        return next(iter(named.values()))
    have = ", ".join(sorted(named)) or "nothing"
    if wanted:
        raise UsageError(f"{address} has {visible(have)}, and not {visible(wanted)}")
    raise UsageError(f"{address} has {visible(have)}: say which, as in ldap:{visible(min(named))}"
                     if named else f"{address} has no naming context")  # fmt: skip
