# Two commands for servers in tests:
#
#   run FOLDER PROGRAM ARGUMENT...   runs a server for as long as standard input is open
#   signal NAME PROCESS              sends a signal to a server and all its children

# The children of a process. Process groups do not tell: Postgres gives each child its own.
children() {
    if [ -r /proc/self/stat ]; then
        for stat in /proc/[0-9]*/stat; do
            { read -r line <"$stat"; } 2>/dev/null || continue
            # After the name, which may hold anything, come the state and the parent.
            rest=${line##*) }
            rest=${rest#* }
            if [ "${rest%% *}" = "$1" ]; then
                echo "${line%% *}"
            fi
        done
    else
        ps -A -o pid= -o ppid= | while read -r process parent; do
            if [ "$parent" = "$1" ]; then echo "$process"; fi
        done
    fi
}

# A parent that is stopped makes no more children while they are counted.
signal() {
    if [ "$1" != CONT ]; then kill -s STOP "$2" 2>/dev/null; fi
    # shellcheck disable=SC2046 # the children are words
    kill -s "$1" $(children "$2") "$2" 2>/dev/null
}

if [ "$1" = signal ]; then
    signal "$2" "$3"
    exit 0
fi

folder=$2
shift 2
# When the tests are gone, nobody reads what is said here, and the system hangs up on the group of a
# server that is stopped. There is still something to do. (A signal that is handled instead of
# ignored would end a wait.)
trap : PIPE
trap '' HUP
rm -f "$folder/exited"
exec 3<&0
"$@" </dev/null >>"$folder/log" 2>&1 3<&- &
server=$!
echo "started $server"
(
    # Nothing but the end comes, after the word "keep" if the folder is still needed.
    last=$(cat <&3)
    if [ ! -e "$folder/exited" ]; then signal KILL "$server"; fi
    [ "$last" = keep ]
) &
lifeline=$!
exec 3<&-
wait "$server"
echo "$?" >"$folder/exited"
echo exited
wait "$lifeline" || rm -rf "$folder"
