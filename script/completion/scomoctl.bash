# SPDX-License-Identifier: Apache-2.0
# bash completion of scomoctl; a test compares the words with the parser

_scomoctl() {
    local word command="" options="--root --json --help" i
    local commands="status inventory baseline operations why plan doctor history request session tree get confirm decline defer watch bootstrap notify ddf agent trace syncml sign config"
    COMPREPLY=()
    word=${COMP_WORDS[COMP_CWORD]}
    if [[ ${COMP_WORDS[COMP_CWORD-1]} == --root ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == --root ]]; then
            ((i++))
        elif [[ ${COMP_WORDS[i]} != -* ]]; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    case $command in
        "") mapfile -t COMPREPLY < <(compgen -W "$commands $options" -- "$word") ;;
        operations) mapfile -t COMPREPLY < <(compgen -W "show cancel --help" -- "$word") ;;
        history) mapfile -t COMPREPLY < <(compgen -W "--server --since --failed --help" -- "$word") ;;
        request)
            case ${COMP_WORDS[COMP_CWORD-1]} in
                request) mapfile -t COMPREPLY < <(compgen -W "install update --server --device --help" -- "$word") ;;
                *) mapfile -t COMPREPLY < <(compgen -W "--server --device --help" -- "$word") ;;
            esac
            ;;
        tree) mapfile -t COMPREPLY < <(compgen -W "--recursive --help" -- "$word") ;;
        defer) mapfile -t COMPREPLY < <(compgen -W "tonight 1h --help" -- "$word") ;;
        agent)
            if [[ ${COMP_WORDS[COMP_CWORD-1]} == --answer ]]; then
                mapfile -t COMPREPLY < <(compgen -W "yes no" -- "$word")
            else
                mapfile -t COMPREPLY < <(compgen -W "--answer --help" -- "$word")
            fi
            ;;
        syncml)
            case ${COMP_WORDS[COMP_CWORD-1]} in
                syncml) mapfile -t COMPREPLY < <(compgen -W "decode encode --explain --force --help" -- "$word") ;;
                *) mapfile -t COMPREPLY < <(compgen -f -W "--explain --force --help" -- "$word") ;;
            esac
            ;;
        sign) mapfile -t COMPREPLY < <(compgen -f -W "--key --certificate --output --passphrase-file --pin-file --help" -- "$word") ;;
        config) mapfile -t COMPREPLY < <(compgen -W "show --help" -- "$word") ;;
        bootstrap)
            if [[ ${COMP_WORDS[COMP_CWORD-1]} == --sec ]]; then
                mapfile -t COMPREPLY < <(compgen -W "NETWPIN USERPIN USERNETWPIN USERPINMAC" -- "$word")
            else
                mapfile -t COMPREPLY < <(compgen -f -W "--sec --mac --pin --help" -- "$word")
            fi
            ;;
        notify) mapfile -t COMPREPLY < <(compgen -f -W "--sms --from --help" -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$word") ;;
    esac
}
complete -F _scomoctl scomoctl
