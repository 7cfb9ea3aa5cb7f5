"""An app that reads its configuration from the environment and does not know about envkit."""

import os

for name in ("NODE_ENV", "DATABASE_URL", "REDIS_URL"):
    print(f"  {name}={os.environ[name]}")
