"""A data loader for botocore that reads only what Secrets Manager needs.

If something is not as expected (the user has custom models, or the layout of botocore's data has
changed), the default loader is used. It works for every client, including those that
botocore creates for roles and SSO.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from botocore.loaders import Loader


def lean_loader(data_path: str | None) -> Loader:
    """Return a loader of botocore's data that skips data for other services.

    The default loader lists some 400 folders to name the known services in an error. It also parses
    1.3 MB of endpoints, although the endpoint rules have replaced everything in it except the
    partitions. Together this is most of the time that creating a client takes.

    Args:
        data_path: the user's folders of models, as in `AWS_DATA_PATH`.
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
                        break  # the user's custom model
            found: tuple[Any, str] = super().load_data_with_path(name)
            return found

    extra = data_path.split(os.pathsep) if data_path else []
    return LeanLoader([os.path.expanduser(os.path.expandvars(folder)) for folder in extra])


def _endpoints(data: Any) -> dict[str, Any] | None:
    """Return botocore's endpoints without services; None if `data` is not as expected."""

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
