# Runs in a job on the node that holds the storage, in the registry's image. Frees the blobs that no manifest refers to.
#
#   sh gc.sh CONFIG DEADLINE [--delete-untagged] [--dry-run]
#
# CONFIG is the registry's config file. DEADLINE, in seconds since the epoch, is when the registry takes pushes again:
# nothing may be removed after it. Prints "goes REPOSITORY@DIGEST" for each manifest without a tag that goes, and at the
# end "freed BLOBS BYTES".
set -eu
config=$1 deadline=$2
shift 2
untagged='' dry=''
for flag; do
  case $flag in
    --delete-untagged) untagged=yes ;;
    --dry-run) dry=--dry-run ;;
    *) echo "unknown flag $flag"; exit 2 ;;
  esac
done

storage=${STORAGE:-/var/lib/registry}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
v2=docker/registry/v2
cd "$storage"
if [ ! -d "$v2/repositories" ]; then echo "freed 0 0"; exit 0; fi

# in_time COMMAND: runs it up to the deadline. Nothing comes after the deadline, whatever the storage holds.
in_time() {
  left=$((deadline - $(date +%s)))
  if [ "$left" -gt 0 ]; then
    status=0
    timeout "$left" "$@" || status=$?
    if [ "$(date +%s)" -lt "$deadline" ]; then return "$status"; fi
  fi
  echo "there is no time left for the gc" >&2
  exit 1
}

# Digests with bytes, of all blobs.
sizes() { find "$v2/blobs" -type f -name data -exec stat -c '%n %s' {} + | sed 's|^.*/\([0-9a-f]*\)/data |sha256:\1 |'; }

# Writes the manifests that no tag needs to $work/unneeded, as "REPOSITORY DIGEST". Needed is what a tag names, what a needed index holds, and what
# refers to a needed manifest (a signature, an SBOM). Any digest that a manifest mentions counts as held: that keeps more
# rather than less. A tag such as sha256-<digest>.sig names no image of its own: it is needed as long as the manifest in its
# name, and by itself only where that manifest is not in the repository.
# The registry's own --delete-untagged forgets what indexes hold (distribution/distribution#3178).
unneeded() {
  cd "$v2/repositories"
  in_time find . -path '*/_manifests/tags/*/current/link' >"$work/tags"
  in_time xargs grep -H '' /dev/null <"$work/tags" |
    sed -n 's|^\./\(.*\)/_manifests/tags/\([^/]*\)/current/link:\(sha256:[0-9a-f]\{64\}\)$|T \1 \3 \2|p' >"$work/facts"
  if [ "$(wc -l <"$work/tags")" != "$(wc -l <"$work/facts")" ]; then
    echo "the link of a tag is damaged: no manifest is removed until it is repaired (push the tag again)" >&2
    exit 1
  fi
  in_time find . -path '*/_manifests/revisions/sha256/*/link' |
    sed -n 's|^\./\(.*\)/_manifests/revisions/sha256/\([0-9a-f]\{64\}\)/link$|R \1 sha256:\2|p' >"$work/revisions"
  cat "$work/revisions" >>"$work/facts"
  cd ../blobs/sha256
  sed 's|.* sha256:\(..\)\(.*\)$|\1/\1\2/data|' <"$work/revisions" | sort -u >"$work/manifests"
  # A manifest whose blob is gone mentions nothing.
  while read -r path; do if [ -f "$path" ]; then echo "$path"; fi; done <"$work/manifests" >"$work/present"
  if [ -s "$work/present" ]; then
    in_time xargs grep -Ho 'sha256:[0-9a-f]\{64\}' <"$work/present" |
      sed 's|^../\([0-9a-f]*\)/data:|M sha256:\1 |' | sort -u >>"$work/facts"
    in_time xargs grep -l '"subject"' <"$work/present" | sed 's|^../\([0-9a-f]*\)/data$|S sha256:\1|' >>"$work/facts" || :
  fi
  cd "$storage"
  # Each needed manifest is looked at once, however they list each other.
  # shellcheck disable=SC2016 # The variables are awk's.
  in_time awk '
    function subject(tag, hex) {
      hex = substr(tag, 8, 64)
      if (substr(tag, 1, 7) != "sha256-" || length(hex) != 64 || hex ~ /[^0-9a-f]/) return ""
      return length(tag) == 71 || substr(tag, 72, 1) == "." ? "sha256:" hex : ""
    }
    function need(key) { if (!(key in needed)) { needed[key] = 1; queue[++last] = key } }
    function needs(key) { if (key in revision) need(key) }
    $1 == "T" { if (subject($4) == "") tagged[$2 " " $3] = 1; else { names[++n] = $2 " " $3; follows[n] = $2 " " subject($4) }; next }
    $1 == "R" { revision[$2 " " $3] = 1; next }
    $1 == "M" { mention[$2, ++mentions[$2]] = $3; next }
    $1 == "S" { refers[$2] = 1 }
    END {
      for (key in tagged) need(key)
      for (i = 1; i <= n; i++) {
        if (follows[i] in revision) follower[follows[i], ++followers[follows[i]]] = names[i]; else need(names[i])
      }
      for (digest in refers) for (i = 1; i <= mentions[digest]; i++) {
        about = mention[digest, i]
        referrer[about, ++referrers[about]] = digest
      }
      for (at = 1; at <= last; at++) {
        key = queue[at]
        split(key, part, " ")
        for (i = 1; i <= mentions[part[2]]; i++) needs(part[1] " " mention[part[2], i])
        for (i = 1; i <= referrers[part[2]]; i++) needs(part[1] " " referrer[part[2], i])
        for (i = 1; i <= followers[key]; i++) need(follower[key, i])
      }
      for (key in revision) if (!(key in needed)) print key
    }' "$work/facts" >"$work/going"
  sort "$work/going" >"$work/unneeded"
}

# remove_manifests ROOT: the links of the unneeded manifests below a tree of the storage's layout, and tags that name one.
remove_manifests() {
  awk 'FILENAME == ARGV[1] { going[$0] = 1; next } $1 == "T" && ($2 " " $3) in going { print $2 "/_manifests/tags/" $4 }' \
    "$work/unneeded" "$work/facts" >"$work/names"
  while read -r name; do in_time rm -rf "$1/$v2/repositories/$name"; done <"$work/names"
  while read -r repository digest; do
    manifests=$1/$v2/repositories/$repository/_manifests
    in_time rm -rf "$manifests/revisions/sha256/${digest#sha256:}" "$manifests"/tags/*/index/sha256/"${digest#sha256:}"
  done <"$work/unneeded"
}

sizes >"$work/before"
root=$storage
if [ -n "$untagged" ]; then
  unneeded
  sed 's/^\(.*\) \(.*\)$/goes \1@\2/' "$work/unneeded"
  if [ -n "$dry" ]; then
    # Links without those that would go, beside the real blobs.
    root=$work/tree
    mkdir -p "$root/$v2"
    in_time cp -R "$storage/$v2/repositories" "$root/$v2/"
    ln -s "$storage/$v2/blobs" "$root/$v2/blobs"
  fi
fi
if [ -n "$untagged" ]; then remove_manifests "$root"; fi

# shellcheck disable=SC2086 # No word where it is no trial.
if ! in_time env REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY="$root" registry garbage-collect $dry "$config" >"$work/log" 2>&1; then
  tail -n 5 "$work/log"
  exit 1
fi
if [ -n "$dry" ]; then
  sed -n 's/^.*blob eligible for deletion: \(sha256:[0-9a-f]*\).*$/\1/p' "$work/log" >"$work/gone"
  awk 'FILENAME == ARGV[1] { gone[$1] = 1; next } $1 in gone' "$work/gone" "$work/before" >"$work/freed"
else
  sizes >"$work/after"
  awk 'FILENAME == ARGV[1] { left[$1] = 1; next } !($1 in left)' "$work/after" "$work/before" >"$work/freed"
fi
awk '{ bytes += $2 } END { printf "freed %d %.0f\n", NR, bytes }' "$work/freed"
