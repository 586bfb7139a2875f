#!/bin/bash
# The completion scripts, each asked by its own shell what comes next. Prints TAP; a shell that is
# not installed is skipped, except bash.
#
#   completion.sh KITH FAKE_NODE
set -u
kith=$1 fake=$2
here=$(realpath "$(dirname "$0")")
dir=$(mktemp -d)
trap 'kill "$node" 2>/dev/null; rm -rf "$dir"' EXIT
unset KITH_CONFIG XDG_CONFIG_HOME XDG_DATA_HOME ZDOTDIR
export HOME=$dir/home KITH_STATE=$dir/state TERM=dumb PATH=$dir/bin:$PATH
n=0

verdict() { # STATUS NAME
    n=$((n + 1))
    [ "$1" = 0 ] || printf 'not '
    echo "ok $n - $2"
}

# What is typed, and what the last word becomes.
lines=(
    'kith rev' revoke
    'kith network cre' create
    'kith network admin a' add
    'kith --state /x stat' status
    'kith --json network cr' create
    'kith ping --coun' --count
    'kith ping -c 3 --netw' --network
    'kith ip --ipv4 x --netw' --network
    'kith up --log-level ho' host
    'kith logs -n 5 --level deb' debug
    'kith completion fi' fish
    'kith help inv' invite
    'kith ping desk' desktop
    'kith probe desk' desktop
    'kith probe --coun' --count
    'kith paths desk' desktop
    'kith paths --netw' --network
    'kith network admin remove desk' desktop
    'kith network leave ho' home
    'kith members --network ho' home
    'kith config check goo' good.toml
    'kith --config goo' good.toml
    'kith up --tun ki' ki
)

# completes SHELL: asks it for every line; the function named SHELL prints one answer for each.
completes() {
    local got wrong=0 i
    mapfile -t got < <(cd "$dir/work" && "$1" <(every_other 0))
    for ((i = 0; i < ${#lines[@]}; i += 2)); do
        [ "${got[i / 2]-}" = "${lines[i + 1]}" ] && continue
        wrong=1
        echo "# ${lines[i]}: ${got[i / 2]-nothing}, wanted ${lines[i + 1]}"
    done
    return $wrong
}
every_other() { local i; for ((i = $1; i < ${#lines[@]}; i += 2)); do echo "${lines[i]}"; done; }
# Of several candidates all are shown; of none, what was typed.
answer() { local found=${2% }; echo "${found:-$1}"; }

# ---- each shell: reads lines from the file $1 ----

# shellcheck disable=SC2016 # for the shells below to expand
in_bash() {
    local line
    while read -r line; do
        answer "${line##* }" "$(bash --norc -c 'source <(kith completion bash)
            complete -p kith >/dev/null || exit
            COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kith; echo "${COMPREPLY[*]}"' - "$line")"
    done <"$1"
}

in_fish() {
    local line
    while read -r line; do
        # shellcheck disable=SC2016
        answer "${line##* }" "$(fish -c "$fish_setup; "'complete -C "$argv[1]"' "$line" | cut -f 1 | tr '\n' ' ')"
    done <"$1"
}

in_zsh() { python3 "$here/zsh_complete.py" "$1" "$zsh_setup"; }

installed() { # SHELL CASES
    command -v "$1" >/dev/null && return
    for _ in $(seq "$2"); do
        n=$((n + 1))
        echo "ok $n - completion_in_$1 # SKIP $1 is not installed"
    done
    return 1
}

# ---- a node with members to name, and the scripts where the shells look ----

mkdir -p "$HOME/.config/fish/completions" "$dir/bin" "$dir/state" "$dir/work" "$dir/zsh"
ln -s "$kith" "$dir/bin/kith"
touch "$dir/work/good.toml"
"$fake" "$dir/state/control.sock" &
node=$!
for _ in $(seq 200); do
    test -S "$dir/state/control.sock" && break
    sleep 0.01
done
kith completion zsh >"$dir/zsh/_kith"
kith completion fish >"$HOME/.config/fish/completions/kith.fish"

completes in_bash
verdict $? "bash_completes_what_is_typed"

fish_setup=true
if installed fish 2; then
    completes in_fish
    verdict $? "fish_completes_what_is_typed"
    rm "$HOME/.config/fish/completions/kith.fish"
    fish_setup="kith completion fish | source"
    completes in_fish
    verdict $? "fish_completes_with_the_script_from_a_pipe"
fi

if installed zsh 2; then
    zsh_setup="fpath=('$dir/zsh' \$fpath); autoload -Uz compinit; compinit -u -d '$dir/dump'"
    completes in_zsh
    verdict $? "zsh_completes_what_is_typed"
    zsh_setup="source <(kith completion zsh)"
    completes in_zsh
    verdict $? "zsh_completes_with_the_script_sourced"
fi
echo "1..$n"
