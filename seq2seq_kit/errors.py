"""The errors a user may see.

A :class:`UserError` is a mistake in what the user gave (a file, a configuration, a step function): its message is a
sentence that says what was wrong, where, and what would be right. The command line prints it alone and exits with 2;
any other exception is ours, exits with 1, and is worth a bug report.
"""

from __future__ import annotations


class UserError(Exception):
    """Base of all errors whose cause is the user's input; the message stands on its own."""


class ConfigError(UserError):
    """A configuration is wrong: an unknown field, a wrong type, a value out of range."""


class DataError(UserError):
    """A data file is missing, malformed or empty; the message names the file and the line."""


class CheckpointError(UserError):
    """A run folder is missing, incomplete, damaged, or needs a plugin that is not installed."""


class PluginError(UserError):
    """A plugin cannot be used: broken, in conflict with another, or not installed."""


class PluginFailure(PluginError):
    """The code of a plugin raised something; the message names the component, the distribution and its version. What
    the plugin said to the user, a :class:`UserError`, is its ``__cause__``; else it is a bug of the plugin, and the
    command line exits with 1."""


class SearchError(UserError):
    """A search was given unusable options, or its step returned something that breaks the step contract."""


class SearchCancelled(Exception):
    """A search ended because its caller cancelled it."""
