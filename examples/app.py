"""An app that knows nothing of envkit: its configuration is in its environment."""

import os

for name in ("NODE_ENV", "DATABASE_URL", "REDIS_URL"):
    print(f"  {name}={os.environ[name]}")
