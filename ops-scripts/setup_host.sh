#!/bin/sh
# The usage below is this file's header, its --help, and all that is known of it when it is piped to a shell.
usage() {
  cat <<'EOF'
setup_host.sh: prepare the node that holds the registry's storage.

usage: setup_host.sh [--path DIR | --volume NAME] [--owner UID:GID] [--mode MODE] [--check]

  --path DIR        the storage directory (default /mnt/storage/registry)
  --volume NAME     a volume of this host's engine instead; DIR is where the engine has it
  --owner UID:GID   numeric owner, as the registry runs in its container (default 10001:10001)
  --mode MODE       octal mode of DIR itself (default 0750)
  --check           change nothing; exit 4 and say what is missing if DIR is not ready
  -h, --help        this text

Creates DIR (missing parents get mode 0755), sets its owner and mode, and hands over what lies in it
to UID:GID, but only if something there belongs to another user. It follows no symbolic links below
DIR. A volume is never created. Run it as often as you like: what is right already is left alone, and needs no root.

Where the engine maps the ids of containers (userns-remap), DIR goes to the number that UID:GID has on
this host. Where SELinux is on, DIR and what lies in it get the type container_file_t.

Over ssh, with nothing installed there:
  ssh root@NODE sh -s -- --path /mnt/storage/registry < ops-scripts/setup_host.sh

Exit codes: 0 ready; 2 the command line is wrong, or DIR is no place for a registry;
4 the host is not ready (--check), or refuses (permissions, read-only file system); 130 interrupted.
EOF
}

set -eu
umask 077
export LC_ALL=C

MIN_FREE_KIB=2097152 # 2 GiB

say() { printf '%s\n' "$*"; }

# die CODE MESSAGE [REMEDY]
die() {
  printf 'setup_host: %s\n' "$2" >&2
  if [ -n "${3:-}" ]; then printf 'setup_host: to fix it: %s\n' "$3" >&2; fi
  exit "$1"
}

usage_error() { die 2 "$1" "see setup_host.sh --help"; }

# refused DOING WHAT_THE_SYSTEM_SAID
refused() {
  case $2 in
    *"ead-only file system"*) remedy="mount the file system of $real writable, or choose another --path" ;;
    *"ermission denied"* | *"not permitted"*)
      if [ "$(id -u)" -eq 0 ]; then
        remedy="root itself is refused: is it NFS with root_squash, or a mount without ownership? do it on the file server, or choose another --path"
      else
        remedy="run it with sudo"
      fi ;;
    *"not supported"*)
      remedy="this file system keeps no labels of its own: mount it with -o context=system_u:object_r:container_file_t:s0" ;;
    *"ot a directory"* | *"ile exists"*) remedy="choose another --path, or move away the file that is in its way" ;;
    *) remedy= ;;
  esac
  die 4 "cannot $1: $(printf '%s' "$2" | head -n 1)" "$remedy"
}

# Directories of the system itself. What lies below them is allowed, except where the kernel writes.
forbid_system_directory() {
  if [ -n "$volume" ]; then return 0; fi
  case $1 in
    / | /bin | /boot | /dev | /etc | /home | /lib | /lib32 | /lib64 | /libx32 | /lost+found | /media | /mnt | /opt | \
      /private | /proc | /root | /run | /sbin | /snap | /srv | /sys | /tmp | /usr | /var | /dev/* | /proc/* | /sys/* | \
      /etc/docker | /run/lock | /run/user | /usr/bin | /usr/include | /usr/lib | /usr/lib32 | /usr/lib64 | \
      /usr/libexec | /usr/local | /usr/local/* | /usr/sbin | /usr/share | /usr/src | /var/backups | /var/cache | \
      /var/lib | /var/lib/docker | /var/lib/docker/* | /var/lib/containerd | /var/lib/containerd/* | /var/local | \
      /var/lock | /var/log | /var/mail | /var/opt | /var/run | /var/spool | /var/tmp)
      if [ "$1" = "$path" ]; then what="$path is"; else what="$path leads to $1,"; fi
      die 2 "--path: $what a directory of the system; its owner and mode must stay as they are" \
        "give a directory of its own, such as /mnt/storage/registry" ;;
  esac
}

read_options() {
  path=/mnt/storage/registry volume='' owner=10001:10001 mode=0750 check=no
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --check) check=yes; shift ;;
      --path | --volume | --owner | --mode)
        if [ $# -lt 2 ]; then usage_error "$1 needs a value"; fi
        case $1 in --path) path=$2 ;; --volume) volume=$2 ;; --owner) owner=$2 ;; --mode) mode=$2 ;; esac
        shift 2 ;;
      --path=* | --volume=* | --owner=* | --mode=*)
        name=${1%%=*} value=${1#*=}
        shift
        set -- "$name" "$value" "$@" ;;
      *) usage_error "unknown argument: $1" ;;
    esac
  done

  uid=${owner%%:*} gid=${owner#*:}
  for id in "$uid" "$gid"; do
    case $owner:$id in
      *:*:*:*) bad=yes ;;
      *) case $id in '' | *[!0-9]* | 0?* | ???????????*) bad=yes ;; *) bad=no ;; esac ;;
    esac
    if [ $bad = yes ] || [ "$id" = "$owner" ]; then
      usage_error "--owner: '$owner' is not UID:GID in decimal numbers, such as 10001:10001 (names differ between host and container)"
    fi
  done
  case $mode in
    [0-7][0-7][0-7] | [0-7][0-7][0-7][0-7]) ;;
    *) usage_error "--mode: '$mode' is not three or four octal digits, such as 0750" ;;
  esac
  if [ $((0$mode & 0700)) -ne $((0700)) ]; then
    usage_error "--mode: with $mode the registry could not write into its own directory; the first digit for the owner must be 7"
  fi
  mode=$(printf '%04o' $((0$mode)))
}

# Sets $path to where this host's engine has the volume. The engine alone creates and names such folders.
find_volume() {
  case $volume in '' | *[!a-zA-Z0-9_.-]*) usage_error "--volume: '$volume' is not a name of a volume" ;; esac
  path=$(docker volume inspect --format '{{.Mountpoint}}' "$volume" 2>/dev/null) ||
    die 4 "this host's engine has no volume $volume, or does not answer" \
      "see: docker volume ls; an empty one for new images is made with: docker volume create $volume"
  if [ ! -d "$path" ]; then die 4 "$path, the volume $volume, cannot be reached" "run it with sudo, on the host of the volume"; fi
}

# Checks the spelling of $path, then sets $real (no symbolic links in it) and $existing, the nearest directory there is.
resolve_path() {
  newline='
'
  case $path in
    *"$newline"*) usage_error "--path: holds a line break" ;;
    /*) ;;
    *) usage_error "--path: '$path' is not absolute; write it from / on" ;;
  esac
  case $path/ in
    */../* | */./*) usage_error "--path: '$path' has . or .. in it; write the path without them" ;;
  esac
  path=$(printf '%s' "$path" | tr -s /)
  if [ "$path" != / ]; then path=${path%/}; fi
  real=$path
  forbid_system_directory "$path"
  existing=$path rest=
  while [ ! -e "$existing" ] && [ ! -L "$existing" ]; do
    rest=/${existing##*/}$rest
    existing=${existing%/*}
    if [ -z "$existing" ]; then existing=/; fi
  done
  if [ ! -e "$existing" ]; then
    die 4 "$existing is a symbolic link to nowhere" "remove it, or create what it points to"
  fi
  existing=$(readlink -f "$existing") || die 4 "cannot resolve $path" "is it reached through a broken symbolic link?"
  real=${existing%/}$rest
  forbid_system_directory "$real"
  if [ ! -d "$existing" ]; then
    die 4 "$existing exists and is not a directory" "choose another --path, or move the file away"
  fi
}

# The engine's word for a read-only file system comes late and in a log; the mount table knows it now.
require_writable_mount() {
  mount_point=$(df -P "$existing" 2>/dev/null | awk 'NR == 2 { for (i = 6; i <= NF; i++) printf "%s%s", (i > 6 ? " " : ""), $i }')
  options=$(printf '%s\n' "$mount_point" | awk '
    NR == FNR { want = $0; next }
    { p = $2; gsub(/\\040/, " ", p) } p == want { o = $4 } END { print o }' - /proc/self/mounts 2>/dev/null) || options=
  case ,$options, in *,ro,*) refused "use $real (on $mount_point)" "Read-only file system" ;; esac
}

# change WHAT COMMAND...: runs the command, or says with --check that it would.
change() {
  changes=$((changes + 1))
  what=$1
  shift
  if [ $check = yes ]; then say "would: $what"; return; fi
  said=$("$@" 2>&1) || refused "$what" "$said"
  say "done: $what"
}

# text_of FILE: its text, or nothing.
text_of() { cat "$1" 2>/dev/null || :; }

# What the engine of this host says of itself: its security options and its folder. Nothing if none answers, or if
# docker talks to another host.
engine_facts() {
  command -v docker >/dev/null 2>&1 || return 0
  case $(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) in unix://*) ;; *) return 0 ;; esac
  docker info --format '{{json .SecurityOptions}} {{.DockerRootDir}}' 2>/dev/null || :
}

# first_id FILE USER: where the first range of this user begins.
first_id() {
  text_of "$1" | while IFS=: read -r name start _ || [ -n "$name" ]; do
    if [ "$name" = "$2" ]; then echo "$start"; break; fi
  done
}

# mapped_id FILE FIRST ID: the number on this host of a container's ID. FIRST is where the user's first range begins;
# the others follow in the order of FILE. Without a line for it there is one range without an end.
mapped_id() {
  text_of "$1" | {
    user='' left=$3
    while IFS=: read -r name start count || [ -n "$name" ]; do
      if [ -z "$user" ] && [ "$start" = "$2" ]; then user=$name; fi
      if [ -z "$user" ] || [ "$name" != "$user" ]; then continue; fi
      if [ "$left" -lt "$count" ]; then echo $((start + left)); exit; fi
      left=$((left - count))
    done
    if [ -z "$user" ]; then echo $(($2 + left)); fi
  }
}

# Sets $owner, $uid and $gid to their numbers on this host. The engine's own folder carries the ids that root has:
# /var/lib/docker/231072.231072; without an engine its configuration names the user.
map_owner() {
  facts=$(engine_facts)
  case $facts in
    *'"name=userns'*)
      root=${facts##*/} first_uid=${root%%.*} first_gid=${root#*.} ;;
    ?*) return 0 ;;
    *)
      user=$(text_of /etc/docker/daemon.json | sed -n 's/.*"userns-remap"[[:space:]]*:[[:space:]]*"\([^":]*\).*/\1/p')
      if [ -z "$user" ]; then return 0; fi
      if [ "$user" = default ]; then user=dockremap; fi
      first_uid=$(first_id /etc/subuid "$user") first_gid=$(first_id /etc/subgid "$user") ;;
  esac
  case $first_uid:$first_gid in
    *[!0-9:]* | :* | *:)
      die 4 "the engine maps the ids of containers (userns-remap), but its first id is not known" \
        "give the user that userns-remap names a range in /etc/subuid and /etc/subgid" ;;
  esac
  host_uid=$(mapped_id /etc/subuid "$first_uid" "$uid") host_gid=$(mapped_id /etc/subgid "$first_gid" "$gid")
  if [ -z "$host_uid" ] || [ -z "$host_gid" ]; then
    die 4 "the user namespace of the engine (userns-remap) has no number for $owner" \
      "give its user a longer range in /etc/subuid and /etc/subgid and restart docker, or set a smaller registry.user"
  fi
  say "note: $owner in a container is $host_uid:$host_gid on this host (userns-remap)"
  uid=$host_uid gid=$host_gid owner=$host_uid:$host_gid
}

selinux_is_on() {
  if command -v selinuxenabled >/dev/null 2>&1; then selinuxenabled; else [ -e /sys/fs/selinux/enforce ]; fi
}

# With semanage the policy knows the label too, and restorecon of the whole system leaves it.
label_for_containers() {
  if ! command -v semanage >/dev/null 2>&1; then
    chcon -R -h -t container_file_t -l s0 "$real"
    return
  fi
  pattern="$(printf '%s' "$real" | sed 's/[].*^$+?(){}|\[]/\\&/g')(/.*)?"
  semanage fcontext -a -t container_file_t "$pattern" 2>/dev/null ||
    semanage fcontext -m -t container_file_t "$pattern" || return
  restorecon -R -F "$real"
}

# A confined container reads and writes files of this type alone, and without categories every one of them may.
prepare_label() {
  if ! selinux_is_on; then return 0; fi
  context=$(stat -c %C "$real" 2>/dev/null) || return 0
  label=${context#*:*:}
  case $label in
    nfs_t:*)
      say "note: $real is on NFS, which containers may use after: setsebool -P virt_use_nfs 1"
      return 0 ;;
    container_file_t:s0) if [ -z "$(find "$real" ! -context '*:container_file_t:s0' -print 2>/dev/null)" ]; then return 0; fi ;;
  esac
  change "label $real for containers (SELinux type container_file_t, it has $label)" label_for_containers
}

make_directory() {
  parent=${real%/*}
  if [ -n "$parent" ] && [ ! -d "$parent" ]; then (umask 022 && mkdir -p "$parent") || return; fi
  mkdir "$real"
}

# Owners are compared before the change, so that a tree that is right is read but never written.
prepare_contents() {
  if ! foreign=$(find "$real" ! -path "$real" \( ! -user "$uid" -o ! -group "$gid" \) -print 2>/dev/null); then
    if [ -r "$real" ] && [ -x "$real" ]; then part="in some directories of $real"; else part="in $real"; fi
    say "note: the owners of the files $part could not be read by $(id -un 2>/dev/null || id -u); root can check them"
  fi
  if [ -z "$foreign" ]; then return 0; fi
  count=$(printf '%s\n' "$foreign" | wc -l | tr -d ' ')
  first=$(printf '%s\n' "$foreign" | head -n 1)
  change "hand over $count $(if [ "$count" = 1 ]; then echo entry; else echo entries; fi) in $real to $owner (first: ${first#"$real"/}, of $(stat -c %u:%g "$first" 2>/dev/null))" \
    chown -R -h "$owner" "$real"
}

main() {
  read_options "$@"
  trap 'exit 130' INT
  if [ -n "$volume" ]; then find_volume; fi
  resolve_path
  require_writable_mount
  changes=0
  map_owner
  if [ -d "$real" ]; then
    has=$(stat -c %u:%g "$real")
    prepare_contents
    # chown -R above has already seen to the directory, too.
    if [ "$has" != "$owner" ] && { [ $check = yes ] || [ "$(stat -c %u:%g "$real")" != "$owner" ]; }; then
      change "set the owner of $real from $has to $owner" chown "$owner" "$real"
    fi
  else
    change "create $real" make_directory
    if [ $check = no ]; then
      change "set the owner of $real to $owner" chown "$owner" "$real"
    fi
  fi
  # After chown, which clears the set-id bits.
  if [ -d "$real" ]; then
    has=$(printf '%04o' "0$(stat -c %a "$real")")
    # Only a fifth digit makes GNU chmod take set-id bits away from a directory.
    if [ "$has" != "$mode" ]; then change "set the mode of $real from $has to $mode" chmod "0$mode" "$real"; fi
  fi
  if [ -d "$real" ]; then prepare_label; fi
  if [ -d "$real" ]; then existing=$real; fi
  free_kib=$(df -Pk "$existing" | awk 'NR == 2 { print $4 }')
  free=$(awk "BEGIN { printf \"%.1fGiB\", $free_kib / 1048576 }")
  if [ "$free_kib" -lt "$MIN_FREE_KIB" ]; then
    printf 'setup_host: warning: only %s free on the file system of %s; a registry soon needs more than 2 GiB\n' "$free" "$real" >&2
  fi
  if [ $check = yes ] && [ $changes -gt 0 ]; then
    die 4 "not ready: $path ($changes to do)" "run it without --check"
  fi
  if [ $changes -eq 0 ]; then say "ok: $real (unchanged)"; fi
  say "setup_host: ready: $path owner=$owner mode=$mode free=$free"
}

# All is read before anything runs: a script cut off on its way does nothing.
main "$@"
