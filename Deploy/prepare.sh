# What Deploy/run and Deploy/test share: Debian packages, the Swift toolchain, the build. Sourced by bash.

say() { printf '%s\n' "==> $*"; }
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# What the server is built and runs with. Swift's own needs (a linker, the C and C++ libraries, what its package manager
# is linked to) come first. Names that Debian 12 and Ubuntu 24.04 share.
build_packages=(
  binutils ca-certificates g++ git libc6-dev libcurl4-openssl-dev libncurses6 libxml2
  dns-root-data libpsl-dev libsasl2-dev libsasl2-modules libsqlite3-dev libssl-dev libunbound-dev pkg-config zlib1g-dev
)

# Everything that a build needs, and the packages named besides. Nothing is installed where there is no toolchain.
prepare() {
  find_toolchain
  install_packages "${build_packages[@]}" "$@"
  check_toolchain
}

# Installs those of the named packages that are missing, and touches nothing if none is.
install_packages() {
  local package missing=() as_root=()
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    fail "These Debian packages, or what your system calls them, are needed: ${missing[*]}"
  fi
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "As root: apt-get update && apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  # RUNLEVEL=1 keeps packages that bring a daemon from starting it.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 RUNLEVEL=1 \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Puts `swift` on PATH if it is in one of the usual places, else says how to get it.
find_toolchain() {
  local directory
  if ! command -v swift >/dev/null; then
    for directory in /opt/swift/usr/bin /usr/libexec/swift/bin ~/.local/share/swiftly/bin ~/.swiftly/bin; do
      if [ -x "$directory/swift" ]; then
        PATH="$directory:$PATH"
        break
      fi
    done
  fi
  command -v swift >/dev/null || fail \
    "The Swift toolchain (6.1 or newer) is needed and not on PATH. Either" \
    "  get it:        https://www.swift.org/install/linux/" \
    "  or do without: docker compose -f Deploy/compose.dev.yaml up --build"
}

# It runs and is new enough, else says what is wrong with it.
check_toolchain() {
  local answer version
  answer=$(swift --version 2>&1 || true)
  version=$(sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' <<<"$answer" | head -n 1)
  case "$version" in
    "")
      fail "The Swift toolchain does not run. $(command -v swift) --version says:" "$answer" \
        "What it needs from the system: https://www.swift.org/install/linux/"
      ;;
    6.0 | [0-5].*) fail "Swift $version is too old: 6.1 or newer is needed (https://www.swift.org/install/linux/)" ;;
  esac
}

# Builds the executable and says where it is in $martlet. The standard library goes into it: it runs without a toolchain.
build_executable() {
  local options=(-c release --static-swift-stdlib --product martlet -j "$(nproc)")
  say "building martlet (release; the first time takes some minutes)"
  swift build "${options[@]}"
  martlet="$(swift build "${options[@]}" --show-bin-path)/martlet"
}
