"""boto3, brought in where it is needed, and its errors as ours.

Credentials come from boto3's own chain or a named profile of it: SSO, an assumed role, a process;
muster neither asks for them nor keeps them. boto3 itself asks again where AWS throttles.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from passmuster.connectors import Where
from passmuster.errors import Declined, NoLogin, Unreachable, UsageError
from passmuster.text import visible

REGION = "us-east-1"
"""IAM is of no region; a client needs one nevertheless."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_AGAIN = frozenset((
    "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException",
    "ServiceUnavailable", "RequestTimeout", "ConcurrentModification",
    "EntityTemporarilyUnmodifiable",
))  # fmt: skip
Keys = tuple[str, str, str | None]
"""Id, secret and session token."""


class Login:
    """One session; its clients are made when first asked for."""

    def __init__(self, where: Where) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise UsageError("AWS needs boto3: pip install 'passmuster[aws]'") from None
        settings: Mapping[str, str] = where.settings
        self._endpoint = settings.get("endpoint")
        if self._endpoint:
            url = urlsplit(self._endpoint)
            if not url.hostname or not (url.scheme == "https" or url.hostname in _LOOPBACK):
                raise UsageError(f"{visible(self._endpoint)}: no https:// address of an endpoint")
        self._verify = settings.get("ca") or None
        self._config = Config(
            connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 3},
            user_agent_extra="passmuster",
        )  # fmt: skip
        self._clients: dict[tuple[str, str], Any] = {}
        try:
            with failures("AWS"):
                self._session = boto3.Session(profile_name=settings.get("profile"))
                found = self._session.get_credentials()
                if found is not None:
                    found.get_frozen_credentials()  # an SSO session that is over says so here
        except Declined as error:
            raise NoLogin(_how(where, str(error))) from None
        if found is None:
            raise NoLogin(_how(where, "AWS: nobody is logged in"))
        self._check(where.tenant)

    def _check(self, account: str) -> None:
        """Whoever is logged in elsewhere must not stop anything there."""
        found = self.call("sts", "get_caller_identity")["Account"]
        if account and found != account:
            raise Declined(
                f"logged in at the AWS account {visible(found)}, not {account}: "
                "choose another profile", "wrong_account", 403,
            )  # fmt: skip

    def client(self, service: str, region: str | None = None, keys: Keys | None = None) -> Any:
        """A client of *service*; with *keys* of somebody else, and then never kept."""
        region = region or self._session.region_name or REGION
        given: dict[str, Any] = {}
        if keys is not None:
            given = dict(zip(
                ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), keys,
                strict=True,
            ))  # fmt: skip
        elif (service, region) in self._clients:
            return self._clients[service, region]
        with failures(service):
            made = self._session.client(
                service, region_name=region, endpoint_url=self._endpoint, verify=self._verify,
                config=self._config, **given,
            )  # fmt: skip
        if keys is None:
            self._clients[service, region] = made
        return made

    def call(
        self, service: str, name: str, *, region: str | None = None, keys: Keys | None = None,
        **given: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """One question or change. Raises Declined, Unreachable."""
        with failures(f"{service} {name}"):
            found: dict[str, Any] = getattr(self.client(service, region, keys), name)(**given)
        return found

    def every(self, service: str, name: str, *, region: str | None = None,
              **given: Any) -> dict[str, Any]:  # fmt: skip
        """All pages as one answer, as the command line makes it."""
        with failures(f"{service} {name}"):
            pages = self.client(service, region).get_paginator(name).paginate(**given)
            found: dict[str, Any] = pages.build_full_result()
        return found

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def _how(where: Where, why: str) -> str:
    return (
        f"{why}: nothing is asked. Run `aws sso login`, or name a profile that is logged in:"
        f' [sources."{where.source}"] profile = "…" in config.toml'
    )


@contextmanager
def failures(what: str) -> Iterator[None]:
    """What botocore raises, as Declined (with HTTP's status) or Unreachable."""
    from botocore import exceptions as of

    try:
        yield
    except of.ClientError as error:
        told = error.response.get("Error", {})
        code = str(told.get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 400)
        said = f"AWS, {what}: {visible(code)}: {visible(str(told.get('Message', ''))[:300])}"
        if code in _AGAIN or status in (429, 503):
            raise Unreachable(said, again=True) from None
        if status >= 500:
            raise Unreachable(said) from None
        raise Declined(said, code, status) from None
    except (
        of.NoCredentialsError, of.PartialCredentialsError, of.ProfileNotFound, of.SSOError,
        of.CredentialRetrievalError, of.NoAuthTokenError, of.RefreshWithMFAUnsupportedError,
    ) as error:  # fmt: skip
        said = f"AWS: nobody is logged in ({visible(str(error)[:200])})"
        raise Declined(said, "no_login", 401) from None
    except of.ParamValidationError as error:
        said = f"AWS, {what}: {visible(str(error)[:200])}"
        raise Declined(said, "no_such_form", 400) from None
    except (of.BotoCoreError, of.HTTPClientError, OSError) as error:
        raise Unreachable(f"AWS, {what}: {visible(str(error)[:200])}", again=True) from None
