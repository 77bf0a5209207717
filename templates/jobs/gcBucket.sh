# Runs in a job, in the registry's image, with its config and the keys of its bucket. Frees the blobs that no manifest refers to.
#
#   sh gcBucket.sh CONFIG DEADLINE [--delete-untagged] [--dry-run]
#
# CONFIG is the registry's config file. DEADLINE, in seconds since the epoch, is when the registry takes pushes again:
# nothing may be removed after it. Prints "goes REPOSITORY@DIGEST" for each manifest without a tag that goes, and at the
# end "freed BLOBS". The registry's own --delete-untagged keeps what a tagged index holds from line 3 on, which a bucket needs
# anyway (distribution, registry/storage/garbagecollect.go: unmarkReferencedManifest).
set -eu
config=$1 deadline=$2
shift 2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
left=$((deadline - $(date +%s)))
if [ "$left" -le 0 ]; then echo "there is no time left for the gc"; exit 1; fi
if ! timeout "$left" registry garbage-collect "$@" "$config" >"$log" 2>&1; then
  tail -n 5 "$log"
  exit 1
fi
sed -n 's/^manifest eligible for deletion: {\([^ ]*\) \(sha256:[0-9a-f]*\) .*$/goes \1@\2/p' "$log" | sort
echo "freed $(grep -c '^blob eligible for deletion: ' "$log" || :)"
