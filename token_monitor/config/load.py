"""Loading the settings: environment and `.env`, or a YAML file; every mistake in one run."""

from collections.abc import Mapping
from pathlib import Path

import attrs

from token_monitor.config.checks import table_at
from token_monitor.config.expand import expand
from token_monitor.config.from_environment import ACCOUNT_VARIABLES, environment_tree
from token_monitor.config.problems import ConfigError, Findings, Problem
from token_monitor.config.registry_types import Registry
from token_monitor.config.schema import structure
from token_monitor.config.settings import DaemonSettings, Settings
from token_monitor.config.tree import Items, Table, Text
from token_monitor.config.variables import Variables, read_variables

DAEMON = {
    "data": "TOKEN_MONITOR_DATA",
    "listen": "TOKEN_MONITOR_LISTEN",
    "api_key": "TOKEN_MONITOR_API_KEY",
    "log_level": "LOG_LEVEL",
    "log_format": "LOG_FORMAT",
}
LANGUAGE = "ALERT_LANGUAGE"
LATER = ("MAX_TOKENS", "WARNING_RATIO")


def load(environ: Mapping[str, str], folder: Path, registry: Registry, *, terminal: bool = False) -> Settings:
    """The settings in force, from `environ` and what lies in `folder`, the working directory.

    terminal: stdout is one, so that logs are for people unless LOG_FORMAT says otherwise.

    Raises ConfigError: every problem there is.
    """
    found = Findings()
    variables = read_variables(environ, folder, found)
    notices = [
        f"{name} is set: token budgets are not part of this version" for name in LATER if variables.present(name)
    ]
    file = None
    settings = Table("", {"accounts": Items("accounts"), "channels": Table("channels")})
    with found.caught():
        file = _config_file(variables)
        if file is None:
            tree = environment_tree(variables, registry, found)
        else:
            tree = _file_tree(file, variables, found, notices)
        settings.update(expand(tree, registry, found))
    settings["daemon"] = _daemon(variables, found, terminal)
    with found.caught():
        result = structure(settings, Settings)
    found.conclude(file)
    return attrs.evolve(result, notices=tuple(notices))


def load_daemon(environ: Mapping[str, str], folder: Path) -> DaemonSettings:
    """What concerns the process alone, for a command that asks a running one. Raises ConfigError."""
    found = Findings()
    daemon = _daemon(read_variables(environ, folder, found), found, terminal=False)
    with found.caught():
        result = structure(daemon, DaemonSettings)
    found.conclude()
    return result


def _config_file(variables: Variables) -> Path | None:
    path = variables.get("TOKEN_MONITOR_CONFIG")
    if path and path.startswith("etcd://"):
        raise ConfigError([Problem(path.path, "an etcd:// address", "a path; etcd is not part of this version")])
    return variables.folder / path if path else None


def _file_tree(file: Path, variables: Variables, found: Findings, notices: list[str]) -> Table:
    from token_monitor.config.yaml_file import yaml_tree  # PyYAML: 0.7 MB that a sidecar without a file need not hold

    tree, used = yaml_tree(file, variables, found)
    ignored = [name for name in ACCOUNT_VARIABLES if variables.present(name) and name not in (*used, LANGUAGE)]
    if ignored:
        notices.append(f"{', '.join(ignored)}: set and ignored, for {file} is the configuration")
    defaults = table_at(tree, "defaults", found)
    with found.caught():
        if not defaults.get("language") and (language := variables.get(LANGUAGE)):
            defaults["language"] = language
    tree["defaults"] = defaults
    return tree


def _daemon(variables: Variables, found: Findings, terminal: bool) -> Table:
    daemon = variables.table(DAEMON, found)
    state = variables.environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):
        state = f"{variables.environ.get('HOME', '')}/.local/state"
    defaults = {
        "data": f"{state}/token-monitor",
        "listen": "127.0.0.1:9775",
        "log_level": "info",
        "log_format": "console" if terminal else "json",
    }
    for key, value in defaults.items():
        daemon.setdefault(key, Text(value, daemon.at(key)))
    return daemon
