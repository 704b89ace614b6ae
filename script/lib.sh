# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts beside it (POSIX sh): finds or installs what they need.
#
# need TOOL...    system programs, and libraries by their folders; missing ones are installed
#                 when we are root, else the line to run is printed
# make_venv EXTRA .venv in the checkout, from setup.cfg; quick when nothing changed

set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
VENV=$ROOT/.venv
POLICY=${SCOMOD_POLICY_RC_D:-/usr/sbin/policy-rc.d}
PATH=$PATH:/usr/sbin:/sbin
# The tests start hundreds of programs: what they import is compiled once, not each time.
unset PYTHONDONTWRITEBYTECODE

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$(basename -- "$0"): $*"
    exit 1
}

package_of() {
    case $1 in
    dpkg-deb) echo dpkg ;;
    xml2wbxml | wbxml2xml) echo libwbxml2-utils ;;
    dbus-send) echo dbus-bin ;;
    systemd-analyze) echo systemd ;;
    systemd-nspawn) echo systemd-container ;;
    ip) echo iproute2 ;;
    btrfs) echo btrfs-progs ;;
    udevadm) echo udev ;;
    umockdev-wrapper) echo umockdev gir1.2-umockdev-1.0 python3-gi ;;
    mke2fs) echo e2fsprogs ;;
    fusermount3) echo fuse3 ;;
    qemu-img) echo qemu-utils ;;
    qemu-storage-daemon) echo qemu-system-common ;;
    qemu-system-x86_64) echo qemu-system-x86 ;;
    setpriv | unshare | flock) echo util-linux ;;
    softhsm2-util) echo softhsm2 ;;
    pkcs11-tool) echo opensc ;;
    bearerbox | wapbox) echo kannel ;;
    ofonod) echo ofono ;;
    ModemManager) echo modemmanager ;;
    xgettext | msgmerge | msgfmt | msgcmp) echo gettext ;;
    desktop-file-validate) echo desktop-file-utils ;;
    gdbus) echo libglib2.0-bin ;;
    Xvfb) echo xvfb ;;
    */notification-daemon) echo notification-daemon ;;
    pkcheck) echo polkitd ;;
    dpkg-buildpackage) echo dpkg-dev ;;
    dh) echo debhelper ;;
    pybuild) echo dh-python ;;
    */dist-packages/build) echo pybuild-plugin-pyproject ;;
    */dist-packages/setuptools) echo python3-setuptools ;;
    *) echo "$1" ;;
    esac
}

find_python() {
    for PYTHON in python3 python3.13 python3.12 python3.11; do
        if "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

# apt package that gives $PYTHON its venv
venv_package() {
    echo "$PYTHON-venv"
}

is_venv_usable() {
    "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

missing_packages() {
    for tool; do
        command -v "$tool" >/dev/null 2>&1 || [ -d "$tool" ] || package_of "$tool"
    done
    is_venv_usable && return 0
    if ! find_python; then
        echo python3 python3-venv ca-certificates
    elif ! "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null; then
        echo "$(venv_package)" ca-certificates
    fi
}

# Services that come with packages are not to run on this machine: what asks before it
# starts one (invoke-rc.d) hears no, unless an administrator has settled that already.
install_packages() {
    say "installing $*"
    (
        if [ ! -e "$POLICY" ] && [ ! -L "$POLICY" ]; then
            trap 'rm -f "$POLICY"' EXIT
            trap 'exit 1' HUP INT TERM
            printf '#!/bin/sh\nexit 101\n' >"$POLICY"
            chmod 755 "$POLICY"
        fi
        DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    ) >&2 || die "apt-get failed; needed: $*"
}

need() {
    packages=$(missing_packages "$@" | tr ' ' '\n' | sort -u | tr '\n' ' ')
    packages=${packages% }
    [ -n "$packages" ] || return 0
    # shellcheck disable=SC2086 # a list of words
    if ! command -v apt-get >/dev/null 2>&1; then
        die "not installed (Debian names): $packages"
    elif [ "$(id -u)" -eq 0 ]; then
        install_packages $packages
    else
        say "$(basename -- "$0"): some programs are missing; run this and try again:"
        say "    sudo apt-get install --no-install-recommends $packages"
        exit 1
    fi
    packages=$(missing_packages "$@" | tr '\n' ' ')
    [ -z "$packages" ] || die "still missing after the installation: $packages(Python 3.11 or newer is needed)"
}

# one word for all that the environment is made from
venv_key() {
    { cksum <"$ROOT/setup.cfg" && echo "$ROOT" && "$VENV/bin/python" -V; } | cksum | tr ' ' '-'
}

make_venv() {
    if ! is_venv_usable; then
        find_python || die "Python 3.11 or newer is needed"
        say "making $VENV"
        rm -rf "$VENV"
        "$PYTHON" -m venv "$VENV" || die "cannot make $VENV"
    fi
    stamp=$VENV/.scomod-$(echo "$1" | tr , -)
    key=$(venv_key)
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$key" ]; then
        say "installing scomod[$1] into $VENV"
        (cd "$ROOT" && "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
            --editable ".[$1]" >&2) || die "pip failed"
        echo "$key" >"$stamp"
    fi
}
