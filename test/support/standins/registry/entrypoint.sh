#!/bin/sh
# The entry point of the official registry image, by its contract: a config file is served, a subcommand of the registry
# is run by it, and anything else is a program of its own.
set -eu
case "${1:-}" in
*.yml | *.yaml) set -- registry serve "$@" ;;
serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
