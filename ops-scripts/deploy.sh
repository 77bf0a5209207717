#!/bin/sh
# The usage below is this file's header and its --help.
usage() {
  cat <<'EOF'
deploy.sh: deploy the registry stack from a machine without Node, such as a CI runner.

usage: deploy.sh STACK COMPOSE_FILE

  STACK         name of the stack, as in the config that COMPOSE_FILE was rendered from
  COMPOSE_FILE  the docker-compose.yml that hephaestus rendered

Environment:
  REGISTRY_HTPASSWD         the lines of an htpasswd file, bcrypt only (htpasswd -nB USER)
  REGISTRY_USERNAME         one of its users
  REGISTRY_RAW_PASSWORD     the password of that user, to check the lines before anything is created
  REGISTRY_S3_ACCESS_KEY_ID, REGISTRY_S3_SECRET_ACCESS_KEY
                            the keys of an S3 storage, for the first deploy (…_S3_READER_… for the reader's own)
  REGISTRY_MIRROR_LOGINS    a Docker config.json with the logins of the mirror, for the first deploy with regsync.logins
  REGISTRY_NOTIFICATION_HEADERS
                            headers of receivers of notifications as JSON, for the first deploy where a receiver has headers
  HEPHAESTUS_TIMEOUT        seconds to wait until all services run (default 300)
  HEPHAESTUS_RESOLVE_IMAGE  always, changed or never (docker stack deploy --resolve-image)
  DOCKER_HOST, DOCKER_CONTEXT  a Swarm manager, as for docker itself

The first deploy creates the Swarm secrets from the three REGISTRY_ variables. Later deploys use the secrets that
are in use. If the variables are set then and differ from the users in the Swarm, the script stops: change users
with `hephaestus rotate-password` and `hephaestus user`. They are compared if a task of the registry runs on the node
that docker talks to. The script needs docker, and perl if the variables are set. Passwords go through pipes only: not
into a command line, not into the environment of another program, and not to disk.

Exit codes: 0 all services run; 2 wrong command line, or a variable is missing; 3 COMPOSE_FILE is missing or was
not rendered by hephaestus; 4 docker, the Swarm or this machine is not ready; 5 the htpasswd or the password was
refused; 6 the rollout failed; 8 another operation on STACK is running; 130 interrupted.
EOF
}

set -eu +x +a # The caller's sh -x or sh -a must not spread secrets.
umask 077

# Copies that are not exported, even if the environment has variables of these names.
unset logins headers s3_id s3_secret s3_reader_id s3_reader_secret htpasswd user password line lines basic machine hash found present differing content
htpasswd=${REGISTRY_HTPASSWD:-} user=${REGISTRY_USERNAME:-} password=${REGISTRY_RAW_PASSWORD:-}
logins=${REGISTRY_MIRROR_LOGINS:-} headers=${REGISTRY_NOTIFICATION_HEADERS:-}
newline='
'
s3_id=${REGISTRY_S3_ACCESS_KEY_ID:-} s3_secret=${REGISTRY_S3_SECRET_ACCESS_KEY:-}
s3_reader_id=${REGISTRY_S3_READER_ACCESS_KEY_ID:-} s3_reader_secret=${REGISTRY_S3_READER_SECRET_ACCESS_KEY:-}
unset REGISTRY_HTPASSWD REGISTRY_USERNAME REGISTRY_RAW_PASSWORD REGISTRY_MIRROR_LOGINS REGISTRY_NOTIFICATION_HEADERS REGISTRY_S3_ACCESS_KEY_ID \
  REGISTRY_S3_SECRET_ACCESS_KEY REGISTRY_S3_READER_ACCESS_KEY_ID REGISTRY_S3_READER_SECRET_ACCESS_KEY
export LC_ALL=C
lock='' scratch=''

say() { printf '%s\n' "$*"; }

# die CODE MESSAGE [REMEDY]
die() {
  printf 'deploy: %s\n' "$2" >&2
  if [ -n "${3:-}" ]; then printf 'deploy: to fix it: %s\n' "$3" >&2; fi
  exit "$1"
}

# Runs a docker command that only reads. Standard input stays untouched: a pipe to sh may still hold the script.
ask() { docker "$@" </dev/null || die 4 "docker $1 $2 failed (see its message above)"; }

release() {
  if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
  [ -z "$lock" ] || docker config rm "$lock" >/dev/null 2>&1 </dev/null || say "deploy: the lock ${stack}_lock could not be removed; it expires" >&2
  lock='' scratch=''
}

read_arguments() {
  case ${1:-} in -h | --help) usage; exit 0 ;; esac
  if [ $# -ne 2 ]; then die 2 "needs a STACK and a COMPOSE_FILE" "see deploy.sh --help"; fi
  stack=$1 file=$2
  case $stack in '' | [!a-z0-9]* | *[!a-z0-9_-]*) die 2 "'$stack' is not a stack name" "use a-z, 0-9, _ and -, and begin with a letter or digit" ;; esac
  timeout=${HEPHAESTUS_TIMEOUT:-300} resolve=${HEPHAESTUS_RESOLVE_IMAGE:-}
  case $timeout in 0* | *[!0-9]* | ???????*) die 2 "HEPHAESTUS_TIMEOUT: '$timeout' is not a number of seconds" "unset it, or set it to 300, for example" ;; esac
  case $resolve in '' | always | changed | never) ;; *) die 2 "HEPHAESTUS_RESOLVE_IMAGE: '$resolve' is unknown" "use always, changed or never" ;; esac
  if [ ! -f "$file" ] || [ ! -r "$file" ]; then die 3 "$file: no such file, or not readable" "run: hephaestus render"; fi
  prefix=$(sed -n "s/.*name: *[\"']\{0,1\}\([a-z0-9_-]*\)_htpasswd_\${HEPHAESTUS_GENERATION.*/\1/p" <"$file" | head -n 1)
  if [ -z "$prefix" ] || ! grep -q "_gateway_\${HEPHAESTUS_MACHINE_GENERATION" <"$file"; then
    die 3 "$file was not rendered by this version of hephaestus" "run: hephaestus render"
  fi
  if [ "$prefix" != "$stack" ]; then die 2 "$file belongs to the stack $prefix, not to $stack" "run: deploy.sh $prefix $file"; fi
  wanted=$(sed -n "/^services:/,/^[a-z]/s/^  \([a-z-]*\): *\$/${stack}_\1/p" <"$file")
  case ${htpasswd:+h}${user:+u}${password:+p} in
    hup | '') ;;
    *) die 2 "REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD are not all set" "set all three, or none of them if the stack has users" ;;
  esac
}

check_machine() {
  for tool in docker awk base64 od; do command -v $tool >/dev/null 2>&1 || die 4 "$tool is not installed, or not in PATH" "install it"; done
  # A printf that is a program would show its arguments to every user of this machine.
  case $(command -v printf) in */*) die 4 "this shell has no built-in printf" "run it with dash, bash or busybox ash" ;; esac
  facts=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}' 2>&1 </dev/null) || :
  case $facts in
    "active true") ;;
    "active "*) die 4 "this node is a Swarm worker" "set DOCKER_HOST or DOCKER_CONTEXT to a manager" ;;
    "inactive "*) die 4 "the engine is not part of a Swarm" "run there: docker swarm init" ;;
    *) die 4 "docker does not reach its engine: $facts" "start it, or set DOCKER_HOST or DOCKER_CONTEXT to a Swarm manager" ;;
  esac
}

# Reads a line with a bcrypt setting or hash, then a line with the password. Prints the hash.
bcrypt() { perl -C0 -e 'my ($s, $p) = <STDIN>; chomp($s, $p); print crypt($p, $s) // ""' 2>/dev/null; }

# Is $password the password of $user in the lines $1? $2a$, $2b$ and $2y$ are one algorithm, but not every C library knows all names.
password_opens() {
  found=$(printf '%s\n' "$user:" "$1" | awk 'NR == 1 { u = $0; next } index($0, u) == 1 { h = substr($0, length(u) + 1) } END { print h }')
  # shellcheck disable=SC2016
  hash='$2y$'${found#????}
  [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$hash" "$password" | bcrypt)" = "$hash" ]
}

# Removes blanks and comments from $htpasswd, but for ends and notes of users, and checks it against $user and $password.
check_credentials() {
  htpasswd=$(printf '%s\n' "$htpasswd" | awk '
    { gsub(/^[ \t\r]+|[ \t\r]+$/, "") }
    /^# until [A-Za-z0-9][A-Za-z0-9._@-]* [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]$/ || /^# note [A-Za-z0-9][A-Za-z0-9._@-]* ./ { remarks = remarks $0 "\n"; next }
    $0 == "" || /^#/ { next }
    { colon = index($0, ":"); name = substr($0, 1, colon - 1); hash = substr($0, colon + 1); bad = "" }
    colon < 2 { bad = "line " NR ": is not user:hash" }
    colon > 1 && hash !~ /^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[.\/A-Za-z0-9]+$/ { bad = "hash is not bcrypt; create it with: htpasswd -nB " name }
    colon > 1 && bad == "" && length(hash) != 60 { bad = "bcrypt hash has " length(hash) " characters instead of 60; was it cut off?" }
    tolower(name) ~ /^hephaestus[.-]/ { bad = "names that begin with hephaestus- or hephaestus. are reserved; choose another name" }
    bad != "" { if (colon > 1) bad = "line " NR " (user " name "): " bad; errors = errors "\ndeploy:   " bad; next }
    { lines = lines $0 "\n" }
    END {
      if (errors == "" && lines == "") errors = "\ndeploy:   it has no users"
      if (errors != "") { print substr(errors, 2); exit 1 }
      printf "%s%s", remarks, lines
    }') || die 5 "REGISTRY_HTPASSWD was refused:$newline$htpasswd"
  case $user in *:* | *"$newline"*) die 5 "REGISTRY_USERNAME contains a colon or a line break" "set it to one user name" ;; esac
  case $password in *"$newline"*) die 5 "REGISTRY_RAW_PASSWORD contains a line break" "remove it; printf writes none, echo does" ;; esac
  # Only some C libraries have bcrypt in crypt(): a known answer.
  # shellcheck disable=SC2016
  if [ "$(printf '%s\n' '$2y$05$CCCCCCCCCCCCCCCCCCCCC.' 'U*U' | bcrypt)" != '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' ]; then
    die 4 "nothing here computes bcrypt" "install perl, on Linux; or use hephaestus deploy"
  fi
  if password_opens "$htpasswd"; then return; fi
  if [ -z "$found" ]; then die 5 "REGISTRY_USERNAME: $user is not in REGISTRY_HTPASSWD" "add a line for $user, or name one of its users"; fi
  die 5 "REGISTRY_RAW_PASSWORD is not the password of $user in REGISTRY_HTPASSWD" "correct one of the two; nothing was changed"
}

# Names in the namespace of the stack: inside service|config|network|secret [OPTION...]
inside() {
  kind=$1
  shift
  ask "$kind" ls --filter "label=com.docker.stack.namespace=$stack" --format '{{.Name}}' "$@"
}
own() { inside "$1" --filter "label=hephaestus.stack=$stack"; }

# The services that the compose file names, and that are there, whoever's they are.
wanted_there() {
  named=$(ask service ls --filter "name=${stack}_" --format '{{.Name}}') || return
  printf '%s\n' "$named" | grep -xF "$wanted" || :
}

# Lines that a text lacks, each once: others TEXT LINES
others() {
  printf '%s\n' "$1" -- "$2" | awk '
    $0 == "--" { second = 1; next }
    second && $0 != "" && !($0 in known)
    { known[$0] }'
}

# Stops if something else is in the namespace of the stack, or has the name of one of its services.
check_namespace() {
  foreign=''
  for kind in service config network secret; do
    ours=$(own $kind)
    all=$(inside $kind)
    if [ $kind = service ]; then all=$all$newline$(wanted_there); fi
    foreign=$foreign$(others "$ours" "$all" | sed "s/^/, $kind /" | tr -d '\n')
  done
  if [ -n "$foreign" ]; then
    die 4 "the stack name $stack is in use by something else: ${foreign#, }" \
      "to keep a registry that runs there: hephaestus adopt $stack. Else set another stack name in hephaestus.yaml and render again, or remove them if they are not needed"
  fi
}

# docker would take over a service that somebody else created since.
check_names() {
  ours=$(own service)
  there=$(wanted_there)
  taken=$(others "$ours" "$there" | paste -s -d , -)
  if [ -n "$taken" ]; then die 4 "another service has the name $taken" "set another stack name in hephaestus.yaml and render again"; fi
}

# Seconds since the epoch of a time as docker has it: 2026-11-25T10:00:00.123Z, or with the offset of the engine's own zone.
seconds_of() {
  time=$(printf '%s' "$1" | tr -d '"') zone=0
  case $time in *[+-][0-9][0-9]:[0-9][0-9])
    minutes=${time##*:} hours=${time%:*}
    hours=${hours#"${hours%??}"}
    zone=$(((1$hours - 100) * 3600 + (1$minutes - 100) * 60))
    case $time in *-??:??) zone=-$zone ;; esac ;;
  esac
  echo $(($(date -u -d "$(printf '%.19s' "$time" | tr T ' ')" +%s) - zone))
}

# Sets $id, $updated, $seconds and $holder to what the lock says. Fails if nobody holds it.
read_lock() {
  label='{{println (index .Spec.Labels "hephaestus.lock.'
  held=$(docker config inspect --format "{{println .ID}}{{println (json .UpdatedAt)}}${label}seconds\")}}${label}holder\")}}" "${stack}_lock" 2>/dev/null </dev/null) || return
  { read -r id; read -r updated; read -r seconds; read -r holder; } <<EOF
$held
EOF
  if [ -z "$seconds" ]; then die 4 "a config that is not a lock has the name ${stack}_lock" "see who needs it: docker config inspect ${stack}_lock"; fi
}

is_held() { die 8 "another operation on $stack is running: $holder" "wait for it; if you know that it has ended, run: docker config rm ${stack}_lock"; }

# The lock is the same as in hephaestus (src/swarm/lock/stackLock.ts): a config, whose name exists once in the Swarm. Its label
# says how many seconds after its last update it expires. hephaestus updates its own every few seconds, this script never.
take_lock() {
  host=$(uname -n)
  for _ in 1 2 3; do
    if said=$(echo "A deploy of $stack is running." | docker config create --label "hephaestus.stack=$stack" \
      --label "hephaestus.lock.holder=$(id -un 2>/dev/null || id -u)@$host pid $$" --label "hephaestus.lock.host=$host" \
      --label "hephaestus.lock.seconds=$((timeout + 120))" "${stack}_lock" - 2>&1); then
      lock=$(printf '%s\n' "$said" | tail -n 1)
      return
    fi
    read_lock || continue
    if [ $(($(seconds_of "$(ask info --format '{{.SystemTime}}')") - $(seconds_of "$updated"))) -le "$seconds" ]; then is_held; fi
    # The clocks of two managers may differ: a holder that lives updates its lock within this time.
    before=$id$updated
    sleep 25
    read_lock || continue
    if [ "$id$updated" != "$before" ]; then is_held; fi
    # By its id: another process may have taken the lock in the meantime.
    docker config rm "$id" >/dev/null 2>&1 </dev/null && say "lock: removed the expired lock of $holder"
  done
  die 4 "cannot create the lock ${stack}_lock: $said"
}

# A gc that still deletes blobs must not run beside a registry that accepts pushes.
check_jobs() {
  jobs=$(ask service ls --filter "label=hephaestus.stack=$stack" --filter "name=${stack}_job-" --format '{{.Name}}')
  if [ -n "$jobs" ]; then die 4 "$jobs is left over from an operation that was killed" "end it with: hephaestus deploy, or: docker service rm $jobs"; fi
}

# The newest generation of our secrets of a kind: newest KIND
newest() { printf '%s\n' "$secrets" | sed -n "s/^${stack}_$1_\([1-9][0-9]*\) $stack\$/\1/p" | sort -n | tail -n 1; }

# Sets $chosen to the generation of a secret that a service uses, or else to the newest: choose SERVICE KIND
choose() {
  chosen=''
  if printf '%s\n' "$services" | grep -qx "${stack}_$1"; then
    refers=$(ask service inspect --format '{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{println .SecretName}}{{end}}' "${stack}_$1")
    chosen=$(printf '%s\n' "$refers" | sed -n "s/^${stack}_$2_\([1-9][0-9]*\)\$/\1/p" | head -n 1)
  fi
  chosen=${chosen:-$(newest "$2")}
}

# Whether the compose file names a secret of a kind: names_secret KIND
names_secret() { grep -q "^ *name: .*${stack}_$1_" <"$file"; }

# Whether a secret is ours: has KIND GENERATION
has() { printf '%s\n' "$secrets" | grep -qxF "${stack}_$1_$2 $stack"; }

# create KIND GENERATION [OPTION...]; the content comes on standard input.
create() {
  kind=$1 number=$2 name=${stack}_$1_$2
  shift 2
  docker secret create --label "hephaestus.stack=$stack" --label "hephaestus.secret=$kind" --label "hephaestus.generation=$number" \
    "$@" "$name" - >/dev/null || die 4 "docker secret create $name failed (see its message above)"
  say "secrets: $name created"
}

random_hex() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }

# Makes a machine account with 256 random bits, for which the lowest bcrypt cost is enough. Sets $machine and $basic, and adds to $lines.
make_account() {
  machine=$(random_hex) account=hephaestus-$1
  if [ "$machine_generation" != 1 ]; then account=$account-$machine_generation; fi
  # shellcheck disable=SC2016
  hash=$(printf '$2y$04$%s.\n%s\n' "$(random_hex | cut -c 1-21)" "$machine" | bcrypt)
  lines=$lines$account:$hash$newline basic=$(printf '%s' "$account:$machine" | base64 | tr -d '\n')
  if [ ${#machine} -ne 64 ] || [ ${#hash} -ne 60 ] || [ -z "$basic" ]; then die 4 "cannot create the account $account with od, perl and base64"; fi
}

# Creates the secrets of a new stack. The htpasswd comes last: if it exists, the others do.
create_secrets() {
  generation=1 machine_generation=$(($(newest gateway || :) + 1)) lines=''
  make_account gateway
  printf 'default "Basic %s";\n' "$basic" | create gateway $machine_generation
  make_account ui
  printf 'NGINX_PROXY_HEADER_Authorization=Basic %s\n' "$basic" | create ui $machine_generation
  if names_secret library; then
    make_account library
    printf 'NGINX_PROXY_HEADER_Authorization=Basic %s\n' "$basic" | create library $machine_generation
  fi
  if names_secret mirror; then
    make_account mirror
    printf '%s' "$account:$machine" | create mirror $machine_generation
  fi
  labels=$(printf '%s\n' "$htpasswd" | sed -n -e "s/^\([a-zA-Z0-9][a-zA-Z0-9._@-]*\):.*/--label hephaestus.changed.\1=$(date -u +%Y-%m-%dT%H:%M:%SZ)/p" \
    -e "s/^# until \([^ ]*\) \(....\)\(..\)\(..\)\$/--label hephaestus.until.\1=\2-\3-\4/p")
  # Names in labels are single words.
  # shellcheck disable=SC2086
  printf '%s\n%s' "$htpasswd" "$lines" | create htpasswd 1 $labels
}

# Stops if the environment has a user or a password that is not in use. The salt of $user may differ.
compare_users() {
  # During a roll there are tasks with the users from before, too.
  present=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=${stack}_registry" --filter status=running 2>/dev/null </dev/null |
    while read -r id; do
      task=$(docker inspect --format '{{index .Config.Labels "com.docker.swarm.task.id"}}' "$id" 2>/dev/null </dev/null) || continue
      mounted=$(docker inspect --type task --format '{{range .Spec.ContainerSpec.Secrets}}{{println .SecretName}}{{end}}' "$task" 2>/dev/null </dev/null) || continue
      printf '%s\n' "$mounted" | grep -qxF "${stack}_htpasswd_$generation" || continue
      if docker exec "$id" cat /run/secrets/htpasswd 2>/dev/null </dev/null; then break; fi
    done)
  if [ -z "$present" ]; then
    say "secrets: the users were not compared, since no task of ${stack}_registry with them runs on this node"
    return
  fi
  same=''
  if password_opens "$present"; then same=$user; fi
  differing=$(printf '%s\n' "$same" "$present" -- "$htpasswd" | awk '
    NR == 1 { same = $0; next }
    $0 == "--" { second = 1; next }
    /^#/ { if (!second) { remark[$0] = 1 } else if ($2 == "until" && !($0 in remark)) {
      print "deploy:   the end of " $3 " differs: hephaestus user update " $3 " --until " substr($4, 1, 4) "-" substr($4, 5, 2) "-" substr($4, 7) }
      next }
    { name = substr($0, 1, index($0, ":") - 1) }
    !second { line[name] = $0; next }
    name == "" || name == same { next }
    !(name in line) { print "deploy:   there is no user " name ": hephaestus user add " name " --password-stdin"; next }
    line[name] != $0 { print "deploy:   the password of " name " differs: hephaestus rotate-password --user " name " --password-stdin" }')
  if [ -n "$differing" ]; then die 5 "REGISTRY_HTPASSWD differs from the users in the Swarm, which stay as they are:$newline$differing" "run these commands, or update the variables"; fi
}

choose_secrets() {
  services=$(own service)
  has http-secret 1 || printf '  secret: %s\n' "$(random_hex)" | create http-secret 1
  choose registry htpasswd
  generation=$chosen
  if [ -z "$generation" ]; then create_secrets; return; fi
  choose gateway gateway
  machine_generation=$chosen
  for kind in gateway ui library mirror; do
    case $kind in library | mirror) names_secret $kind || continue ;; esac
    has $kind "$machine_generation" || die 4 "the secrets of the machine accounts are incomplete" "create them with: hephaestus deploy"
  done
  if [ -n "$user" ]; then compare_users; fi
  say "secrets: generation $generation kept"
}

# Stops before anything is created if the first deploy lacks a secret that is given: need KIND CONTENT VARIABLES
need() { if names_secret "$1" && [ -z "$(newest "$1")$2" ]; then die 2 "the secret ${stack}_$1_1 is not in the Swarm yet" "set $3"; fi; }

# The file that the AWS SDK reads: aws_file ID SECRET
aws_file() { printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s' "$1" "$2"; }

# Chooses the generation of a secret that is given as it is, and creates the first: give KIND SERVICE CONTENT [OPTION...]
give() {
  chosen=''
  names_secret "$1" || return 0
  choose "$2" "$1"
  if [ -n "$chosen" ]; then return; fi
  chosen=1 kind=$1 content=$3
  shift 3
  printf '%s' "$content" | create "$kind" 1 "$@"
}

# Prints a line for each service: ok, wait or failed; its name; running/desired tasks; the state of its update.
look_at_services() {
  replicas=$(docker service ls --filter "name=${stack}_" --format '{{.Name}} {{.Replicas}}' 2>/dev/null </dev/null) || return
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

# rollout_failed MESSAGE SERVICES: a line for each service, as from look_at_services.
rollout_failed() {
  for service in $(printf '%s\n' "$2" | sed -e '/^(/d' -e 's/ .*//'); do
    printf 'deploy: %s: errors of its tasks:\n' "$service"
    docker service ps --no-trunc --format '{{if .Error}}{{.Name}} on {{.Node}}: {{.CurrentState}}: {{.Error}}{{end}}' "$service" </dev/null |
      sed -e '/^$/d' -e 's/^[ \\_]*/  /' | head -n 5
    printf 'deploy: %s: last lines of its log:\n' "$service"
    bounded=$(command -v timeout || :)
    ${bounded:+"$bounded" 15} docker service logs --timestamps --tail 10 "$service" 2>&1 </dev/null |
      sort | tail -n 10 | LC_ALL=C tr -c '\n\t -~' '?' | sed 's/^/  /'
  done >&2
  die 6 "$1: $(printf '%s\n' "$2" | paste -s -d , -)" "fix what the tasks and logs above show, then run it again; hephaestus rollback deploys the state before"
}

wait_for_services() {
  calm=0 shown='' deadline=$(($(date +%s) + timeout))
  while [ $calm -lt 2 ]; do
    sleep 2
    view=$(look_at_services) || view="wait (docker does not answer)"
    failed=$(printf '%s\n' "$view" | sed -n 's/^failed //p') waiting=$(printf '%s\n' "$view" | sed -n 's/^wait //p')
    if [ -n "$failed" ]; then rollout_failed "the rollout failed" "$failed"; fi
    if [ -z "$waiting" ]; then calm=$((calm + 1)); continue; else calm=0; fi
    if [ "$waiting" != "$shown" ]; then say "waiting: $(printf '%s\n' "$waiting" | paste -s -d , -)"; fi
    if [ "$(date +%s)" -ge "$deadline" ]; then rollout_failed "not all services run after $timeout s" "$waiting"; fi
    shown=$waiting
  done
}

# Leaves a record of this deploy in the Swarm, for hephaestus history and rollback. The last 20 are kept.
record() {
  for tool in cp gzip mkdir sha256sum tar; do command -v $tool >/dev/null 2>&1 || { say "history: $tool is not installed"; return 0; }; done
  scratch=${scratch:-$(mktemp -d)} && mkdir "$scratch/files" && cp "$file" "$scratch/files/docker-compose.yml" || return
  case $file in */*) folder=${file%/*} ;; *) folder=. ;; esac
  # shellcheck disable=SC2013
  for name in $(sed -n 's|^ *file: \./\([A-Za-z0-9._/-]*\)$|\1|p' <"$file"); do
    mkdir -p "$scratch/files/${name%"${name##*/}"}" && cp "$folder/$name" "$scratch/files/$name" || return
  done
  tar -c -f "$scratch/tar" -C "$scratch/files" . && gzip "$scratch/tar" || return
  records=$(docker config ls --filter "label=hephaestus.stack=$stack" --filter "name=${stack}_history_" --format '{{.Name}} {{.Label "hephaestus.history"}}' </dev/null) || return
  numbers=$(printf '%s\n' "$records" | sed -n "s/^${stack}_history_\([1-9][0-9]*\) /\1 /p" | sort -rn)
  # shellcheck disable=SC2086
  images=$(docker service inspect --format '{{.Spec.Name}}={{.Spec.TaskTemplate.ContainerSpec.Image}}' $wanted </dev/null) || return
  docker config create --label "hephaestus.stack=$stack" --label hephaestus.history=deploy --label "hephaestus.history.at=$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    --label "hephaestus.history.by=$(id -un 2>/dev/null || id -u)@$host" --label hephaestus.history.note=deploy.sh \
    --label "hephaestus.history.config=$(sed '/^    image: /d' <"$file" | sha256sum | cut -c 1-64)" --label "hephaestus.history.generations=$generation/$machine_generation" \
    --label "hephaestus.history.images=$(printf '%s\n' "$images" | sed "s/^${stack}_//" | sort | paste -s -d ' ' -)" "${stack}_history_$(($(printf '%s\n' "$numbers" | sed -n '1s/ .*//p') + 1))" - >/dev/null <"$scratch/tar.gz" || return
  for old in $(printf '%s\n' "$numbers" | awk '$2 ~ /^(deploy|rotate|rollback)$/ && ++count >= 20 { print $1 }'); do
    docker config rm "${stack}_history_$old" >/dev/null 2>&1 </dev/null || :
  done
}

# Removes services that the compose file no longer has, and configs that no service uses; Docker keeps those in use.
remove_unused() {
  for name in $services; do
    printf '%s\n' "$wanted" | grep -qx "$name" || ! docker service rm "$name" >/dev/null </dev/null || say "stack: removed $name"
  done
  # Also what ran before a hephaestus deploy that was killed.
  baseline=$(ask config ls --filter "label=hephaestus.stack=$stack" --filter "name=${stack}_baseline" --format '{{.Name}}' | grep -xF "${stack}_baseline" || :)
  for name in $(own config) $baseline; do
    grep -q "name: $name\$" <"$file" || docker config rm "$name" >/dev/null 2>&1 </dev/null || :
  done
}

main() {
  read_arguments "$@"
  check_machine
  trap release EXIT
  trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
  if [ -n "$user" ]; then check_credentials; fi
  check_namespace
  secrets=$(ask secret ls --filter "name=${stack}_" --format '{{.Name}} {{.Label "hephaestus.stack"}}')
  need htpasswd "$user" "REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD"
  need s3 "${s3_id:+$s3_secret}" "REGISTRY_S3_ACCESS_KEY_ID and REGISTRY_S3_SECRET_ACCESS_KEY"
  need s3-reader "${s3_reader_id:+$s3_reader_secret}" "REGISTRY_S3_READER_ACCESS_KEY_ID and REGISTRY_S3_READER_SECRET_ACCESS_KEY"
  need mirror-logins "$logins" REGISTRY_MIRROR_LOGINS
  need notification-headers "$headers" REGISTRY_NOTIFICATION_HEADERS
  take_lock
  check_jobs
  choose_secrets
  give s3-reader reader "$(aws_file "$s3_reader_id" "$s3_reader_secret")$newline"
  give s3 registry "$(aws_file "$s3_id" "$s3_secret")$newline"
  HEPHAESTUS_S3_GENERATION=$chosen
  give mirror-logins mirror "$logins"
  HEPHAESTUS_MIRROR_GENERATION=$chosen
  give notification-headers notifier "$headers"
  HEPHAESTUS_NOTIFICATION_GENERATION=$chosen HEPHAESTUS_GENERATION=$generation HEPHAESTUS_MACHINE_GENERATION=$machine_generation
  export HEPHAESTUS_GENERATION HEPHAESTUS_MACHINE_GENERATION HEPHAESTUS_S3_GENERATION HEPHAESTUS_MIRROR_GENERATION HEPHAESTUS_NOTIFICATION_GENERATION
  check_names
  docker stack deploy --with-registry-auth ${resolve:+--resolve-image "$resolve"} -c "$file" "$stack" </dev/null ||
    die 6 "docker stack deploy failed (see its message above)" "run it again; it continues where it stopped"
  wait_for_services
  # It looks for missing images when it starts, which may have been before the registry answered.
  if names_secret mirror; then docker service update --detach --quiet --force "${stack}_mirror" >/dev/null </dev/null || say "mirror: could not be restarted"; fi
  record || say "history: this deploy was not recorded (see the message of docker above)"
  remove_unused
  say "deploy: ready: $stack generation=$generation $(printf '%s\n' "$view" | awk '{ print $2 "=" $3 }' | paste -s -d ' ' -)"
}

main "$@"
