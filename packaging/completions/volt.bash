# Completion of volt for bash. After the name of a command it hands on: to the function _volt_<name> of an
# extension, to the completion of volt-<name>, or, for the tools of Volt, to the script the tool writes
# itself. Installed as share/bash-completion/completions/volt.

# The function that completes volt-<name>, in the variable 'function'; fails when there is none.
__volt_function() {
    local name=$1 path
    function=_volt_${name//-/_}
    declare -F "$function" >/dev/null && return
    if ! complete -p "volt-$name" >/dev/null 2>&1; then
        if declare -F _comp_load >/dev/null; then
            _comp_load "volt-$name"
        elif declare -F __load_completion >/dev/null; then
            __load_completion "volt-$name"
        fi
    fi
    declare -F "$function" >/dev/null && return
    # A tool of Volt writes its script; an extension is not run to find out whether it does.
    if ! complete -p "volt-$name" >/dev/null 2>&1 &&
        [[ $'\n'$(volt --list-cmds=main 2>/dev/null)$'\n' == *$'\n'"$name"$'\n'* ]] &&
        path=$(volt which "$name" 2>/dev/null); then
        eval "$(env -u VOLT_EXE "$path" --generate-completion-script bash 2>/dev/null)"
    fi
    function=$(complete -p "volt-$name" 2>/dev/null)
    [[ $function =~ -F\ ([^ ]+) ]] || return
    function=${BASH_REMATCH[1]}
}

_volt() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} index=1 name='' function
    COMPREPLY=()
    # The first word that is neither a global option nor the value of one; '=' is a word of its own.
    while ((index < COMP_CWORD)); do
        case ${COMP_WORDS[index]} in
        -C | --root | --config | --color | --log-level | --exec-path)
            [[ ${COMP_WORDS[index + 1]} != '=' ]] || ((index++))
            ((index += 2))
            ;;
        -*) ((index++)) ;;
        *)
            name=${COMP_WORDS[index]}
            break
            ;;
        esac
    done
    if [[ -z $name ]]; then
        [[ $previous != '=' ]] || previous=${COMP_WORDS[COMP_CWORD - 2]}
        [[ $current != '=' ]] || current=
        case $previous in
        -C | --root | --exec-path) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current") ;;
        --log-level) mapfile -t COMPREPLY < <(compgen -W 'debug info warning error' -- "$current") ;;
        *)
            if [[ $current == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W '-C --root --config --color --log-level --exec-path --version --help' -- "$current")
            else
                mapfile -t COMPREPLY < <(compgen -W "$(volt --list-cmds=installed,others,alias 2>/dev/null)" -- "$current")
            fi
            ;;
        esac
        return
    fi
    case $name in
    help | which)
        if ((COMP_CWORD == index + 1)) || [[ $previous == -* ]]; then
            local options='-a --all --help'
            [[ $name == help ]] || options+=' --json'
            if [[ $current == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
            else
                mapfile -t COMPREPLY < <(compgen -W "$(volt --list-cmds=installed,others,alias 2>/dev/null)" -- "$current")
            fi
        fi
        ;;
    version) mapfile -t COMPREPLY < <(compgen -W '--all --json --help' -- "$current") ;;
    plugins | aliases) mapfile -t COMPREPLY < <(compgen -W '--json --help' -- "$current") ;;
    *)
        if __volt_function "$name"; then
            # The tool's own function sees the line as if volt-<name> had been typed.
            local line=${COMP_LINE#*"$name"} before=${#COMP_LINE}
            COMP_LINE=volt-$name$line
            ((COMP_POINT += ${#COMP_LINE} - before))
            COMP_WORDS=("volt-$name" "${COMP_WORDS[@]:index + 1}")
            ((COMP_CWORD -= index))
            "$function" "volt-$name" "$current" "${COMP_WORDS[COMP_CWORD - 1]}"
        else
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        ;;
    esac
}

complete -F _volt volt
