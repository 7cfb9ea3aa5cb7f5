"""envkit: one profile per environment, secrets from the stores that you already use.

    import envkit

    env = envkit.resolve("prod")       # Environment: a Mapping[str, Secret]
    live = envkit.live("prod")         # Live: values that stay current while the program runs
    envkit.load("prod")                # into os.environ, as load_dotenv does
    envkit.diff("staging", "prod")     # EnvDiff: what differs, without secrets

Names are imported on first use: `envkit exec` runs before every start of an app, and every
module adds to its start-up time.
"""

__version__ = "0.1.0"

_EXPORTS = {
    "EnvDiff": "envkit.comparison.model",
    "Environment": "envkit.resolution.environment",
    "EnvkitError": "envkit.errors",
    "Live": "envkit.resident.live",
    "Secret": "envkit.secret",
    "diff": "envkit.api",
    "live": "envkit.resident.live",
    "load": "envkit.api",
    "resolve": "envkit.resolution.resolve",
}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.api import diff, load
    from envkit.comparison.model import EnvDiff
    from envkit.errors import EnvkitError
    from envkit.resident.live import Live, live
    from envkit.resolution.environment import Environment
    from envkit.resolution.resolve import resolve
    from envkit.secret import Secret

__all__ = [
    "EnvDiff",
    "Environment",
    "EnvkitError",
    "Live",
    "Secret",
    "diff",
    "live",
    "load",
    "resolve",
]


def __getattr__(name: str) -> object:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module 'envkit' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
