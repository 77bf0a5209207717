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
If the rollout fails, the services and the passwords from before are put back. Without the three variables,
all together, the passwords stay. What others have under the stack's name is left alone, and is an error.
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

lock='' keeper='' scratch='' reader='' made='' new='' before=''
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
  if [ -n "$keeper" ]; then kill "$keeper" 2>/dev/null || :; fi
  if [ -n "$lock" ]; then
    docker config rm "$lock" >/dev/null 2>&1 </dev/null || say "deploy: the lock ${stack}_lock could not be removed; it expires by itself" >&2
    remove_beats "$lock"
  fi
  lock='' scratch='' reader='' keeper=''
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
  wanted=$(sed -n "/^services:/,/^[a-z]/s/^  \([a-z-]*\): *\$/${stack}_\1/p" <"$file")
  if [ "$prefix" != "$stack" ]; then die 2 "$file belongs to the stack $prefix, not to $stack" "run: deploy.sh $prefix $file"; fi
}

check_machine() {
  for tool in docker awk base64 od; do command -v $tool >/dev/null 2>&1 || die 4 "$tool is not installed, or not on PATH" "install it"; done
  # A printf that is a program would show its arguments to every user of this machine.
  case $(command -v printf) in */*) die 4 "this shell has no printf of its own" "run it with dash, bash or busybox ash" ;; esac
  api=$(docker version --format '{{.Server.APIVersion}}' 2>&1 </dev/null) ||
    die 4 "docker does not reach its engine: $api" "start it, or set DOCKER_HOST or DOCKER_CONTEXT to a Swarm manager"
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

# The services in the stack's namespace or with a name of the stack's, a line each: own or foreign, and the name. Versions
# before the label hephaestus.stack are known by a config that is named after the service and its content, and by a secret.
classify_services() {
  named=$(docker service ls --quiet --filter "name=${stack}_" </dev/null) || return
  inside=$(docker service ls --quiet --filter "label=com.docker.stack.namespace=$stack" </dev/null) || return
  if [ -z "$named$inside" ]; then return; fi
  # shellcheck disable=SC2046
  facts=$(docker service inspect --format '{{.Spec.Name}}|{{index .Spec.Labels "com.docker.stack.namespace"}}|{{index .Spec.Labels "hephaestus.stack"}}|{{range .Spec.TaskTemplate.ContainerSpec.Configs}} {{.ConfigName}} {{end}}|{{range .Spec.TaskTemplate.ContainerSpec.Secrets}} {{.SecretName}} {{end}}' \
    $(printf '%s\n' "$named" "$inside" | sort -u) </dev/null) || return
  printf '%s\n' "$facts" | awk -F '|' -v stack="$stack" -v service="$known_services" -v digest="$known_digest" '
    { known = $1 ~ "^" stack "_" service "$"; inside = $2 == stack; own = $3 == stack }
    $3 == "" && known && $4 ~ " " $1 "_" digest " " { own = $1 == stack "_reader" || $5 ~ " " stack "_[a-z-]+_[1-9][0-9]* " }
    inside || known { print (inside && own) ? "own" : "foreign service", $1 }'
}
known_services='(registry|reader|gateway|registry-ui|registry-admin)'
known_digest='[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'

# The configs in the stack's namespace, classified like the services.
classify_configs() {
  listed=$(docker config ls --filter "label=com.docker.stack.namespace=$stack" --format '{{.Name}} {{.Label "hephaestus.stack"}}' </dev/null) || return
  printf '%s\n' "$listed" | awk -v own="^${stack}_${known_services}_$known_digest\$" -v stack="$stack" '
    $1 != "" { print ($2 == stack || $2 == "" && $1 ~ own) ? "own" : "foreign config", $1 }'
}

# Sets $own to the stack's own services, and gives up if anything else is in its namespace.
check_namespace() {
  inside="label=com.docker.stack.namespace=$stack" networks=''
  classified=$(classify_services) || die 4 "docker service ls or inspect failed (its own words are above)"
  configs=$(classify_configs) || die 4 "docker config ls failed (its own words are above)"
  own=$(printf '%s\n' "$classified" | sed -n 's/^own //p')
  foreign=$(ask secret ls --filter "$inside" --format 'secret {{.Name}}')
  users=$(ask secret ls --quiet --filter label=hephaestus.secret=htpasswd --filter "label=hephaestus.stack=$stack")
  # A network of before the label cannot get it later.
  [ -n "$own$users" ] || networks=$(ask network ls --filter "$inside" --format 'network {{.Name}} {{.Label "hephaestus.stack"}}')
  foreign=$(printf '%s\n' "$classified" "$configs" "$networks" "$foreign" |
    sed -n -e "/^network .* $stack\$/d" -e 's/^foreign //p' -e 's/^\(network [^ ]*\) .*/\1/p' -e '/^secret /p' | paste -s -d , -)
  if [ -n "$foreign" ]; then
    die 4 "the stack name $stack is in use by something else: $foreign" \
      "set another stack name in hephaestus.yaml and render again, or remove them if nobody needs them"
  fi
}

# Sets $own again, and gives up if docker stack deploy would take over a service that came since.
check_names() {
  classified=$(classify_services) || die 4 "docker service ls or inspect failed (its own words are above)"
  own=$(printf '%s\n' "$classified" | sed -n 's/^own //p')
  foreign=$(printf '%s\n' "$wanted" -- "$classified" |
    awk '$0 == "--" { second = 1; next } !second { w[$1]; next } $1 == "foreign" && $3 in w { print $3 }' | paste -s -d , -)
  if [ -n "$foreign" ]; then die 4 "another service has the name $foreign" "set another stack name in hephaestus.yaml and render again"; fi
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

# The lock's protocol is that of hephaestus (src/operation/stackLock.ts): a config as the lock, and another one as a sign of life
# every $beat_seconds. It is free when there was no sign for $lock_seconds by the clock of the Swarm.
lock_seconds=75 beat_seconds=10

# This process, told apart from every other one: boot, namespace, id and start. Empty where that cannot be told.
identity() {
  ticks=$(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20)
  boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null) && space=$(readlink /proc/self/ns/pid 2>/dev/null | tr -cd 0-9) || return 0
  printf '%s/%s/%s/%s' "$boot" "$space" "$1" "$ticks"
}

# Is the process of the identity $1 surely gone? Only one of this boot and namespace can be.
has_ended() {
  case $1 in */*/*/*) ;; *) return 1 ;; esac
  there=${1%/*} here=$(identity $$)
  case $1 in "${here%/*/*}"/*) [ "$(identity "${there##*/}")" != "$1" ] ;; *) return 1 ;; esac
}

# Seconds since the epoch of a time such as 2026-11-25T10:00:00.123Z.
seconds_of() { date -u -d "$(printf '%s' "$1" | sed -e 's/\..*//' -e 's/Z$//' -e 's/T/ /')" +%s; }

# When the config $1 was created, by the clock of the Swarm.
created_at() { seconds_of "$(docker config inspect --format '{{json .CreatedAt}}' "$1" 2>/dev/null </dev/null | tr -d '"')"; }

# The signs of life of the lock $1.
beats() {
  for beat in $(docker config ls --filter "name=${stack}_lock-beat_" --format '{{.Name}}' 2>/dev/null </dev/null); do
    case $beat in "${stack}_lock-beat_$(printf %.12s "$1")_"*) printf '%s\n' "$beat" ;; esac
  done
}

remove_beats() { for beat in $(beats "$1"); do docker config rm "$beat" >/dev/null 2>&1 </dev/null || :; done; }

# Seconds since the last sign of life of the lock $1, by the clock that stamps the Swarm's objects.
silence_of() {
  probe=${stack}_lock-probe_$$
  echo probe | docker config create --label "hephaestus.stack=$stack" "$probe" - >/dev/null || return
  now=$(created_at "$probe")
  docker config rm "$probe" >/dev/null 2>&1 </dev/null || :
  last=$(created_at "$1")
  for beat in $(beats "$1"); do
    sign=$(created_at "$beat") || continue
    if [ "$sign" -gt "$last" ]; then last=$sign; fi
  done
  echo $((now - last))
}

# Leaves signs of life until this script ends, however it ends.
keep_lock() {
  (
    nap='' number=0 self=$(identity $$) name=${stack}_lock-beat_$(printf %.12s "$lock")
    trap - EXIT HUP INT
    trap 'kill "$nap"; exit' TERM
    while { sleep $beat_seconds & nap=$!; wait "$nap"; } && kill -0 $$ && [ "$(identity $$)" = "$self" ]; do
      number=$((number + 1))
      echo beat | docker config create --label "hephaestus.stack=$stack" "${name}_$number" - || continue
      docker config rm "${name}_$((number - 1))" || :
    done
  ) </dev/null >/dev/null 2>&1 &
  keeper=$!
}

# A script that stood still may have lost its lock: look before the stack is touched.
check_lock() {
  docker config inspect "$lock" >/dev/null 2>&1 </dev/null ||
    die 8 "the lock of $stack was taken over while this script stood still" "nothing was deployed; run it again"
}

take_lock() {
  host=$(uname -n) said=
  for _ in 1 2 3; do
    if said=$(echo "A deploy of $stack is running." | docker config create --label "hephaestus.stack=$stack" \
      --label "hephaestus.lock.holder=$(id -un 2>/dev/null || id -u)@$host pid $$" --label "hephaestus.lock.host=$host" \
      --label "hephaestus.lock.pid=$$" --label "hephaestus.lock.process=$(identity $$)" --label "hephaestus.lock.renewed=$beat_seconds" \
      --label "hephaestus.lock.expires=$(($(date +%s) + 86400))" "${stack}_lock" - 2>&1); then
      lock=$(printf '%s\n' "$said" | tail -n 1)
      keep_lock
      return
    fi
    label='{{println (index .Spec.Labels "hephaestus.lock.'
    held=$(docker config inspect --format "{{println .ID}}${label}renewed\")}}${label}expires\")}}${label}process\")}}${label}holder\")}}" \
      "${stack}_lock" 2>/dev/null </dev/null) || continue
    { read -r id; read -r renewed; read -r expires; read -r process; read -r holder; } <<EOF
$held
EOF
    if [ -z "$holder" ]; then die 4 "a config that is not a lock has the name ${stack}_lock" "see whose it is: docker config inspect ${stack}_lock"; fi
    case $expires in '' | *[!0-9]*) expires=$(($(date +%s) + 1)) ;; esac
    if has_ended "$process"; then :
    elif [ -n "$renewed" ]; then
      silence=$(silence_of "$id") || die 4 "cannot tell how old the lock ${stack}_lock is"
      if [ "$silence" -le $lock_seconds ]; then
        die 8 "another deploy of $stack is running: $holder" "wait for it; its last sign of life is $silence s old, and after $lock_seconds s its lock is free"
      fi
    elif [ "$expires" -gt "$(date +%s)" ]; then
      die 8 "another deploy of $stack is running: $holder" "wait for it. If you know that it is dead: docker config rm ${stack}_lock"
    fi
    # By its id: by its name it could be the lock of somebody who was quicker.
    if docker config rm "$id" >/dev/null 2>&1 </dev/null; then
      remove_beats "$id"
      say "lock: removed the one of $holder, who is gone"
    fi
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
    # Nothing shows that its password was handed over; that may be lost, and is no reason to lose the users.
    generation=$lost base=$lost previous=$lost
    say "secrets: nothing shows that anyone was given the password of generation $lost; all users are kept"
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
  removed=''
  for name in $(classify_services | sed -n 's/^own //p'); do
    printf '%s\n' "$wanted" | grep -qx "$name" || ! docker service rm "$name" >/dev/null 2>&1 </dev/null || removed="$removed $name"
  done
  # Docker removes no config that a service refers to.
  for name in $(classify_configs | sed -n 's/^own //p'); do
    grep -q "name: $name\$" <"$file" || ! docker config rm "$name" >/dev/null 2>&1 </dev/null || removed="$removed $name"
  done
  docker config rm "${stack}_baseline" >/dev/null 2>&1 </dev/null || : # of a hephaestus that was killed
  if [ -n "$removed" ]; then say "stack: removed what it does not have any more:$removed"; fi
}

# A line for each of the given services: its name and its whole spec.
specs_of() { [ $# = 0 ] || docker service inspect --format '{{.Spec.Name}} {{json .Spec}}' "$@" </dev/null; }

# Gives a service a whole spec, for which docker has no command but its API: update_service NAME SPEC
update_service() {
  version=$(docker service inspect --format '{{.ID}}/update?version={{.Version.Index}}' "$1" </dev/null) || return
  length=$(printf %s "$2" | wc -c)
  # Without the second request the engine could take the end of the input for a client that has gone.
  answer=$(printf 'POST /v%s/services/%s HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%sGET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n' \
    "$api" "$version" "$length" "$2" | docker system dial-stdio) || return
  case $answer in "HTTP/1.1 200 "*) ;; *) say "deploy: $1: $answer" >&2; return 1 ;; esac
}

# Puts back exactly what ran before, and removes services and the htpasswd that are new. Sets $valid: what to say of it.
go_back() {
  valid=''
  if [ -n "$before" ]; then
    tries=0
    # The engine may go back by itself at the same time, so it is looked again.
    until open=$(changed_services) && [ -z "$open" ]; do
      tries=$((tries + 1))
      if [ $tries -gt 5 ]; then break; fi
      printf '%s\n' "$open" | while read -r name; do
        spec=$(printf '%s\n' "$before" | sed -n "s/^$name //p")
        if [ -n "$spec" ]; then update_service "$name" "$spec" || :; else docker service rm "$name" >/dev/null 2>&1 </dev/null || :; fi
      done
      sleep 1
    done
    wanted=$(printf '%s\n' "$before" | sed 's/ .*//') tries=0
    until [ $tries -ge 30 ] || { view=$(look_at_services) && ! printf '%s\n' "$view" | grep -qv '^[a-z]* [^ ]* \([0-9]*\)/\1\( [a-z_]*completed\)\{0,1\}$'; }; do
      sleep 2
      tries=$((tries + 1))
    done
    if [ -z "$open" ] && [ $tries -lt 30 ]; then valid="; what ran before runs again"
    else valid="; going back failed: $(printf '%s\n' "$view" | paste -s -d , -)"; fi
  fi
  if [ -z "$made" ]; then return; fi
  previous=$(used registry htpasswd) || previous=$used_htpasswd
  # Docker removes no secret that a service refers to.
  if docker secret rm "${stack}_htpasswd_$generation" >/dev/null 2>&1 </dev/null; then
    valid="$valid; the passwords are those of generation $previous"
  else
    valid="$valid; the registry did not go back from generation $generation: deploy the passwords before"; fi
}

# Names of the stack's services whose spec is not the one from before.
changed_services() {
  there=$(classify_services) || return
  # shellcheck disable=SC2046
  now=$(specs_of $(printf '%s\n' "$there" | sed -n 's/^own //p')) || return
  printf '%s\n' "$before" -- "$now" | awk '$0 == "--" { second = 1; next } !second { spec[$0]; next } $0 != "" && !($0 in spec) { print $1 }'
}

# A line for each service: ok, wait or failed; its name; running/desired tasks; the state of its update.
look_at_services() {
  replicas=$(docker service ls --filter "name=${stack}_" --format '{{.Name}} {{.Replicas}}' 2>/dev/null </dev/null) || return
  # Of those that were deployed: services of others under the stack's name are none of this.
  replicas=$(printf '%s\n' "$wanted" -- "$replicas" | awk '$0 == "--" { second = 1; next } !second { w[$1]; next } $1 in w')
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
      if [ "$generation$lost" = 00 ]; then die 2 "the first deploy of $stack needs$missing" "set them in the environment"; fi ;;
    *) die 2 "missing in the environment:$missing" "set all three, or none of them to keep the secrets that exist" ;;
  esac
  check_namespace
  take_lock
  end_jobs
  ensure_secrets
  check_lock
  check_names
  # shellcheck disable=SC2086
  before=$(specs_of $own) || die 4 "docker service inspect failed (its own words are above)"
  if ! HEPHAESTUS_GENERATION=$generation HEPHAESTUS_MACHINE_GENERATION=$machine_generation docker stack deploy --with-registry-auth \
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
