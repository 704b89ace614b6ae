# SPDX-License-Identifier: Apache-2.0
# bash completion of scomod; made from its parser by tests/support/completions.py

_scomod_options() {
    case $1 in
        "") echo '--help --root --resident --version' ;;
    esac
}

_scomod_value() {
    case "$1 $2" in
        ' --root') echo 'dirs' ;;
    esac
}

_scomod_place() {
    case "$1 $2" in

    esac
}

_scomod_words() {
    case $1 in
        dirs) compgen -d -- "$2" ;;
        files) compgen -f -- "$2" ;;
        commands) compgen -W "$commands" -- "$2" ;;
        words*) compgen -W "${1#words }" -- "$2" ;;

    esac
}

_scomod() {
    local word=${COMP_WORDS[COMP_CWORD]} command="" place=1 kind="" i
    local commands=""
    for ((i = 1; i < COMP_CWORD; i++)); do
        kind=$(_scomod_value "$command" "${COMP_WORDS[i]}")
        [[ -n $kind ]] || kind=$(_scomod_value "" "${COMP_WORDS[i]}")
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
        kind="words $(_scomod_options "$command")"
    elif [[ -z $kind ]]; then
        kind=$(_scomod_place "$command" "$place")
    fi
    mapfile -t COMPREPLY < <(_scomod_words "$kind" "$word")
}
complete -o filenames -F _scomod scomod
