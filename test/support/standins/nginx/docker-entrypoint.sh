#!/bin/sh
# The entry point of the official nginx image, by its contract: scripts prepare the configuration, then nginx runs.
set -eu
case "${1:-}" in
nginx | nginx-debug)
	for script in /docker-entrypoint.d/*.sh; do
		if [ -x "$script" ]; then "$script"; fi
	done
	;;
esac
exec "$@"
