# Looks at the tags of a storage without asking the registry: in a job on the storage's node, or in a task of the registry.
#
# Prints "has REPOSITORY" for each repository with tags, "damaged REPOSITORY:TAG" for each tag that names no manifest, as a
# power cut leaves it, and at the end "repositories NUMBER".
set -u
cd "${STORAGE:-/var/lib/registry}" || exit 1
if [ ! -e docker/registry/v2/repositories ]; then echo "repositories 0"; exit 0; fi
cd docker/registry/v2/repositories || exit 1

# Folders of tags. Names of repositories do not begin with _.
list_tags() {
  find . -type d \( -name _layers -o -name _uploads -o -path '*/_manifests/revisions' \) -prune -o \
    -type d -path '*/_manifests/tags/*' -print -prune
}

is_right() {
  link=
  read -r link 2>/dev/null <"$1/current/link"
  algorithm=${link%%:*} hex=${link#*:}
  [ -s "$1/../../revisions/$algorithm/$hex/link" ] && [ -s "../blobs/$algorithm/${hex%"${hex#??}"}/$hex/data" ]
}

# What is removed while find looks at it is no fault; what it may not read is one the second time too.
tags=$(list_tags 2>/dev/null) || tags=$(list_tags) || exit 1
suspects=$(printf '%s\n' "$tags" | while read -r tag && [ -n "$tag" ]; do is_right "$tag" || echo "$tag"; done)
# One that is being pushed is right a moment later.
[ -z "$suspects" ] || sleep 2
printf '%s\n' "$suspects" | while read -r tag && [ -n "$tag" ]; do
  if [ ! -d "$tag" ] || is_right "$tag"; then continue; fi
  repository=${tag%/_manifests/tags/*}
  echo "damaged ${repository#./}:${tag##*/}"
done
repositories=$(printf '%s\n' "$tags" | sed -n 's|^\./\(.*\)/_manifests/tags/[^/]*$|has \1|p' | sort -u)
[ -z "$repositories" ] || printf '%s\n' "$repositories"
echo "repositories $(printf '%s\n' "$repositories" | grep -c .)"
