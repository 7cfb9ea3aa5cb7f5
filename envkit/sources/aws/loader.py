"""A data loader for botocore that reads what Secrets Manager needs, and no more.

Whatever is not as expected (the user's own models, another layout of botocore's data)
is left to the default loader. Every client can be made with it, those that botocore
makes by itself for roles and SSO too.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from botocore.loaders import Loader


def lean_loader(data_path: str | None) -> Loader:
    """Return a loader of botocore's data that skips what serves other services only.

    The default one looks into some 400 folders to name the known services in an error,
    and parses 1.3 MB of endpoints of which the endpoint rules have made all but the
    partitions redundant: together most of the time that a client takes to be made.

    Args:
        data_path: the user's own folders of models, as in `AWS_DATA_PATH`.
    """
    from botocore.loaders import Loader

    class LeanLoader(Loader):
        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
            folders = filter(os.path.isdir, self.search_paths)
            return [name for folder in folders for name in os.listdir(folder)]

        def load_data_with_path(self, name: str) -> tuple[Any, str]:
            if name == "endpoints":
                for folder in self.search_paths:
                    if folder == self.BUILTIN_DATA_PATH:
                        if (data := _endpoints(self.load_data("partitions"))) is not None:
                            return data, os.path.join(folder, name)
                    elif self.file_loader.exists(os.path.join(folder, name)):
                        break  # the user's own
            found: tuple[Any, str] = super().load_data_with_path(name)
            return found

    extra = data_path.split(os.pathsep) if data_path else []
    return LeanLoader([os.path.expanduser(os.path.expandvars(folder)) for folder in extra])


def _endpoints(data: Any) -> dict[str, Any] | None:
    """Return botocore's endpoints without any service; None where `data` is not as expected."""

    def defaults(suffix: str, dual_stack_suffix: str) -> dict[str, Any]:
        plain, fips = "{service}.{region}.{dnsSuffix}", "{service}-fips.{region}.{dnsSuffix}"
        variants = [
            {"tags": ["fips"], "hostname": fips, "dnsSuffix": suffix},
            {"tags": ["dualstack"], "hostname": plain, "dnsSuffix": dual_stack_suffix},
            {"tags": ["dualstack", "fips"], "hostname": fips, "dnsSuffix": dual_stack_suffix},
        ]
        return {
            "hostname": plain,
            "protocols": ["https"],
            "signatureVersions": ["v4"],
            "variants": variants,
        }

    try:
        return {
            "version": 3,
            "partitions": [
                {
                    "partition": partition["id"],
                    "regionRegex": partition["regionRegex"],
                    "regions": partition["regions"],
                    "dnsSuffix": partition["outputs"]["dnsSuffix"],
                    "defaults": defaults(
                        partition["outputs"]["dnsSuffix"],
                        partition["outputs"]["dualStackDnsSuffix"],
                    ),
                    "services": {},
                }
                for partition in data["partitions"]
            ],
        }
    except (KeyError, TypeError):
        return None
