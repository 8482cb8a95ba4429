#!/bin/sh
# A program for a channel of type exec: runs its arguments when another credential is used, ignores every other alert.
#
#     command: [/opt/token-monitor/restart_on_switch.sh, supervisorctl, restart, facefusion]
#
# By then the new credential is in the published file.

if [ -z "$TM_CREDENTIAL_TO" ]; then
    exit 0
fi
"$@" || exit 75 # try again
