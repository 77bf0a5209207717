#!/bin/sh
# The usage below is this file's header and its --help.
usage() {
  cat <<'EOF'
deploy.sh: deploy the registry stack from a machine without Node, such as a CI runner.

usage: deploy.sh STACK COMPOSE_FILE

  STACK         the stack's name, as in the config that COMPOSE_FILE was rendered from
  COMPOSE_FILE  what hephaestus rendered

From the environment:
  REGISTRY_HTPASSWD         the lines of an htpasswd file, bcrypt only (htpasswd -nB USER)
  REGISTRY_USERNAME         one of its users, and
  REGISTRY_RAW_PASSWORD     this user's password: proof that the lines are what you think they are
  HEPHAESTUS_TIMEOUT        seconds to wait until all services run (default 300)
  HEPHAESTUS_RESOLVE_IMAGE  always, changed or never (docker stack deploy --resolve-image)
  DOCKER_HOST, DOCKER_CONTEXT  a Swarm manager, as for docker itself

The first deploy makes the Swarm secrets from the three REGISTRY_ variables. Later ones compare them with
the users in the Swarm: who is new there, or has another password, gets into a new htpasswd; nobody is ever
removed. REGISTRY_USERNAME is compared by the password, so a new salt is no change; others by their hash.
If the rollout fails, the registry goes back to the passwords before. Without the three variables, all
together, the passwords stay.
Needs docker, and with the variables either perl or htpasswd. Passwords never leave this process but
through pipes: not in a command line, not in the environment of another program, not on disk.

Exit codes: 0 all services run; 2 the command line is wrong, or a variable is missing; 3 COMPOSE_FILE
is missing or not hephaestus's; 4 docker, the Swarm or this machine is not ready, or the users in the Swarm
cannot be read; 5 the htpasswd or the password was refused; 6 the rollout failed; 8 another deploy of STACK
is running; 130 interrupted.
EOF
}

set -eu +x +a # a caller's sh -x or sh -a must not spread secrets
umask 077

# Copies that are not exported, even if a variable of that name came in from the environment.
unset htpasswd user password line basic machine machine_hash gateway_line gateway_basic ui_line ui_basic found hash present merged
htpasswd=${REGISTRY_HTPASSWD:-} user=${REGISTRY_USERNAME:-} password=${REGISTRY_RAW_PASSWORD:-}
unset REGISTRY_HTPASSWD REGISTRY_USERNAME REGISTRY_RAW_PASSWORD
export LC_ALL=C

lock='' scratch='' reader='' made='' new=''
newline='
'

say() { printf '%s\n' "$*"; }

# die CODE MESSAGE [REMEDY]
die() {
  printf 'deploy: %s\n' "$2" >&2
  if [ -n "${3:-}" ]; then printf 'deploy: to mend it: %s\n' "$3" >&2; fi
  exit "$1"
}

# A docker command whose failure is no verdict on the rollout. It must not read what a pipe to sh still holds.
ask() { docker "$@" </dev/null || die 4 "docker $1 $2 failed (its own words are above)"; }

release() {
  if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
  [ -z "$reader" ] || docker service rm "$reader" >/dev/null 2>&1 </dev/null || :
  [ -z "$lock" ] || docker config rm "$lock" >/dev/null 2>&1 </dev/null || say "deploy: the lock ${stack}_lock could not be removed; it expires by itself" >&2
  lock='' scratch='' reader=''
}

read_arguments() {
  case ${1:-} in -h | --help) usage; exit 0 ;; esac
  if [ $# -ne 2 ]; then die 2 "needs a STACK and a COMPOSE_FILE" "see deploy.sh --help"; fi
  stack=$1 file=$2
  case $stack in '' | [!a-z0-9]* | *[!a-z0-9_-]*) die 2 "'$stack' is not a stack's name" "use a-z, 0-9, _ and -, first a letter or digit" ;; esac
  timeout=${HEPHAESTUS_TIMEOUT:-300} resolve=${HEPHAESTUS_RESOLVE_IMAGE:-}
  case $timeout in 0* | *[!0-9]* | ???????*) die 2 "HEPHAESTUS_TIMEOUT: '$timeout' is not a number of seconds" "leave it out, or write for example 300" ;; esac
  case $resolve in '' | always | changed | never) ;; *) die 2 "HEPHAESTUS_RESOLVE_IMAGE: '$resolve' is unknown" "use always, changed or never" ;; esac
  if [ ! -f "$file" ] || [ ! -r "$file" ]; then die 3 "$file: no such file, or not readable" "render it first"; fi
  prefix=$(sed -n "s/.*name: *[\"']\{0,1\}\([a-z0-9_-]*\)_htpasswd_\${HEPHAESTUS_GENERATION.*/\1/p" <"$file" | head -n 1)
  if [ -z "$prefix" ]; then
    die 3 "$file: names no secret ${stack}_htpasswd_\${HEPHAESTUS_GENERATION:-1}, so hephaestus did not render it" "render it again"
  fi
  grep -q "_gateway_\${HEPHAESTUS_MACHINE_GENERATION" <"$file" || die 3 "$file was rendered by an older hephaestus" "render it again"
  if [ "$prefix" != "$stack" ]; then die 2 "$file belongs to the stack $prefix, not to $stack" "run: deploy.sh $prefix $file"; fi
}

check_machine() {
  for tool in docker awk base64 od; do command -v $tool >/dev/null 2>&1 || die 4 "$tool is not installed, or not on PATH" "install it"; done
  # A printf that is a program would show its arguments to every user of this machine.
  case $(command -v printf) in */*) die 4 "this shell has no printf of its own" "run it with dash, bash or busybox ash" ;; esac
  said=$(docker version --format '{{.Server.Version}}' 2>&1 </dev/null) ||
    die 4 "docker does not reach its engine: $said" "start it, or set DOCKER_HOST or DOCKER_CONTEXT to a Swarm manager"
  case $(ask info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}') in
    "active true") ;;
    "active "*) die 4 "this node is a Swarm worker" "set DOCKER_HOST or DOCKER_CONTEXT to a manager" ;;
    *) die 4 "the engine is not part of a Swarm" "run there: docker swarm init" ;;
  esac
}

# Standard input: a line with a bcrypt setting (or a whole hash), then one with the password. Prints the hash.
perl_crypt() { perl -C0 -e 'my ($s, $p) = <STDIN>; chomp($s, $p); print crypt($p, $s) // ""' 2>/dev/null; }

# crypt() knows bcrypt in some C libraries only, so ask for a known answer. Perl comes first: htpasswd checks only against a file.
# shellcheck disable=SC2016
find_bcrypt() {
  if [ "$(printf '%s\n' '$2y$05$CCCCCCCCCCCCCCCCCCCCC.' 'U*U' | perl_crypt)" = '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' ]; then bcrypt=perl
  elif command -v htpasswd >/dev/null 2>&1; then bcrypt=htpasswd
  else
    die 4 "nothing here computes bcrypt: no perl whose crypt() knows it, and no htpasswd" \
      "install perl, or apache2-utils (Debian, Ubuntu, Alpine), or httpd-tools (Fedora, RHEL)"
  fi
}

# Is $password the one of $found? All of $2a$, $2b$, $2y$ are the same algorithm; not every program knows all names.
password_matches() {
  # shellcheck disable=SC2016
  hash='$2y$'${found#????}
  if [ "$bcrypt" = perl ]; then
    [ "$(printf '%s\n%s\n' "$hash" "$password" | perl_crypt)" = "$hash" ]
  else
    # The hash alone, not the password, and in memory where there is such a place.
    directory=/dev/shm
    if [ ! -w $directory ]; then directory=${TMPDIR:-/tmp}; fi
    scratch=${scratch:-$(mktemp "$directory/deploy.XXXXXX")} || die 4 "cannot make a temporary file in $directory"
    printf 'x:%s\n' "$hash" >"$scratch"
    printf '%s' "$password" | htpasswd -vi "$scratch" x >/dev/null 2>&1
  fi
}

# Sets $found to the hash of $user in the lines $1, if there is one. The registry takes the last line of a name.
find_hash() {
  found=$(printf '%s\n' "$user:" "$1" | awk 'NR == 1 { u = $0; next } index($0, u) == 1 { h = substr($0, length(u) + 1) } END { print h }')
}

# Sets $htpasswd to its lines without blanks and comments, or says everything that is wrong with them.
check_credentials() {
  htpasswd=$(printf '%s\n' "$htpasswd" | awk '
    { gsub(/^[ \t\r]+|[ \t\r]+$/, "") }
    $0 == "" || /^#/ { next }
    { colon = index($0, ":"); name = substr($0, 1, colon - 1); hash = substr($0, colon + 1); bad = "" }
    colon < 2 { bad = "line " NR ": is not user:hash" }
    colon > 1 && hash !~ /^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[.\/A-Za-z0-9]+$/ { bad = "hash is not bcrypt; make it with: htpasswd -nB " name }
    colon > 1 && bad == "" && length(hash) != 60 { bad = "bcrypt hash has " length(hash) " characters instead of 60; was it cut off?" }
    name ~ /^hephaestus-/ { bad = "names with hephaestus- are kept for machine accounts; choose another one" }
    bad != "" { if (colon > 1) bad = "line " NR " (user " name "): " bad; errors = errors "\ndeploy:   " bad; next }
    { lines = lines $0 "\n" }
    END {
      if (errors == "" && lines == "") errors = "\ndeploy:   it has no users"
      if (errors != "") { print substr(errors, 2); exit 1 }
      printf "%s", lines
    }') || die 5 "REGISTRY_HTPASSWD was refused:$newline$htpasswd"
  case $user in *:* | *"$newline"*) die 5 "REGISTRY_USERNAME: has a colon or a line break in it" "give one user's name" ;; esac
  case $password in *"$newline"*) die 5 "REGISTRY_RAW_PASSWORD: has a line break in it" "remove it; printf writes none, echo does" ;; esac
  find_hash "$htpasswd"
  if [ -z "$found" ]; then die 5 "REGISTRY_USERNAME: $user is not in REGISTRY_HTPASSWD" "add a line for $user, or name one of its users"; fi
  find_bcrypt
  password_matches || die 5 "REGISTRY_RAW_PASSWORD is not the password of $user in REGISTRY_HTPASSWD" "correct one of the two; nothing was changed"
}

# The generation of the secret KIND that a service uses, if there is such a service: used SERVICE KIND
used() {
  printf '%s\n' "$services" | grep -qx "${stack}_$1" || return 0
  refers=$(ask service inspect --format '{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{println .SecretName}}{{end}}' "${stack}_$1") || exit 4
  printf '%s\n' "$refers" | sed -n "s/^${stack}_$2_\([1-9][0-9]*\)\$/\1/p" | head -n 1
}

# Sets $secrets (NAME STACK_LABEL PASSWORD_LABEL), and, with 0 for none: $generation and $machine_generation to keep, the
# highest numbers of both, and $lost: the generation that would be kept if anybody had been shown its password.
read_generations() {
  secrets=$(ask secret ls --filter "name=${stack}_" --format '{{.Name}} {{.Label "hephaestus.stack"}} {{.Label "hephaestus.password"}}')
  handed_over=$(ask config ls --filter "name=${stack}_handed-over_" --format '{{.Name}}')
  services=$(ask service ls --filter "name=${stack}_" --format '{{.Name}}')
  used_htpasswd=$(used registry htpasswd)
  used_machine=$(used gateway gateway)
  # A name that somebody else took counts only so far as it can't be taken again.
  summary=$(printf '%s\n' "$handed_over" -- "$secrets" |
    awk -v stack="$stack" -v used="$used_htpasswd" -v used_machine="$used_machine" '
    $1 == "--" { second = 1; next }
    index($1, stack "_") != 1 || split(substr($1, length(stack) + 2), part, "_") != 2 || part[2] !~ /^[1-9][0-9]*$/ { next }
    { kind = part[1]; g = part[2] + 0 }
    !second { if (kind == "handed-over") shown[g]; next }
    kind == "htpasswd" { if (g > highest) highest = g; if ($2 == stack) { all[g]; if ($3 != "generated" || g in shown) known[g] } }
    kind == "gateway" || kind == "ui" { if (g > machine_highest) machine_highest = g; if ($2 == stack) kinds[g]++ }
    END {
      for (g in all) if (g + 0 > newest) newest = g + 0
      for (g in known) if (g + 0 > best) best = g + 0
      for (g in kinds) if (kinds[g] == 2 && g + 0 > machine) machine = g + 0
      if (used in all) newest = used
      if (used in known) best = used
      if (used_machine in kinds && kinds[used_machine] == 2) machine = used_machine
      print best + 0, highest + 0, machine + 0, machine_highest + 0, (newest in known) ? 0 : newest + 0
    }')
  read -r generation highest machine_generation machine_highest lost <<EOF
$summary
EOF
}

take_lock() {
  host=$(uname -n) said=
  for _ in 1 2 3; do
    now=$(date +%s)
    if said=$(echo "A deploy of $stack is running." | docker config create --label "hephaestus.stack=$stack" \
      --label "hephaestus.lock.holder=$(id -un 2>/dev/null || id -u)@$host pid $$" --label "hephaestus.lock.host=$host" \
      --label "hephaestus.lock.pid=$$" --label "hephaestus.lock.expires=$((now + timeout + 300))" "${stack}_lock" - 2>&1); then
      lock=$(printf '%s\n' "$said" | tail -n 1)
      return
    fi
    label='{{println (index .Spec.Labels "hephaestus.lock.'
    held=$(docker config inspect --format "{{println .ID}}${label}expires\")}}${label}host\")}}${label}pid\")}}${label}holder\")}}" \
      "${stack}_lock" 2>/dev/null </dev/null) || continue
    { read -r id; read -r expires; read -r lock_host; read -r pid; read -r holder; } <<EOF
$held
EOF
    case $expires in '' | *[!0-9]*) expires=$((now + 1)) ;; esac
    if [ "$expires" -gt "$now" ]; then
      case $lock_host:$(kill -0 "$pid" 2>&1) in
        "$host:"*"o such process"*) ;;
        *) die 8 "another deploy of $stack is running: $holder" \
          "wait for it; its lock expires in $((expires - now)) s. If you know that it is dead: docker config rm ${stack}_lock" ;;
      esac
    fi
    # By its id: by its name it could be the lock of somebody who was quicker.
    if docker config rm "$id" >/dev/null 2>&1 </dev/null; then say "lock: removed the one of $holder, who is gone"; fi
  done
  die 4 "cannot make the lock ${stack}_lock: $said"
}

random_hex() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }

# create_secret NAME KIND [MORE OPTIONS]; the content comes on standard input.
create_secret() {
  secret=$1 kind=$2
  shift 2
  docker secret create --label "hephaestus.stack=$stack" --label "hephaestus.secret=$kind" "$@" "$secret" - >/dev/null ||
    die 4 "docker secret create $secret failed (its own words are above)"
}

# Makes the account of a machine: 256 random bits, for which bcrypt's lowest cost will do. Sets $line and $basic.
make_machine_account() {
  machine=$(random_hex)
  # shellcheck disable=SC2016
  if [ "$bcrypt" = perl ]; then
    machine_hash=$(printf '$2y$04$%s.\n%s\n' "$(random_hex | cut -c 1-21)" "$machine" | perl_crypt)
  else
    machine_hash=$(printf '%s' "$machine" | htpasswd -niB -C 4 x | sed -n 's/^x://p')
  fi
  line=$1:$machine_hash
  basic=$(printf '%s' "$1:$machine" | base64 | tr -d '\n')
  if [ ${#machine} -ne 64 ] || [ ${#machine_hash} -ne 60 ] || [ -z "$basic" ]; then die 4 "cannot make the password of $1 with od, $bcrypt and base64"; fi
}

# Prints the htpasswd of a generation, from a container on this engine that holds it: htpasswd_from SERVICE GENERATION
htpasswd_from() {
  docker ps --quiet --no-trunc --filter "label=com.docker.swarm.service.name=$1" --filter status=running 2>/dev/null </dev/null |
    while read -r id; do
      task=$(docker inspect --format '{{index .Config.Labels "com.docker.swarm.task.id"}}' "$id" 2>/dev/null </dev/null) || continue
      docker inspect --type task --format '{{range .Spec.ContainerSpec.Secrets}}{{println .SecretName}}{{end}}' "$task" 2>/dev/null </dev/null |
        grep -qx "${stack}_htpasswd_$2" || continue
      if docker exec "$id" cat /run/secrets/htpasswd 2>/dev/null </dev/null; then break; fi
    done
}

# Sets $present to the lines of the htpasswd that the Swarm has: read_back GENERATION
read_back() {
  present=$(htpasswd_from "${stack}_registry" "$1")
  if [ -n "$present" ]; then return; fi
  node=$(ask info --format '{{.Swarm.NodeID}}')
  # The image of the running gateway is probably here already; that of the file may mend a wrong one.
  images="$(docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' "${stack}_gateway" 2>/dev/null </dev/null || :
    sed -n '/^  gateway:/,/^  [^ ]/s/^    image: *//p' <"$file" | tr -d "\"'" | head -n 1)"
  reader=${stack}_htpasswd-reader image=''
  for image in $images; do
    docker service rm "$reader" >/dev/null 2>&1 </dev/null || :
    ask service create --detach --quiet --no-resolve-image --with-registry-auth --name "$reader" --label "hephaestus.stack=$stack" \
      --constraint "node.id==$node" --restart-condition none --no-healthcheck --log-driver none \
      --secret "source=${stack}_htpasswd_$1,target=htpasswd" --entrypoint sleep "$image" 60 >/dev/null
    tries=0
    while [ $tries -lt 30 ]; do
      sleep 1
      tries=$((tries + 1)) present=$(htpasswd_from "$reader" "$1")
      if [ -n "$present" ]; then break 2; fi
    done
  done
  docker service rm "$reader" >/dev/null 2>&1 </dev/null || :
  reader=''
  [ -n "$present" ] || die 4 "the users in ${stack}_htpasswd_$1 cannot be read back: neither ${stack}_registry nor the gateway's image runs on this node" \
    "set DOCKER_HOST to the manager where ${stack}_registry runs, or pull $image there; without the REGISTRY_ variables all passwords stay"
}

# Sets $merged: people's lines, then the machines', each after "+ " if it is new or changed, else after "= ".
merge() {
  same=''
  if [ -n "$user" ]; then
    find_hash "$present"
    if [ -n "$found" ] && password_matches; then same=$user; fi
  fi
  merged=$(printf '%s\n' "$same" "$present" -- "$htpasswd" "$1" | awk '
    NR == 1 { same = $0; next }
    $0 == "--" { second = 1; next }
    { name = substr($0, 1, index($0, ":") - 1) }
    name == "" { next }
    !(name in line) { names[++n] = name; line[name] = "" }
    second { given[name] = $0; next }
    { line[name] = $0 }
    END {
      for (i = 1; i <= n; i++) {
        name = names[i]; mark = "= "
        if (name in given && name != same && given[name] != line[name]) { mark = "+ "; line[name] = given[name] }
        if (name ~ /^hephaestus-/) machines = machines mark line[name] "\n"; else people = people mark line[name] "\n"
      }
      printf "%s%s", people, machines
    }')
}

# The labels with the times when the users of $merged changed; those of generation $1 that did not keep theirs.
changed_labels() {
  # shellcheck disable=SC2016
  old=$([ "$1" = 0 ] || ask secret inspect --format '{{range $k, $v := .Spec.Labels}}{{println $k $v}}{{end}}' "${stack}_htpasswd_$1") || exit 4
  printf '%s\n' "$old" -- "$merged" | awk -v now="$(date -u +%Y-%m-%dT%H:%M:%SZ)" '
    $1 == "--" { second = 1; next }
    !second { if ($1 ~ /^hephaestus\.changed\./ && $2 ~ /^[0-9TZ:.-]+$/) time[substr($1, 20)] = $2; next }
    { name = substr($0, 3, index($0, ":") - 3) }
    name !~ /^[a-zA-Z0-9][a-zA-Z0-9._@-]*$/ || name ~ /^hephaestus-/ { next }
    /^\+/ { time[name] = now }
    name in time { print "--label hephaestus.changed." name "=" time[name] }'
}

# Sets $gateway and $ui: each machine generation has names of its own, so that an htpasswd can hold two.
name_accounts() {
  gateway=hephaestus-gateway-$machine_generation ui=hephaestus-ui-$machine_generation
  if [ "$machine_generation" = 1 ]; then gateway=${gateway%-1} ui=${ui%-1}; fi
}

ensure_secrets() {
  read_generations
  if ! printf '%s\n' "$secrets" | grep -q "^${stack}_http-secret_1 "; then
    printf '  secret: %s\n' "$(random_hex)" | create_secret "${stack}_http-secret_1" http-secret
    say "secrets: ${stack}_http-secret_1 created"
  fi
  base=$generation previous=$generation present='' gateway_line='' ui_line=''
  if [ "$generation" = 0 ] && [ -z "$user" ]; then
    die 2 "no htpasswd is left whose passwords anybody knows" "set REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD"
  elif [ "$generation" = 0 ]; then base=$lost
  elif [ "$lost" != 0 ]; then say "secrets: generation $lost was never handed over; back to generation $generation, whose passwords are valid"
  fi
  if [ -z "$user" ] && [ "$machine_generation" != 0 ]; then say "secrets: generation $generation kept"; return; fi

  if [ "$base" != 0 ]; then read_back "$base"; fi
  name_accounts
  case $newline$present in *"$newline$gateway:"*"$newline$ui:"*) ;; *) machine_generation=0 ;; esac
  if [ "$machine_generation" = 0 ]; then
    find_bcrypt
    machine_generation=$((machine_highest + 1))
    name_accounts
    make_machine_account "$gateway"
    gateway_line=$line gateway_basic=$basic
    make_machine_account "$ui"
    ui_line=$line ui_basic=$basic
  fi
  merge "$gateway_line$newline$ui_line"
  case $generation:$newline$merged in 0:* | *"$newline+ "*) ;; *) say "secrets: generation $generation kept"; return ;; esac

  generation=$((highest + 1)) labels=$(changed_labels "$base")
  # The htpasswd is first: machine secrets never exist without the lines for them. Names in labels are single words.
  # shellcheck disable=SC2086
  printf '%s\n' "$merged" | sed 's/^..//' |
    create_secret "${stack}_htpasswd_$generation" htpasswd --label "hephaestus.generation=$generation" --label hephaestus.password=given $labels
  new=$(printf '%s\n' "$merged" | sed -n -e '/^+ hephaestus-/d' -e 's/^+ \([^:]*\):.*/\1/p' | paste -s -d , -)
  if [ -n "$gateway_line" ]; then
    set -- --label "hephaestus.generation=$machine_generation" --label hephaestus.password=given
    printf 'default "Basic %s";\n' "$gateway_basic" | create_secret "${stack}_gateway_$machine_generation" gateway "$@"
    printf 'NGINX_PROXY_HEADER_Authorization=Basic %s\n' "$ui_basic" | create_secret "${stack}_ui_$machine_generation" ui "$@"
  elif [ "$previous" != 0 ]; then made=htpasswd; fi
  if [ "$previous" = 0 ]; then new=''; fi
  say "secrets: generation $generation created${new:+, new password of: $new}"
}

# Ends jobs that a killed hephaestus left, such as a garbage collection, before the registry takes pushes again.
end_jobs() {
  for job in $(ask service ls --filter "label=hephaestus.stack=$stack" --filter "name=${stack}_job-" --format '{{.Name}}'); do
    tasks=$(docker service ps --quiet --no-trunc "$job" 2>/dev/null </dev/null) || :
    docker service rm "$job" >/dev/null 2>&1 </dev/null || :
    tries=0
    # shellcheck disable=SC2086
    while [ -n "$tasks" ] && docker inspect --type task --format '{{.Status.State}}' $tasks 2>/dev/null </dev/null |
      grep -qvxE 'complete|failed|rejected|orphaned|shutdown|remove'; do
      tries=$((tries + 1))
      if [ $tries -gt 60 ]; then die 4 "the job $job does not end" "end its container on its node, then run this again"; fi
      sleep 1
    done
    say "jobs: ended $job, which nobody waited for"
  done
}

# Leaves a record of this deploy in the Swarm, as hephaestus does: its history and rollback read it. The last 20 are kept.
record() {
  for tool in cp gzip mkdir sha256sum tar; do command -v $tool >/dev/null 2>&1 || { say "history: not recorded without $tool"; return 0; }; done
  rm -rf "$scratch"
  scratch=$(mktemp -d) || return
  case $file in */*) folder=${file%/*} ;; *) folder=. ;; esac
  mkdir "$scratch/files" && cp "$file" "$scratch/files/docker-compose.yml" || return
  # shellcheck disable=SC2013
  for name in $(sed -n 's|^ *file: \./\([A-Za-z0-9._/-]*\)$|\1|p' <"$file"); do
    mkdir -p "$scratch/files/${name%"${name##*/}"}" && cp "$folder/$name" "$scratch/files/$name" || return
  done
  tar -c -f "$scratch/tar" -C "$scratch/files" . && gzip "$scratch/tar" || return
  records=$(docker config ls --filter "label=hephaestus.stack=$stack" --filter "name=${stack}_history_" --format '{{.Name}} {{.Label "hephaestus.history"}}' </dev/null) || return
  numbers=$(printf '%s\n' "$records" | sed -n "s/^${stack}_history_\([1-9][0-9]*\) \([a-z]*\)\$/\1 \2/p" | sort -n)
  # shellcheck disable=SC2046
  images=$(docker service inspect --format '{{.Spec.Name}}={{.Spec.TaskTemplate.ContainerSpec.Image}}' \
    $(printf '%s\n' "$view" | awk '{ print $2 }') </dev/null) || return
  docker config create --label "hephaestus.stack=$stack" --label hephaestus.history=deploy \
    --label "hephaestus.history.at=$(date -u +%Y-%m-%dT%H:%M:%SZ)" --label "hephaestus.history.by=$(id -un 2>/dev/null || id -u)@$host" \
    --label "hephaestus.history.note=deploy.sh${new:+, new password of $new}" \
    --label "hephaestus.history.config=$(sed '/^    image: /d' <"$file" | sha256sum | cut -c 1-64)" \
    --label "hephaestus.history.generations=$generation/$machine_generation" \
    --label "hephaestus.history.images=$(printf '%s\n' "$images" | sed "s/^${stack}_//" | sort | paste -s -d ' ' -)" \
    "${stack}_history_$(($(printf '%s\n' "$numbers" | sed -n '$s/ .*//p') + 1))" - >/dev/null <"$scratch/tar.gz" || return
  for old in $(printf '%s\n' "$numbers" | awk '$2 ~ /^(deploy|rotate|rollback)$/ { n[++count] = $1 } END { for (i = 1; i <= count - 19; i++) print n[i] }'); do
    docker config rm "${stack}_history_$old" >/dev/null 2>&1 </dev/null || :
  done
}

# What the services do not use any more: other generations, also what is left of runs that were killed.
remove_unused() {
  removed=''
  for name in $(printf '%s\n' "$secrets" | awk -v stack="$stack" -v g="$generation" -v m="$machine_generation" '
    $2 != stack || index($1, stack "_") != 1 || split(substr($1, length(stack) + 2), part, "_") != 2 { next }
    part[2] ~ /^[1-9][0-9]*$/ && (part[1] == "htpasswd" && part[2] != g || part[1] ~ /^(gateway|ui)$/ && part[2] != m) { print $1 }'); do
    docker secret rm "$name" >/dev/null 2>&1 </dev/null || continue
    removed="$removed $name"
    case $name in *_htpasswd_*) docker config rm "${stack}_handed-over_${name##*_}" >/dev/null 2>&1 </dev/null || : ;; esac
  done
  if [ -n "$removed" ]; then say "secrets: removed what nothing uses any more:$removed"; fi
}

# After a failed rollout the registry gets the htpasswd back that it had, and the new one goes. Sets $valid: what to say of it.
go_back() {
  valid=''
  if [ -z "$made" ]; then return; fi
  if [ -n "$used_htpasswd" ]; then
    # Swarm may have done it already.
    if [ "$(used registry htpasswd)" = "$generation" ]; then
      docker service rollback --detach --quiet "${stack}_registry" >/dev/null 2>&1 </dev/null || :
    fi
    tries=0
    until [ $tries -ge 30 ] || look_at_services | grep -qx "[a-z]* ${stack}_registry \([0-9]*\)/\1\( [a-z_]*completed\)\{0,1\}"; do
      sleep 2
      tries=$((tries + 1))
    done
    previous=$(used registry htpasswd) || previous=$used_htpasswd
  fi
  # Docker removes no secret that a service refers to.
  if docker secret rm "${stack}_htpasswd_$generation" >/dev/null 2>&1 </dev/null; then
    valid="; the passwords are those of generation $previous"
  else
    valid="; the registry did not go back from generation $generation: try docker service rollback ${stack}_registry, or deploy the passwords before"; fi
}

# A line for each service: ok, wait or failed; its name; running/desired tasks; the state of its update.
look_at_services() {
  replicas=$(docker stack services --format '{{.Name}} {{.Replicas}}' "$stack" 2>/dev/null </dev/null) || return
  # shellcheck disable=SC2046
  updates=$(docker service inspect --format '{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}' \
    $(printf '%s\n' "$replicas" | awk '{ print $1 }') 2>/dev/null </dev/null) || return
  printf '%s\n' "$replicas" -- "$updates" | awk '
    $1 == "--" { second = 1; next }
    !second { tasks[$1] = $2; next }
    { split(tasks[$1], n, "/"); verdict = "wait" }
    ($2 == "" || $2 == "completed") && n[1] != "" && n[1] == n[2] { verdict = "ok" }
    $2 ~ /^(paused|rollback_paused|rollback_completed)$/ { verdict = "failed" }
    { print verdict, $1, tasks[$1] ($2 == "" ? "" : " " $2) }'
}

# rollout_failed MESSAGE SERVICES: a line for each service, as look_at_services gives them
rollout_failed() {
  for service in $(printf '%s\n' "$2" | sed -e '/^(/d' -e 's/ .*//'); do
    printf 'deploy: %s: what its tasks say:\n' "$service"
    docker service ps --no-trunc --format '{{if .Error}}{{.Name}} on {{.Node}}: {{.CurrentState}}: {{.Error}}{{end}}' "$service" </dev/null |
      sed -e '/^$/d' -e 's/^[ \\_]*/  /' | head -n 5
    printf 'deploy: %s: the last lines of its log:\n' "$service"
    bounded=$(command -v timeout || :)
    ${bounded:+"$bounded" 15} docker service logs --timestamps --tail 10 "$service" 2>&1 </dev/null |
      sort | tail -n 10 | sed 's/^/  /' # --tail counts for each task
  done >&2
  go_back
  die 6 "$1: $(printf '%s\n' "$2" | paste -s -d , -)$valid" "mend what the tasks and logs above say, then run it again"
}

wait_for_services() {
  calm=0 shown='' deadline=$(($(date +%s) + timeout))
  while [ $calm -lt 2 ]; do
    sleep 2
    view=$(look_at_services) || view="wait (docker does not answer)"
    failed=$(printf '%s\n' "$view" | sed -n 's/^failed //p')
    waiting=$(printf '%s\n' "$view" | sed -n 's/^wait //p')
    if [ -n "$failed" ]; then rollout_failed "the rollout failed" "$failed"; fi
    if [ -z "$waiting" ]; then calm=$((calm + 1)); continue; else calm=0; fi
    if [ "$waiting" != "$shown" ]; then say "waiting: $(printf '%s\n' "$waiting" | paste -s -d , -)"; fi
    if [ "$(date +%s)" -ge "$deadline" ]; then rollout_failed "not all services run after $timeout s" "$waiting"; fi
    shown=$waiting
  done
}

main() {
  read_arguments "$@"
  check_machine
  missing=
  [ -n "$htpasswd" ] || missing="$missing REGISTRY_HTPASSWD"
  [ -n "$user" ] || missing="$missing REGISTRY_USERNAME"
  [ -n "$password" ] || missing="$missing REGISTRY_RAW_PASSWORD"
  trap release EXIT
  trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
  case $missing in
    '') check_credentials ;;
    *HTPASSWD*USERNAME*PASSWORD) # Before the lock, so that a first deploy without them leaves no trace.
      read_generations
      if [ "$generation" = 0 ]; then die 2 "the first deploy of $stack needs$missing" "set them in the environment"; fi ;;
    *) die 2 "missing in the environment:$missing" "set all three, or none of them to keep the secrets that exist" ;;
  esac
  take_lock
  end_jobs
  ensure_secrets
  if ! HEPHAESTUS_GENERATION=$generation HEPHAESTUS_MACHINE_GENERATION=$machine_generation docker stack deploy --prune --with-registry-auth \
    ${resolve:+--resolve-image "$resolve"} -c "$file" "$stack" </dev/null; then
    go_back
    die 6 "docker stack deploy failed (its own words are above)$valid"
  fi
  wait_for_services
  record || say "history: this deploy could not be recorded (docker's own words are above)"
  remove_unused
  say "deploy: ready: $stack generation=$generation $(printf '%s\n' "$view" | awk '{ print $2 "=" $3 }' | paste -s -d ' ' -)"
}

main "$@"
