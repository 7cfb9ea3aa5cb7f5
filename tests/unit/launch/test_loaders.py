"""Variables that make other programs load code are known by name or prefix."""

import pytest

from envkit.launch.loaders import loading_variables


@pytest.mark.parametrize(
    "name",
    [
        *("LD_AUDIT", "npm_config_script_shell", "NPM_config_node_options", "LUA_INIT_5_4"),
        *("PIP_INDEX_URL", "CARGO_BUILD_RUSTC_WRAPPER", "JAVA_HOME", "PSQLRC", "VAULT_CONFIG_PATH"),
        "BAO_CONFIG_PATH",
        *("AWS_SHARED_CREDENTIALS_FILE", "PYTEST_ADDOPTS", "LESS", "SVN_SSH", "XDG_DATA_HOME"),
    ],
)
def test_variables_that_make_programs_load_code_are_known(name):
    assert list(loading_variables([name, "APP_ENV"])) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("DATABASE_URL", "NODE_ENV", "DOTNET_ENVIRONMENT", "JAVA_VERSION", "UV_THREADPOOL_SIZE"),
        *("PGHOST", "AWS_REGION", "AWS_PROFILE", "PYTHONUNBUFFERED", "CLOUDSDK_CORE_PROJECT"),
        *("TZ", "LANG", "PORT", "DJANGO_SETTINGS_MODULE", "RUST_LOG", "GOMAXPROCS", "HOSTNAME"),
    ],
)
def test_variables_that_apps_commonly_use_load_no_code(name):
    assert loading_variables([name], lasting=True) == {}


@pytest.mark.parametrize(
    "name",
    [
        *("VAULT_ADDR", "BAO_ADDR", "AWS_ENDPOINT_URL_STS", "VAULT_PROXY_ADDR", "BAO_HTTP_PROXY"),
        *("VAULT_CACERT", "VAULT_CACERT_BYTES", "BAO_CAPATH", "VAULT_TLS_SERVER_NAME"),
    ],
)
def test_a_server_of_the_user_counts_only_while_the_variable_is_passed_on(name):
    assert loading_variables([name]) == {}
    assert list(loading_variables([name], lasting=True)) == [name]
