# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Brings the previous scomod back if the new one reaches no server; see docs/self-update.md.
#
# The old scomod-install puts a copy of this beside all that it needs, before the tool of an
# upgrade of scomod runs, and has it started now and at every boot: `sh guard watch`.  Nothing
# of scomod is needed from then on.  It may be killed at any instant and is started again.
#
#   order          what this is about, a word and its value a line
#   package.*      the previous package; `restore` installs it, `version` says what is installed,
#                  `expected` is what that says when the previous one works
#   before.json    what was kept about the component, if an order had brought it
#   answer.json    comes when the tool is through: what the daemon is told if the new one stays
#   returned.json  what it is told if not; stuck.json, if there was no way back either
#   state          comes when it is decided: `stays` or `back`
#   boots tries    what was counted
set -u

HERE=${0%/*}
INSTALL=${HERE%/*}
UNIT=scomod-way-back.service
TRIES=20
WAIT_S=60

say() {
    echo "scomod way back: $*" >&2
}

word() {
    sed -n "s/^$1=//p" "$HERE/order"
}

# A device in a directory says it in a file; elsewhere that place is the daemon's, not trusted.
boot() {
    if [ -z "$ROOT" ] || ! cat "$ROOT/run/scomod/boot-id" 2>/dev/null; then
        cat /proc/sys/kernel/random/boot_id
    fi
}

# files and directories, safe from a power cut; all there is where `sync` knows no names
flush() {
    sync "$@" 2>/dev/null || sync
}

# a new file in the place of another, as a whole or not at all
put() {
    flush "$1" && mv "$1" "$2" && flush "${2%/*}"
}

# a file of a few words
note() {
    printf '%s\n' "$2" >"$1.new" && put "$1.new" "$1"
}

is_systemd() {
    [ -d "$ROOT/run/systemd/system" ]
}

service() {
    "${ROOT:+$ROOT/usr/bin/}systemctl" "$@"
}

# -- what is so

is_old() {
    [ -s "$HERE/expected" ] && [ "$(sh "$HERE/version" 2>/dev/null)" = "$(cat "$HERE/expected")" ]
}

# scomod-install holds its lock as long as it has orders
is_working() {
    ! flock -n "$INSTALL/lock" true
}

# The daemon says so, which is not trusted with more; of this upgrade, of this boot.
has_reached() {
    [ -f "$HERE/answer.json" ] || return 1
    if [ -L "$SAID" ] || [ ! -f "$SAID" ]; then
        return 1
    fi
    # should it become a pipe meanwhile, nobody waits for it for long
    [ "$(timeout 5 head -c 400 "$SAID" 2>/dev/null)" = "$JOB $TO $NONCE $(boot)" ] || return 1
    helper_works
}

# A daemon that is well beside a scomod-install that is not could never be repaired.
helper_works() {
    if is_systemd; then
        timeout "$WORK_S" "${ROOT:+$ROOT/usr/bin/}systemctl" start scomod-install.service
    elif [ -x "$ROOT/usr/bin/scomod-install" ]; then
        timeout "$WORK_S" "$ROOT/usr/bin/scomod-install" --root "${ROOT:-/}"
    fi
}

is_too_late() {
    [ "$spent_s" -ge "$REACH_S" ] || [ "$held_s" -ge "$WORK_S" ] ||
        [ "$(wc -l <"$HERE/boots")" -gt "$BOOTS" ]
}

# -- the end of it

publish() {
    file="$INSTALL/results/$JOB.json"
    if [ ! -e "$file" ]; then
        cp "$HERE/$1" "$file.new" && chmod 644 "$file.new" && put "$file.new" "$file"
    fi
}

tell() {
    note "$INSTALL/way-back.last" "$JOB $FROM $TO $1" && chmod 644 "$INSTALL/way-back.last"
}

disarm() {
    rm -f "$SAID"
    rm -rf "$HERE.old"
    mv "$HERE" "$HERE.old" && flush "$INSTALL"
    rm -f "$ROOT/etc/systemd/system/multi-user.target.wants/$UNIT" "$ROOT/etc/systemd/system/$UNIT"
    if is_systemd; then
        service daemon-reload
    fi
    rm -rf "$HERE.old"
}

stays() {
    publish answer.json && tell stays || return 1
    say "$COMPONENT $TO has reached a server and stays"
    disarm
}

stop_all() {
    if is_systemd; then
        service stop scomod.service
        # one that has been at work for longer than it may
        is_working && service stop scomod-install.path scomod-install.service
    elif [ -x "$ROOT/etc/init.d/scomod" ]; then
        "$ROOT/etc/init.d/scomod" stop
    fi
    return 0
}

start_all() {
    if is_systemd; then
        service daemon-reload
        service reset-failed scomod.service scomod-install.service
        # not restarted: the answer may have started it already, and it tells a server just now
        service --no-block start scomod.service scomod.socket scomod.path scomod-install.path
    elif [ -x "$ROOT/etc/init.d/scomod" ]; then
        "$ROOT/etc/init.d/scomod" start
    fi
}

count_try() {
    tries=$(($(cat "$HERE/tries" 2>/dev/null || echo 0) + 1))
    note "$HERE/tries" "$tries"
}

# scomod-install's own notes of what it brought become those of before
put_index_back() {
    file="$INSTALL/index/$COMPONENT.json"
    if [ -f "$HERE/before.json" ]; then
        cp "$HERE/before.json" "$file.new" && chmod 644 "$file.new" && put "$file.new" "$file"
    else
        rm -f "$file" && flush "$INSTALL/index"
    fi
}

# Where the tool is through, the new one may have the version of the old one, so no look helps.
restore() {
    if [ ! -e "$HERE/answer.json" ] && is_old; then
        return 0
    fi
    timeout "$WORK_S" sh "$HERE/restore" >&2
    is_old
}

locked_back() {
    (
        timeout "$WAIT_S" flock 9 && [ -f "$HERE/order" ] || exit 1
        count_try || exit 1
        if restore 8>&- 9>&-; then
            put_index_back && tell returned && publish returned.json || exit 1
            say "$COMPONENT $TO did not stay; $FROM is back"
        elif [ "$tries" -ge "$TRIES" ]; then
            tell stuck && publish stuck.json || exit 1
            say "$COMPONENT $FROM cannot be brought back; $HERE.left has its package"
            rm -rf "$HERE.left"
            cp -a "$HERE" "$HERE.left"
        else
            exit 1
        fi
    ) 9>>"$INSTALL/lock"
}

# The old daemon must not take itself for the new one: its program file is another than before.
back() {
    chmod 600 "$HERE/order"
    stop_all 8>&-
    locked_back || return 1
    start_all 8>&-
    disarm
}

# -- looking

watch() {
    spent_s=0 held_s=0
    # One at a time: where nobody looks after us, we may be started twice.
    exec 8>>"$HERE/guard"
    flock 8
    if [ "$(tail -n 1 "$HERE/boots")" != "$(boot)" ]; then
        note "$HERE/boots" "$(cat "$HERE/boots" && boot)" || return 1
    fi
    # gone when scomod-install itself has ended it
    while [ -d "$HERE" ]; do
        case $(cat "$HERE/state" 2>/dev/null) in
            stays) stays && return ;;
            back)
                back && return
                sleep $((LOOK_S * 15))
                ;;
            *)
                if has_reached; then
                    note "$HERE/state" stays && continue
                elif is_too_late; then
                    note "$HERE/state" back && continue
                fi
                ;;
        esac
        sleep "$LOOK_S" 8>&-
        if is_working; then
            held_s=$((held_s + LOOK_S))
        else
            spent_s=$((spent_s + LOOK_S))
        fi
    done
}

main() {
    [ -f "$HERE/order" ] || exit 0
    JOB=$(word JOB) COMPONENT=$(word COMPONENT) FROM=$(word FROM) TO=$(word TO)
    REACH_S=$(word REACH_S) WORK_S=$(word WORK_S) LOOK_S=$(word LOOK_S) BOOTS=$(word BOOTS)
    NONCE=$(word NONCE) ROOT=$(word ROOT) SAID=$(word SAID)
    case ${1:-} in
        watch) watch ;;
        *)
            say "say watch"
            exit 2
            ;;
    esac
}

main "$@"
exit
