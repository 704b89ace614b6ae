# SPDX-License-Identifier: Apache-2.0
# Sourced after lib.sh by what mounts things and needs root: namespaces, and Debians in the cache.
#
# isolated OPTION... PROGRAM...   becomes a program in namespaces of its own: mounts, processes,
#                                 and what OPTIONs of unshare add; `exec`, so in a subshell
# to_its_end OPTION... PROGRAM... runs that and gives its status
# make_debian FOLDER PACKAGES OPTION...   a Debian without documentation, or none if that
#                                 fails; OPTIONs are more of mmdebstrap's
# drop_others                     the roots in $CACHE that are not $root
#
# Whatever ends what called them, also kill -9: the kernel takes processes, mounts, loop devices
# and addresses away.  What is in the cache stays.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/$CACHED

# it dies with the process that called us, and all that it started with it
isolated() {
    exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$@"
}

# unshare hears neither TERM nor HUP; of Ctrl-C the program hears as well, and ends as it likes
to_its_end() {
    (isolated "$@") <&0 &
    child=$!
    trap : INT
    trap 'kill -KILL "$child"' TERM HUP
    code=0
    while kill -0 "$child" 2>/dev/null; do
        wait "$child" && code=0 || code=$?
    done
    trap - INT TERM HUP
    return "$code"
}

make_debian() {
    folder=$1
    # shellcheck disable=SC2086 # a list of words
    packages=$(echo $2 | tr ' ' ',')
    shift 2
    say "building $folder (minutes, once)"
    rm -rf --one-file-system "$folder.new"
    # shellcheck disable=SC2086 # no word for no mirror
    (isolated mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$@" \
        "$SUITE" "$folder.new" ${SCOMOD_IMAGE_MIRROR:-} >&2) || die "mmdebstrap failed"
    mv "$folder.new" "$folder"
}

# nothing is mounted in them, all mounts were in namespaces
drop_others() {
    # shellcheck disable=SC2154 # the one that is used
    for old in "$CACHE"/root-*; do
        [ "$old" = "$root" ] || [ ! -d "$old" ] || rm -rf --one-file-system "$old"
    done
}
