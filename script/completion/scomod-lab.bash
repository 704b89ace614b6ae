# SPDX-License-Identifier: Apache-2.0
# bash completion of scomod-lab; made from its parser by tests/support/completions.py

_scomod_lab_options() {
    case $1 in
        "") echo '--help --dir' ;;
        serve) echo '--help --host --port' ;;
        faults) echo '--help --host --port --plain' ;;
        profile) echo '--help --auth' ;;
        devices) echo '--help' ;;
        order) echo '--help' ;;
        offer) echo '--help --delta-from' ;;
        push) echo '--help --bootstrap --profile --pin --imsi' ;;
        fault) echo '--help --count' ;;
        run) echo '--help --device --push --start --check --serve --host --port' ;;
        record) echo '--help --to --ca --host --port' ;;
        replay) echo '--help --show --profile --user --auth --server-id --values --wait --host --port' ;;
    esac
}

_scomod_lab_value() {
    case "$1 $2" in
        ' --dir') echo 'dirs' ;;
        'serve --host') echo 'nothing' ;;
        'serve --port') echo 'nothing' ;;
        'faults --host') echo 'nothing' ;;
        'faults --port') echo 'nothing' ;;
        'profile --auth') echo 'words md5 basic mac' ;;
        'offer --delta-from') echo 'files' ;;
        'push --bootstrap') echo 'words netwpin userpin usernetwpin userpinmac' ;;
        'push --profile') echo 'words cp dm' ;;
        'push --pin') echo 'nothing' ;;
        'push --imsi') echo 'nothing' ;;
        'fault --count') echo 'nothing' ;;
        'run --device') echo 'nothing' ;;
        'run --push') echo 'nothing' ;;
        'run --start') echo 'nothing' ;;
        'run --host') echo 'nothing' ;;
        'run --port') echo 'nothing' ;;
        'record --to') echo 'nothing' ;;
        'record --ca') echo 'files' ;;
        'record --host') echo 'nothing' ;;
        'record --port') echo 'nothing' ;;
        'replay --profile') echo 'files' ;;
        'replay --user') echo 'nothing' ;;
        'replay --auth') echo 'words md5 basic mac' ;;
        'replay --server-id') echo 'nothing' ;;
        'replay --wait') echo 'nothing' ;;
        'replay --host') echo 'nothing' ;;
        'replay --port') echo 'nothing' ;;
    esac
}

_scomod_lab_place() {
    case "$1 $2" in
        ' 1') echo commands ;;
        'order 2') echo 'words read install refill deliver component exec put delete command ask' ;;
        'offer 2') echo 'files' ;;
        'fault 1'*) echo 'words off dm.status= dm.portal= dm.stall= dm.lost= dm.slow= dm.cut= dm.truncate= dm.repeat= dm.password= dm.nonce= dm.refuse= dm.clock= packages.status= packages.stall= packages.cut= packages.wrong= packages.slow=' ;;
        'run 1') echo 'files' ;;
        'record 1') echo 'files' ;;
        'replay 1') echo 'files' ;;
    esac
}

_scomod_lab_words() {
    case $1 in
        dirs) compgen -d -- "$2" ;;
        files) compgen -f -- "$2" ;;
        commands) compgen -W "$commands" -- "$2" ;;
        words*) compgen -W "${1#words }" -- "$2" ;;

    esac
}

_scomod_lab() {
    local word=${COMP_WORDS[COMP_CWORD]} command="" place=1 kind="" i
    local commands="serve faults profile devices order offer push fault run record replay"
    for ((i = 1; i < COMP_CWORD; i++)); do
        kind=$(_scomod_lab_value "$command" "${COMP_WORDS[i]}")
        [[ -n $kind ]] || kind=$(_scomod_lab_value "" "${COMP_WORDS[i]}")
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
        kind="words $(_scomod_lab_options "$command")"
    elif [[ -z $kind ]]; then
        kind=$(_scomod_lab_place "$command" "$place")
    fi
    mapfile -t COMPREPLY < <(_scomod_lab_words "$kind" "$word")
}
complete -o filenames -F _scomod_lab scomod-lab
