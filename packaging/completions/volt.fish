# Completion of volt for fish. After the name of a command it hands on to the function _volt_<name> of an
# extension, or to the completion of volt-<name>; for the tools of Volt that is the script the tool writes
# itself. Installed as share/fish/vendor_completions.d/volt.fish.

# The words from the command on, without volt and its options.
function __volt_words
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case -C --root --config --color --log-level --exec-path
                set -e words[1]
                set -q words[1]; and set -e words[1]
            case '-*'
                set -e words[1]
            case '*'
                break
        end
    end
    set -q words[1]; and printf '%s\n' $words
end

function __volt_needs_command
    test (count (__volt_words)) -le 1
end

function __volt_names
    volt --list-cmds=installed,others,alias 2>/dev/null
end

function __volt_hand_on
    set -l words (__volt_words)
    set -l name $words[1]
    switch $name
        case help which
            __volt_names
            printf '%s\n' --all --help
            return
        case version
            printf '%s\n' --all --json --help
            return
        case plugins aliases
            printf '%s\n' --json --help
            return
    end
    set -l function _volt_(string replace --all -- - _ $name)
    if functions --query $function
        $function $words[2..]
        return
    end
    # A tool of Volt writes its script; an extension is not run to find out whether it does.
    if not set --query --global __volt_loaded_$name; and contains -- $name (volt --list-cmds=main 2>/dev/null)
        set --global __volt_loaded_$name 1
        env -u VOLT_EXE (volt which $name 2>/dev/null) --generate-completion-script fish 2>/dev/null | source
    end
    complete --do-complete (string join ' ' -- volt-$name (string escape -- $words[2..-2]) $words[-1])
end

complete -c volt -f
complete -c volt -n __volt_needs_command -s C -x -a '(__fish_complete_directories)' -d 'work in this directory'
complete -c volt -n __volt_needs_command -l root -x -a '(__fish_complete_directories)' -d 'keep all state below this directory'
complete -c volt -n __volt_needs_command -l config -r -F -d 'read this configuration file'
complete -c volt -n __volt_needs_command -l color -x -a 'auto always never' -d 'colour in the output'
complete -c volt -n __volt_needs_command -l log-level -x -a 'debug info warning error' -d 'how much the tool says'
complete -c volt -n __volt_needs_command -l exec-path -x -a '(__fish_complete_directories)' -d 'look for tools here first'
complete -c volt -n __volt_needs_command -l version -d 'the version of volt'
complete -c volt -n __volt_needs_command -s h -l help -d 'the commands'
complete -c volt -n __volt_needs_command -a '(__volt_names)'
complete -c volt -n 'not __volt_needs_command' -a '(__volt_hand_on)'
