# Sourced by the scripts beside it: makes .venv from the pinned versions, once, and does nothing after.
#
#   prepare EXTRAS    EXTRAS is what stands behind the project's name for pip: "" or "[dev]"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "seqtrain: needs Python 3.11 or newer; install it, or set PYTHON to it" >&2
    return 2
}

prepare() {
    local extras=$1 python wanted
    wanted="$extras $(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum)"
    if grep -qsxF -e "$wanted" "$venv/.installed"; then
        return
    fi
    exec 9>"$root/.venv.lock" # a second set-up at the same time waits for the first
    if command -v flock >/dev/null; then flock 9; fi
    if grep -qsxF -e "$wanted" "$venv/.installed"; then
        return
    fi
    python=$(find_python) || return
    echo "seqtrain: setting up $venv, once; this downloads PyTorch and takes a minute or more" >&2
    [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv" || {
        echo "seqtrain: $python can't make a virtual environment; on Debian: apt install python3-venv" >&2
        return 2
    }
    "$venv/bin/pip" install --quiet --disable-pip-version-check \
        --use-pep517 --constraint "$root/constraints.txt" --editable "$root$extras"
    echo "$wanted" >"$venv/.installed"
    if [ -n "$extras" ]; then # what holds the extras holds the project without them, too
        echo "${wanted/#"$extras"/}" >>"$venv/.installed"
    fi
}
