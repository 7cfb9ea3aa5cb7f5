"""A worker of a fleet that notices everything within a second or so; `python -m` runs it.

    python -m support.fleet_worker PROFILES [PACE]

ENVKIT_QUEUE names the queue. PACE is JSON with the settings that differ from ours. The output is
that of `envkit rotate serve`.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from envkit.cli.commands.rotate.serve import Log
from envkit.rotation import engine
from envkit.rotation.fleet.database import queue_dsn
from envkit.rotation.fleet.jobs import Pace
from envkit.rotation.fleet.worker import FleetWorker
from envkit.rotation.jobs import run_rotation
from envkit.rotation.scheduler.catalog_watcher import CatalogWatcher

PACE = Pace(
    periodic="* * * * * *",
    poll_seconds=0.1,
    heartbeat_seconds=0.3,
    gone_seconds=1.5,
    margin_seconds=1.0,
    patience_seconds=1.0,
)


def main(folder: str, pace: str = "{}") -> None:
    """Work until SIGTERM."""
    engine.CLOCK_MARGIN_SECONDS = 0.5  # all workers of a test have the same clock
    log = Log()
    dsn = queue_dsn(None, os.environ)
    catalog = CatalogWatcher(folder, environ=os.environ)
    catalog.read()
    worker = FleetWorker(
        dsn,
        catalog,
        lambda rotation, stopping: run_rotation(
            rotation, environ=os.environ, stopping=stopping, warn=log.error_occurred
        ),
        listeners=[log],
        pace=PACE._replace(**json.loads(pace)),
        finish_seconds=10,
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()
    log.write("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
