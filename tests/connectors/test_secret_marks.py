"""A value is looked through for a mark first: no secret may lack the mark of its own pattern."""

import pytest

from passmuster.connectors import _secrets

LONG = "Q7hT2xV9pR4tW8zLmN3cB6yK1jD5gF0sAaEe"
SECRETS = [
    "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----",
    *(f"gh{kind}_{LONG}" for kind in "pousr"), f"github_pat_{LONG}", f"glpat-{LONG}",
    *(f"xox{kind}-{LONG}" for kind in "abeprs"), f"sk-{LONG}", f"sk_live_{LONG}",
    f"rk_live_{LONG}", f"AIza{LONG[:35]}", f"ya29.{LONG}", f"hvs.{LONG}", f"hvb.{LONG}",
    f"npm_{LONG}", f"SG.{LONG}.{LONG}", f"eyJ{LONG}.{LONG}.x", "$2b$12$x", "$1$abcdefgh",
    "$5$abcdefgh", "$6$abcdefgh", "$y$abcdefgh", "$argon2id$abcdefgh",
    *(f"{{{name}}}abcdefgh" for name in ("SHA", "SSHA", "SHA256", "SSHA512", "MD5", "SMD5",
                                         "CRYPT")),
    f"AccountKey={LONG}", "postgres://app:pw@db.example.com/x",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_wherever_it_stands(secret: str) -> None:
    assert _secrets.is_secret(secret)
    assert _secrets.is_secret(f"note: {secret} and more\n" * 2)


def test_each_pattern_has_a_secret_here() -> None:
    for _, pattern in _secrets._VALUES:
        assert any(pattern.search(secret) for secret in SECRETS), pattern.pattern
