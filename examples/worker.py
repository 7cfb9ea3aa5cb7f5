"""An app that reads its token when it starts, and runs until it is stopped."""

import os
import signal

print(f"worker {os.getpid()} uses HOOK_TOKEN={os.environ['HOOK_TOKEN']}", flush=True)
signal.pause()
