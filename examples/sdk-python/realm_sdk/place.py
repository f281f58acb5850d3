"""Where a realm is reached: the socket in its home, or loopback with its token."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Either the path of a socket, or a URL with the realm's token."""

    socket: str | None = None
    url: str | None = None
    token: str | None = None

    @staticmethod
    def of(home: str | os.PathLike[str] | None = None, url: str | None = None, token: str | None = None) -> Place:
        """The realm at `url`, or the one in the folder `home`; `REALM_HOME` says which unless told."""
        if url is not None:
            return Place(url=url.rstrip("/"), token=token)
        home = home or os.environ.get("REALM_HOME")
        if not home:
            raise ValueError("no realm is named: give home= or url=, or set REALM_HOME")
        return Place(socket=str(Path(home) / "realmd.sock"))

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}
