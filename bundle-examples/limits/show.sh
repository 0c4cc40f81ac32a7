# Runs in the container, into one of its limits after the other.

echo "cpu, half a core: a loop that runs for one second gets"
time timeout -s KILL 1 sh -c 'while :; do :; done'

echo "memory, 64 MiB: a program that wants 100 MiB"
dd if=/dev/zero of=/dev/null bs=100M count=1
echo "ended with status $? (137 is 128 + SIGKILL)"

echo "pids, 20: processes are started until that fails"
trap 'echo "$n were started beside this shell"; exit 0' EXIT
while sleep 5 & do n=$((n + 1)); done
