# SPDX-License-Identifier: Apache-2.0
# bash completion of scomoctl; made from its parser by tests/support/completions.py

_scomoctl_options() {
    case $1 in
        "") echo '--help --root --json --color --version' ;;
        status) echo '--help' ;;
        inventory) echo '--help' ;;
        baseline) echo '--help' ;;
        operations) echo '--help' ;;
        why) echo '--help' ;;
        plan) echo '--help' ;;
        doctor) echo '--help' ;;
        report) echo '--help' ;;
        metrics) echo '--help' ;;
        history) echo '--help --server --since --failed' ;;
        request) echo '--help --server --device' ;;
        session) echo '--help' ;;
        tree) echo '--help --recursive' ;;
        get) echo '--help --output' ;;
        confirm) echo '--help' ;;
        decline) echo '--help' ;;
        defer) echo '--help' ;;
        watch) echo '--help' ;;
        bootstrap) echo '--help --sec --mac --pin' ;;
        install) echo '--help --signature --kind --server --no-wait' ;;
        notify) echo '--help --sms --from' ;;
        ddf) echo '--help' ;;
        agent) echo '--help --answer' ;;
        trace) echo '--help' ;;
        syncml) echo '--help --explain --force' ;;
        sign) echo '--help --key --certificate --output --passphrase-file --pin-file' ;;
        config) echo '--help' ;;
        help) echo '--help' ;;
    esac
}

_scomoctl_value() {
    case "$1 $2" in
        ' --root') echo 'dirs' ;;
        ' --color') echo 'words auto always never' ;;
        'history --server') echo 'servers' ;;
        'history --since') echo 'words 90m 12h 2d 1w' ;;
        'request --server') echo 'servers' ;;
        'get --output') echo 'files' ;;
        'bootstrap --sec') echo 'words NETWPIN USERPIN USERNETWPIN USERPINMAC' ;;
        'bootstrap --mac') echo 'nothing' ;;
        'bootstrap --pin') echo 'nothing' ;;
        'install --signature') echo 'files' ;;
        'install --kind') echo 'words deb ipk flatpak bundle' ;;
        'install --server') echo 'servers' ;;
        'notify --from') echo 'nothing' ;;
        'agent --answer') echo 'words yes no' ;;
        'sign --key') echo 'files' ;;
        'sign --certificate') echo 'files' ;;
        'sign --output') echo 'files' ;;
        'sign --passphrase-file') echo 'files' ;;
        'sign --pin-file') echo 'files' ;;
    esac
}

_scomoctl_place() {
    case "$1 $2" in
        ' 1') echo commands ;;
        'operations 1') echo 'words show cancel' ;;
        'operations 2') echo 'operations' ;;
        'why 1') echo 'operations' ;;
        'plan 1') echo 'operations' ;;
        'report 1') echo 'files' ;;
        'request 1') echo 'words install update' ;;
        'session 1') echo 'servers' ;;
        'tree 1') echo 'nodes' ;;
        'get 1') echo 'nodes' ;;
        'confirm 1') echo 'operations' ;;
        'decline 1') echo 'operations' ;;
        'defer 1') echo 'operations' ;;
        'defer 2') echo 'words tonight 22:00 30m 1h 2d' ;;
        'bootstrap 1') echo 'files' ;;
        'install 1') echo 'files' ;;
        'notify 1') echo 'files' ;;
        'ddf 1') echo 'nodes' ;;
        'trace 1') echo 'traces' ;;
        'syncml 1') echo 'words decode encode' ;;
        'syncml 2') echo 'files' ;;
        'sign 1') echo 'files' ;;
        'config 1') echo 'words show' ;;
        'help 1') echo 'commands' ;;
    esac
}

_scomoctl_words() {
    case $1 in
        dirs) compgen -d -- "$2" ;;
        files) compgen -f -- "$2" ;;
        commands) compgen -W "$commands" -- "$2" ;;
        words*) compgen -W "${1#words }" -- "$2" ;;
        operations) compgen -W "$(scomoctl --json operations 2>/dev/null | sed -n 's/^ *"id": "\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\1/p')" -- "$2" ;;
        servers) compgen -W "$(scomoctl --json status 2>/dev/null | sed -n 's/^ *"server_id": "\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\1/p')" -- "$2" ;;
        traces) compgen -W "$(scomoctl --json trace 2>/dev/null | sed -n 's/^ *"id": "\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\1/p')" -- "$2" ;;
        nodes) [[ $2 == ./* ]] && compgen -W "$(scomoctl tree "${2%/*}" 2>/dev/null | sed "s,^,${2%/*}/,")" -- "$2" ;;
    esac
}

_scomoctl() {
    local word=${COMP_WORDS[COMP_CWORD]} command="" place=1 kind="" i
    local commands="status inventory baseline operations why plan doctor report metrics history request session tree get confirm decline defer watch bootstrap install notify ddf agent trace syncml sign config help"
    for ((i = 1; i < COMP_CWORD; i++)); do
        kind=$(_scomoctl_value "$command" "${COMP_WORDS[i]}")
        [[ -n $kind ]] || kind=$(_scomoctl_value "" "${COMP_WORDS[i]}")
        if [[ -n $kind ]]; then
            ((++i < COMP_CWORD)) && kind=""
        elif [[ ${COMP_WORDS[i]} == -* ]]; then
            :
        elif [[ -z $command && -n $commands ]]; then
            command=${COMP_WORDS[i]}
        else
            ((place++))
        fi
    done
    if [[ -z $kind && $word == -* ]]; then
        kind="words $(_scomoctl_options "$command")"
    elif [[ -z $kind ]]; then
        kind=$(_scomoctl_place "$command" "$place")
    fi
    mapfile -t COMPREPLY < <(_scomoctl_words "$kind" "$word")
}
complete -o filenames -F _scomoctl scomoctl
