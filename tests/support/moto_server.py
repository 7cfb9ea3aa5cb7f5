"""moto's AWS endpoint as a separate process, for `support.aws`; not imported by tests.

Prints its port and serves until its standard input ends, so that it never outlives the
test run. It patches moto 5.2.5 where it differs from AWS:

- after UpdateSecretVersionStage has moved AWSCURRENT, a read without a version still gave
  the old value (`default_version_id` was left behind);
- the same operation looked at the labels and changed them without a lock, so that of two
  at once both could succeed, and PutSecretValue and GetSecretValue beside it could fail;
- it stored versions without limit, and each read searched all of them;
- it put any other label on a second version, if it was not told to take it off the first;
- ListSecretVersionIds failed for a missing secret, and returned the present time for every
  version;
- it accepted inactive and deleted access keys of IAM users.
"""

import json
import os
import sys
import threading

from moto.iam.models import AccessKey, User
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.secretsmanager.exceptions import InvalidParameterException, SecretNotFoundException
from moto.secretsmanager.models import SecretsManagerBackend
from werkzeug.serving import WSGIRequestHandler, make_server

MOST_VERSIONS = 100  # without a label; AWS removes more only after a day


class QuietHandler(WSGIRequestHandler):
    def log(self, *_):
        pass


def mend_label_moves():
    original = SecretsManagerBackend.update_secret_version_stage
    lock = threading.RLock()

    def update_secret_version_stage(self, secret_id, **labels):
        with lock:
            refuse_second(self.secrets.get(secret_id), **labels)
            answer = original(self, secret_id, **labels)
            secret = self.secrets[secret_id]
            for version, held in secret.versions.items():
                if "AWSCURRENT" in held["version_stages"]:
                    secret.set_default_version_id(version)
            return answer

    def refuse_second(secret, version_stage, remove_from_version_id, move_to_version_id):
        versions = secret.versions if secret and not remove_from_version_id else {}
        for version, held in versions.items():
            if version_stage in held["version_stages"] and version != move_to_version_id:
                raise InvalidParameterException(f"{version_stage} is attached to {version}")

    put = SecretsManagerBackend.put_secret_value

    def put_secret_value(self, *args, **content):
        with lock:
            answer = put(self, *args, **content)
            versions = self.secrets[args[0] if args else content["secret_id"]].versions
            old = [version for version, held in versions.items() if not held["version_stages"]]
            for version in old[:-MOST_VERSIONS]:
                del versions[version]
            return answer

    get = SecretsManagerBackend.get_secret_value

    def get_secret_value(self, *args, **version):
        with lock:
            return get(self, *args, **version)

    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage
    SecretsManagerBackend.put_secret_value = put_secret_value
    SecretsManagerBackend.get_secret_value = get_secret_value


def mend_lists_of_versions():
    original = SecretsManagerBackend.list_secret_version_ids

    def list_secret_version_ids(self, secret_id):
        if secret_id not in self.secrets:
            raise SecretNotFoundException
        answer = json.loads(original(self, secret_id))
        versions = self.secrets[secret_id].versions.values()
        for order, (entry, held) in enumerate(zip(answer["Versions"], versions, strict=True)):
            entry["CreatedDate"] = held["createdate"] + order / 1000  # in whole seconds
        return json.dumps(answer)

    SecretsManagerBackend.list_secret_version_ids = list_secret_version_ids


def fix_access_keys(application):
    """Refuse keys of IAM users as AWS does; accept any other signature."""
    made = {}
    original = AccessKey.__init__

    def remember(self, *args, **options):
        original(self, *args, **options)
        made[self.access_key_id] = self

    AccessKey.__init__ = remember
    deleted = User.delete_access_key

    def forget(self, access_key_id):
        made[access_key_id].status = "Deleted"
        deleted(self, access_key_id)

    User.delete_access_key = forget

    def guarded(environ, start_response):
        signed = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2]
        key = made.get(signed.partition("/")[0])
        if key is None or key.status == "Active":
            return application(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/octet-stream")])
        if "HTTP_X_AMZ_TARGET" in environ:
            return [b'{"__type": "UnrecognizedClientException"}']
        return [b"<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>"]

    return guarded


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


def main():
    mend_label_moves()
    mend_lists_of_versions()
    application = fix_access_keys(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=end_with_parent, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
