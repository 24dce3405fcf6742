"""MCP and agent configurations: which servers an AI client starts or calls, and with what.

Each server of the file is an identity of kind agent: what the model can do, it does through it.
Each environment variable or header whose name speaks of a secret is a credential, by name alone.
**No value is kept**: of the command line only its program, its options' names and what looks like
a package; of an address only scheme, host and port. A secret that stands in the file itself,
instead of a reference to one (`${env:…}`, `${input:…}`), is told as a sighting of plain text.

Read are `mcpServers` (Claude, Cursor, Windsurf, …) and `servers` beside `inputs` (VS Code). The
file does not say whose it is: `--source MACHINE/CLIENT`.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from passmuster import text
from passmuster.connectors import Context, Format
from passmuster.connectors._json import Part, Window, guarded, mapping, optional, outline
from passmuster.connectors._pages import words
from passmuster.connectors._secrets import is_secret, names_secret
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Identity, Problem, Record, Sighting, Source

_PACKAGE = re.compile(
    r"@?[a-z0-9][a-z0-9._-]{0,60}(?:/[a-z0-9][a-z0-9._-]{0,60}){1,4}(?:[:@][a-z0-9.^~-]{1,20})?"
)
_WORD = re.compile(r"[a-z][a-z-]{0,19}")
_OPTION = re.compile(r"--?[A-Za-z][A-Za-z0-9-]{0,40}")
_REFERENCE = re.compile(r"\$\{[\w.:-]+\}|\$\w+|%\w+%|<[\w -]+>")
_SECRET_ENDS = re.compile(
    r"(?:password|passwd|passphrase|secret|token|apikey|[_-]key|[_-]pat|credentials?)$",
    re.IGNORECASE,
)
"""As names of environment variables end: `PGPASSWORD`, `OPENAI_KEY`, `GITHUB_PAT`."""
_HEADERS = frozenset(("authorization", "proxy-authorization", "x-api-key", "cookie"))


def _servers(found: dict[str, Any]) -> str | None:
    """The member that holds the servers."""
    if "mcpServers" in found:
        return "mcpServers"
    alone = found.keys() <= {"servers", "inputs", "$schema"}
    return "servers" if "servers" in found and alone else None


def _sniff(head: bytes) -> bool:
    """An object with servers that have a command or an address each."""
    found = outline(head)
    name = _servers(found)
    servers = found[name][0] if name and found[name] else None
    return (
        isinstance(servers, dict)
        and bool(servers)
        and all(
            isinstance(s, dict)
            and not s.keys().isdisjoint(("command", "url", "serverUrl", "httpUrl"))
            for s in servers.values()
        )
    )


def _parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of every server in the file."""
    tenant = context.named("a configuration does not say whose it is: --source MACHINE/CLIENT")
    yield Source("mcp", tenant)
    said = False
    for part in _each(stream):
        for record in guarded(_maker(str(part.key)), part):
            said = said or type(record) is not Problem
            yield record
    if not said:
        raise ImportRefused("it names no server that can be read")


def _each(stream: BinaryIO) -> Iterator[Part]:
    """The servers one at a time, by name; whatever else stands in the file is passed over."""
    window = Window(stream)
    if not window.peek():
        raise ImportRefused("the file is empty")
    for member in window.names():
        if member in ("mcpServers", "servers") and window.peek() == "{":
            yield from _members(window)
        else:
            window.value()
    if window.peek():
        window.refuse("something stands after the end")


def _members(window: Window) -> Iterator[Part]:
    for name in window.names():
        window.peek()
        line = window.line()
        yield Part(name, window.value(), line)


def _maker(name: str) -> Any:
    def make(server: text.Json, line: int) -> Iterator[Record]:
        return _server(name, server, line)

    return make


def _server(name: str, server: text.Json, line: int) -> Iterator[Record]:
    uid = f"mcp/{name}"
    url = next(
        (optional(server, n) for n in ("url", "serverUrl", "httpUrl") if server.get(n)), None
    )
    command = optional(server, "command")
    if not url and not command:
        raise ValueError("neither a command nor an address")
    env, headers = mapping(server.get("env")), mapping(server.get("headers"))
    secrets = [("env", n, v) for n, v in env.items() if _speaks_of_secret(n)]
    secrets += [("header", n, v) for n, v in headers.items() if _opens(n)]
    shown, given = _arguments(words(server.get("args")))
    secrets += [("argument", n, v) for n, v in given]
    off = server.get("disabled") is True or server.get("enabled") is False
    about = {
        "address": _address(url), "command": _program(command), "arguments": shown,
        "env": sorted(n for n in env if not _speaks_of_secret(n)),
        "headers": sorted(n for n in headers if not _opens(n)),
        "allowed_without_asking": words(server.get("autoApprove") or server.get("alwaysAllow")),
    }  # fmt: skip
    yield Identity(
        uid, None, name, "agent", "stated",
        nhi_detail="mcp.server.remote" if url else "mcp.server.local",
        status="disabled" if off else "enabled", last_used_state="not_tracked",
        is_external=int(bool(url) and not _local(url)) if url else None,
        attributes=text.json_text({k: v for k, v in about.items() if v}), line=line,
    )  # fmt: skip
    for how, secret, value in secrets:
        credential = f"{uid}#{how}/{secret}"
        yield Credential(
            uid, credential, "static_secret", f"mcp.{how}", secret,
            status="disabled" if off else "enabled", last_used_state="not_tracked", line=line,
        )  # fmt: skip
        if isinstance(value, str) and value and not _REFERENCE.search(value):
            yield Sighting(uid, "plain_text", f"{how} {secret} of the configuration",
                           credential_uid=credential, line=line)  # fmt: skip


def _speaks_of_secret(name: str) -> bool:
    return names_secret(name) or _SECRET_ENDS.search(name) is not None


def _opens(header: str) -> bool:
    return header.lower() in _HEADERS or _speaks_of_secret(header)


def _program(command: str | None) -> str | None:
    """The name of the program, without its folder and without what follows it."""
    if not command:
        return None
    name = PureWindowsPath(PurePosixPath(command.split()[0]).name).name
    return name if len(name) <= 40 and not is_secret(name) else "a program"


def _address(url: str | None) -> str | None:
    """Scheme, host and port; paths and queries of such addresses are often secrets themselves."""
    if not url:
        return None
    try:
        found = urlsplit(url)
        port = f":{found.port}" if found.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{found.scheme}://{found.hostname}{port}" if found.hostname else "no address"


def _local(url: str) -> bool:
    return any(f"//{host}" in url for host in ("localhost", "127.0.0.1", "[::1]"))


def _arguments(args: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """(what may be shown, (option, value) of each that names a secret)."""
    shown: list[str] = []
    secrets: list[tuple[str, str]] = []
    waiting = ""
    for word in args:
        option, has_value, value = word.partition("=")
        if waiting and not word.startswith("-"):
            secrets.append((waiting, word))
            waiting = ""
            continue
        waiting = ""
        if _OPTION.fullmatch(option):
            shown.append(option)
            if _speaks_of_secret(option):
                if has_value:
                    secrets.append((option, value))
                else:
                    waiting = option
        elif (_PACKAGE.fullmatch(word) or _WORD.fullmatch(word)) and not is_secret(word):
            shown.append(word)
        else:
            shown.append("…")
    return shown, secrets


FORMATS = (
    Format(
        name="mcp.config.json",
        title="MCP servers of an AI client's configuration",
        sniff=_sniff,
        parse=_parse,
        howto="cp ~/.cursor/mcp.json .  # or .vscode/mcp.json, claude_desktop_config.json, …",
        covers=(
            "display_name", "kind", "kind_origin", "nhi_detail", "status", "is_external",
            "attributes",
        ),
        supplies=("credential", "sighting"),
    ),
)  # fmt: skip
