# Completion of 'volt hello' for bash: the completion of volt calls _volt_<name>, with the words as if
# 'volt-hello …' had been typed. Installed as share/bash-completion/completions/volt-hello.
_volt_hello() {
    local current=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    -o | --output) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W '--shout --output --version --help' -- "$current") ;;
    esac
}
complete -F _volt_hello volt-hello
