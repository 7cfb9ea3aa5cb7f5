"""One app with a user of PostgreSQL that OpenBao creates, and drops soon; see `survivors`.

with Servers(folder) as servers, Leaseholder(servers, folder, row) as holder:
    holder.rotate()                  # waits until there is a new user, and no older one
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from support.fault_proxy import HOST
from support.leased import Leased
from torture.survivors import ENOUGH_SECONDS, INTERRUPTED, RowError, Survivor

if TYPE_CHECKING:
    from torture.survivors import Servers

TTL_SECONDS, MAX_TTL_SECONDS = (
    10,
    15,
)  # a new user about every 11 s, and the old one dropped 4 s later
LOOK_SECONDS = 0.2
URL = """\
DATABASE_URL = "postgresql://{{{{ DB_USER }}}}:{{{{ DB_PASSWORD | urlencode }}}}@{place}"
"""


class Leaseholder(Survivor):
    """See the module's docstring."""

    def _prepare(self, servers: Servers) -> None:
        self._leased = Leased(servers.openbao, servers.postgres.database())
        self._leased.role(ttl=TTL_SECONDS, max_ttl=MAX_TTL_SECONDS)
        place = f"{HOST}:{servers.postgres.port}/{self._leased.database.name}"
        self._leased.profile(self, self._environ, more=URL.format(place=place))

    def profile(self, name: str, text: str) -> None:
        """Write a profile, for `Leased`."""
        (self._root / "profiles" / name).write_text(text)

    def rotate(self) -> None:
        """Wait until the users of before have been dropped, and the app has another one.

        Raises:
            RowError: that takes too long, or the app ends.
        """
        end = time.monotonic() + ENOUGH_SECONDS
        before = set(self._leased.users())
        self.users = sorted({*self.users, *before})
        while (now := set(self._leased.users())) & before or not now:
            if self._row.control and not now:
                break  # nothing replaces it
            self.check_lives()
            if time.monotonic() > end:
                raise RowError("no new user has replaced the old one")
            if INTERRUPTED.wait(LOOK_SECONDS):
                raise RowError("interrupted")
        self.users = sorted({*self.users, *now})
