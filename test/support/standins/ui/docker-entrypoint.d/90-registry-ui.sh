#!/bin/sh
# Writes nginx's site and the page from the environment, with the variables of joxit/docker-registry-ui 2.6. Its values
# must not hold characters that break the original, so they are refused here instead of passing in tests only.
set -eu
site=/etc/nginx/conf.d/default.conf
page=/usr/share/nginx/html/index.html
template=/usr/share/registry-ui/index.html

# Environment and /etc/nginx/.env, one NAME=VALUE a line; the file is where a secret goes.
settings() {
	env
	if [ -f /etc/nginx/.env ]; then
		cat /etc/nginx/.env
		echo
	fi
}

# directives PREFIX: "Header-Name value" for each setting with that prefix.
directives() {
	settings | sed -n "s/^$1\([A-Za-z0-9_]*\)=\(.*\)/\1 \2/p" | while read -r name value; do
		case "$value" in
		*[\"\\^]*)
			echo "$1$name: a value with \", \\ or ^ breaks nginx's configuration" >&2
			exit 1
			;;
		esac
		echo "$(echo "$name" | tr _ -) $value"
	done
}

# For an HTML attribute, then for the right side of sed's s|||.
escaped() {
	printf %s "$1" | sed -e 's/&/\&amp;/g' -e 's/"/\&quot;/g' -e 's/</\&lt;/g' -e 's/[\\&|]/\\&/g'
}

port=${NGINX_LISTEN_PORT:-80}
if [ "$(id -u)" != 0 ]; then
	if [ "$port" = 80 ]; then port=8080; fi
	sed -i -e '/^user /d' -e 's|^pid .*|pid /tmp/nginx.pid;|' /etc/nginx/nginx.conf
fi

request_headers=$(directives NGINX_PROXY_HEADER_)
passed_headers=$(directives NGINX_PROXY_PASS_HEADER_)
{
	echo "server {"
	echo "    listen $port;"
	echo "    client_max_body_size 0;"
	echo "    location / { root /usr/share/nginx/html; }"
	if [ -n "${NGINX_PROXY_PASS_URL:-}" ]; then
		echo "    location /v2 {"
		echo "        proxy_http_version 1.1;"
		echo "        proxy_buffering off;"
		echo "        proxy_request_buffering off;"
		if [ -n "$request_headers" ]; then
			echo "$request_headers" | sed 's/^\([^ ]*\) \(.*\)/        proxy_set_header \1 "\2";/'
		fi
		if [ -n "$passed_headers" ]; then
			echo "$passed_headers" | sed 's/^\([^ ]*\) .*/        proxy_pass_header "\1";/'
		fi
		if [ -n "${NGINX_RESOLVER:-}" ]; then
			# With a variable, nginx asks the resolver while it runs, instead of once when it starts.
			echo "        resolver $NGINX_RESOLVER;"
			echo "        set \$registry $NGINX_PROXY_PASS_URL;"
			echo "        proxy_pass \$registry;"
		else
			echo "        proxy_pass $NGINX_PROXY_PASS_URL;"
		fi
		echo "    }"
	fi
	echo "}"
} >"$site"

sed -e "s|@REGISTRY_TITLE@|$(escaped "${REGISTRY_TITLE:-}")|g" \
	-e "s|@REGISTRY_URL@|$(escaped "${REGISTRY_URL:-}")|" \
	-e "s|@PULL_URL@|$(escaped "${PULL_URL:-}")|" \
	-e "s|@DELETE_IMAGES@|$(escaped "${DELETE_IMAGES:-false}")|" \
	-e "s|@SHOW_CONTENT_DIGEST@|$(escaped "${SHOW_CONTENT_DIGEST:-false}")|" \
	-e "s|@CATALOG_ELEMENTS_LIMIT@|$(escaped "${CATALOG_ELEMENTS_LIMIT:-100}")|" \
	"$template" >"$page"
