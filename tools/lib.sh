# What tools/quickstart, tools/test and tools/check/fresh-root share. Sourced, never run: the caller sets `self` (its
# name in messages) and `root` (the repository), and uses `set -u`.
#
# Rules: nothing is asked, nothing is read from stdin; control characters only when stdout is a terminal.

export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
logs="$root/build/test-logs"
cores=$(nproc)
passed=0 failed=0 skipped=0
stage_table=()

say() { printf '%s: %s\n' "$self" "$*"; }
fail() { printf '%s: error: %s\n' "$self" "$*" >&2; }

# packages_of SECTION...: the package names of these sections of tools/debian-packages.txt.
packages_of() {
  local section
  for section in "$@"; do
    sed -n "/^\[$section\]/,/^\[/{/^\[/d;s/[[:space:]]*#.*//;/^\$/d;p}" "$root/tools/debian-packages.txt"
  done
}

# missing_packages NAME...: those that dpkg does not know as installed.
missing_packages() {
  local installed
  installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "$@" 2>/dev/null) "
  local name
  for name in "$@"; do
    [[ $installed == *" installed:$name "* ]] || printf '%s\n' "$name"
  done
}

# ensure_packages SECTION...: installs what is missing; returns 1, after one line that names the remedy, if it cannot.
ensure_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    fail "this is not a Debian system; install what tools/debian-packages.txt lists, then run: cmake --workflow --preset release"
    return 1
  fi
  local wanted missing as_root=()
  mapfile -t wanted < <(packages_of "$@")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]} == 0)); then
    say "all ${#wanted[@]} Debian packages are in place"
    return 0
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      fail "${#missing[@]} packages are missing and this is neither root nor is there sudo; as root run: apt-get install ${missing[*]}"
      return 1
    fi
    # A password, where sudo wants one, can only be given on a terminal; without one, fail at once with the remedy.
    if ! { [[ -t 0 ]] && sudo -v; } && ! sudo -n true 2>/dev/null; then
      fail "sudo needs a password and there is no terminal to give it on; as root run: apt-get install ${missing[*]}"
      return 1
    fi
    as_root=(sudo -n)
  fi
  say "installing ${#missing[@]} of ${#wanted[@]} Debian packages: ${missing[*]}"
  # sudo drops the environment, and with it the way to the network.
  local name env=(env DEBIAN_FRONTEND=noninteractive)
  for name in http_proxy https_proxy no_proxy; do
    [[ -z ${!name-} ]] || env+=("$name=${!name}")
  done
  local apt=("${as_root[@]}" "${env[@]}" apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120)
  if watch_command "package lists" "$logs/apt-update.log" "${apt[@]}" update &&
    watch_command "packages" "$logs/apt-install.log" "${apt[@]}" install --no-install-recommends "${missing[@]}"; then
    return 0
  fi
  show_tail 5 "$logs/apt-update.log" "$logs/apt-install.log"
  fail "apt-get could not install the packages (log: build/test-logs/apt-*.log); mend apt or the network, then run $self again, or install by hand: ${missing[*]}"
  return 1
}

# What a signal does outside of watch_command; unset: what it does to any program.
unset on_signal

# watch_command TITLE LOG COMMAND...: runs it with all output in LOG and shows the last line of it as progress: in
# place on a terminal, else one line every ten seconds. Returns the command's status.
# The log is a file and not a pipe, so that a process left behind by a test cannot hold this one up.
watch_command() {
  local title=$1 log=$2 job
  shift 2
  [[ -d ${log%/*} ]] || mkdir -p "${log%/*}"
  : >"$log"
  # A session of its own, so that the whole of it can be ended; background jobs of a script ignore SIGINT, tests must not.
  # sudo is the exception: what it remembers of the password belongs to this terminal's session.
  if [[ $1 == sudo ]]; then
    "$@" >"$log" 2>&1 &
  else
    setsid env --default-signal=INT,QUIT "$@" >"$log" 2>&1 </dev/null &
  fi
  job=$!
  trap 'kill -TERM -- -$job 2>/dev/null || kill -TERM $job 2>/dev/null; exit 130' INT TERM
  show_progress "$title" "$log" kill -0 "$job"
  trap -- "${on_signal--}" INT TERM
  wait "$job"
}

# show_progress TITLE LOG CONDITION...: shows the last line of LOG as above for as long as the condition holds.
show_progress() {
  local title=$1 log=$2 begun=$SECONDS shown=$SECONDS columns=100 line
  shift 2
  [[ -t 1 ]] && columns=$(tput cols 2>/dev/null || echo 100)
  while "$@" 2>/dev/null; do
    sleep 0.1
    if [[ -t 1 ]]; then
      line=$(last_line "$log")
      printf '\r\033[K%s' "${self##*/}: $title, $((SECONDS - begun)) s: ${line:0:$((columns - ${#title} - 30))}"
    elif ((SECONDS - shown >= 10)); then
      shown=$SECONDS
      line=$(last_line "$log")
      printf '%s: %s, %d s: %s\n' "$self" "$title" $((SECONDS - begun)) "${line:0:120}"
    fi
  done
  [[ -t 1 ]] && printf '\r\033[K'
  return 0
}

# stdin without colours and other control characters.
plain() { sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | tr '\r' '\n' | tr -d '\000-\010\013-\037'; }

# The last full line of a log.
last_line() { tail -c 2000 "$1" | plain | awk 'NF { line = $0 } END { print line }'; }

# show_tail LINES FILE...: the end of each log that is there.
show_tail() {
  local lines=$1 log
  shift
  for log in "$@"; do
    [[ -s $log ]] || continue
    printf -- '--- the end of %s\n' "${log#"$root"/}"
    tail -n "$lines" "$log" | plain
    printf -- '---\n'
  done
}

# configure PRESET [CMAKE ARGUMENT...]
configure() {
  watch_command "$1: configure" "$logs/$1-configure.log" cmake --preset "$@"
}

# build PRESET
build() {
  watch_command "$1: build" "$logs/$1-build.log" cmake --build --preset "$1" -j "$cores"
}

# configure_and_build PRESET [CMAKE ARGUMENT...]
configure_and_build() {
  configure "$@" && build "$1"
}
