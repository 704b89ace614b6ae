# SPDX-License-Identifier: Apache-2.0
# Stands in for /etc/rc.common: sources a script of procd, starts its service, says what it asked.
# ROOT goes before every path of the device.
procd_open_instance() { echo "instance $1"; }
procd_set_param() { echo "$*"; }
procd_close_instance() { echo end; }
procd_add_reload_trigger() { echo "reload on $1"; }
chown() { echo "chown $*"; }
. "$1"
start_service
service_triggers
