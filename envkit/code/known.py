"""Variables that a profile need not define, and that code need not name. Pure."""

from __future__ import annotations

import re

# set by the system, the shell, a CI service, a platform or a tool that starts the program
_GIVEN = re.compile(
    r"""PATH|HOME|USER|LOGNAME|SHELL|TERM\w*|COLORTERM|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TMP|TEMP|PWD
    | OLDPWD|HOSTNAME|UID|GID|EDITOR|VISUAL|PAGER|BROWSER|DISPLAY|WAYLAND_DISPLAY|COLUMNS|LINES
    | NO_COLOR|FORCE_COLOR|CLICOLOR\w*|XDG_\w+|DBUS_\w+|SSH_\w+|SUDO_\w+|MAIL|DEBIAN_FRONTEND
    | APPDATA|LOCALAPPDATA|USERPROFILE|USERNAME|SYSTEMROOT|WINDIR|COMSPEC|PROGRAMFILES\w*|PATHEXT
    | (?:HTTPS?|ALL|NO|FTP)_PROXY|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE
    | CI|CI_\w+|CONTINUOUS_INTEGRATION|GITHUB_\w+|RUNNER_\w+|GITLAB_\w+|BUILDKITE\w*|CIRCLE\w*
    | TRAVIS\w*|JENKINS_\w+|BUILD_(?:ID|NUMBER|URL)|TEAMCITY_\w+|TF_BUILD|CODEBUILD_\w+
    | DYNO|HEROKU_\w+|VERCEL|VERCEL_\w+|NOW_REGION|NETLIFY\w*|RAILWAY_\w+|RENDER|RENDER_\w+|FLY_\w+
    | KUBERNETES_\w+|K_(?:SERVICE|REVISION|CONFIGURATION)|GAE_\w+|CLOUD_RUN_\w+|FUNCTION_\w+
    | AWS_LAMBDA_\w+|LAMBDA_\w+|AWS_EXECUTION_ENV|ECS_\w+|WEBSITE_\w+|INVOCATION_ID|JOURNAL_STREAM
    | NOTIFY_SOCKET|LISTEN_(?:FDS|PID)|CREDENTIALS_DIRECTORY|STATE_DIRECTORY|RUNTIME_DIRECTORY
    | PYTHON\w*|VIRTUAL_ENV|CONDA_\w+|PIP_\w+|PYTEST_\w+|TOX_\w+|NODE_(?:ENV|OPTIONS|PATH)|NPM_\w+
    | INIT_CWD|JEST_\w+|VITEST\w*|GO(?:PATH|ROOT|OS|ARCH|FLAGS|MAXPROCS)|JAVA_\w+|RUBY\w*|GEM_\w+
    | BUNDLE_\w+|RAILS_ENV|RACK_ENV|ENVKIT_\w+""",
    re.VERBOSE | re.IGNORECASE,
)
# read by a runtime, a framework or a vendor's library, without being named in the code
_READ_BY_OTHERS = re.compile(
    r"""AWS_\w+|AZURE_\w+|GOOGLE_\w+|GCP_\w+|GCLOUD_\w+|OTEL_\w+|SENTRY_\w+|DD_\w+|NEW_RELIC_\w+
    | DATADOG_\w+|HONEYCOMB_\w+|VAULT_\w+|BAO_\w+|PG\w+|MYSQL_\w+|REDIS\w*_URL|DATABASE_URL|PORT
    | DJANGO_SETTINGS_MODULE|FLASK_\w+|UVICORN_\w+|GUNICORN_\w+|WEB_CONCURRENCY|CELERY_\w+
    | RAILS_\w+|SECRET_KEY_BASE|SIDEKIQ_\w+|MALLOC_ARENA_MAX|NEXT_\w+|NEXTAUTH_\w+|AUTH_SECRET
    | NUXT_\w+|PRISMA_\w+|SPRING_\w+|SERVER_PORT|QUARKUS_\w+|ASPNETCORE_\w+|DOTNET_\w+|GIN_MODE
    | LD_\w+|TF_VAR_\w+|DOCKER_\w+|COMPOSE_\w+|KUBECONFIG|DOTENV_\w+""",
    re.VERBOSE,
)


def is_given(name: str) -> bool:
    """Return whether a variable is set without a profile: `PATH`, `GITHUB_SHA`."""
    return _GIVEN.fullmatch(name) is not None


def is_read_by_others(name: str) -> bool:
    """Return whether a variable is read by a library or framework: `AWS_REGION`."""
    return is_given(name) or _READ_BY_OTHERS.fullmatch(name) is not None
