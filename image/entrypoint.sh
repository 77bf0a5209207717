#!/bin/sh
# Runs hephaestus as the owner of the folder, so that the files it writes are not root's, and with the group of docker's socket.
set -eu
if [ "$(id -u)" = 0 ]; then
	groups=$(stat -c %g .)
	socket=/var/run/docker.sock
	if [ -S "$socket" ]; then groups="$groups,$(stat -c %g "$socket")"; fi
	export HOME=/tmp
	set -- setpriv --reuid="$(stat -c %u .)" --regid="$(stat -c %g .)" --groups="$groups" hephaestus "$@"
else
	set -- hephaestus "$@"
fi
exec "$@"
