# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Software management by an OMA DM server"
DESCRIPTION = "Lets an OMA DM server install, update, activate and remove the software of this \
device: a daemon without rights speaks OMA DM 1.2 with the server, a root program without \
network lets dpkg, opkg or flatpak do the work."
SECTION = "admin"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

# The layer is part of the sources: it builds what lies beside it.
FILESEXTRAPATHS:prepend := "${THISDIR}/../../../../..:"
UNPACKDIR ?= "${WORKDIR}"
PARTS = "LICENSE README.md setup.cfg pyproject.toml scomod etc systemd script docs"
SRC_URI = "${@' '.join('file://%s;subdir=sources' % each for each in d.getVar('PARTS').split())}"
S = "${UNPACKDIR}/sources"

inherit python_setuptools_build_meta systemd useradd

SYSTEMD_SERVICE:${PN} = "scomod.service scomod.socket scomod.path scomod-install.path"

USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --user-group --no-create-home \
    --home-dir ${localstatedir}/lib/scomod --shell ${base_sbindir}/nologin scomod"

# Without systemd: the script of sysvinit that an integrator writes (docs/integration.md).
do_install:append() {
    install -d ${D}${sysconfdir}/scomod/config.d ${D}${sysconfdir}/scomod/trust.d
    install -m 0644 ${S}/etc/scomod/scomod.toml ${D}${sysconfdir}/scomod/
    install -d -m 0750 -o root -g scomod ${D}${sysconfdir}/scomod/bootstrap.d

    install -d ${D}${datadir}/dbus-1/system.d ${D}${datadir}/dbus-1/system-services
    install -m 0644 ${S}/systemd/org.scomod1.conf ${D}${datadir}/dbus-1/system.d/
    install -m 0644 ${S}/systemd/org.scomod1.service ${D}${datadir}/dbus-1/system-services/
    install -D -m 0644 ${S}/systemd/org.scomod1.policy \
        ${D}${datadir}/polkit-1/actions/org.scomod1.policy
    install -D -m 0644 ${S}/systemd/85-scomod.rules \
        ${D}${nonarch_base_libdir}/udev/rules.d/85-scomod.rules

    install -d ${D}${systemd_system_unitdir}
    for unit in scomod.service scomod.socket scomod.path scomod-install.path \
        scomod-install.service; do
        install -m 0644 ${S}/systemd/$unit ${D}${systemd_system_unitdir}/
    done
    install -D -m 0644 ${S}/systemd/scomod.tmpfiles ${D}${nonarch_libdir}/tmpfiles.d/scomod.conf
    install -D -m 0644 ${S}/systemd/scomod.sysusers ${D}${nonarch_libdir}/sysusers.d/scomod.conf
    install -D -m 0644 ${S}/systemd/scomod.catalog \
        ${D}${nonarch_libdir}/systemd/catalog/scomod.catalog
    install -D -m 0755 ${S}/systemd/scomod-next-start \
        ${D}${nonarch_libdir}/scomod/scomod-next-start

    install -D -m 0644 ${S}/script/completion/scomoctl.bash \
        ${D}${datadir}/bash-completion/completions/scomoctl
    for page in ${S}/docs/man/*.[158]; do
        install -D -m 0644 $page ${D}${mandir}/man${page##*.}/${page##*/}
    done
}

PACKAGES =+ "${PN}-lab ${PN}-agent-desktop"

FILES:${PN} += "${datadir}/dbus-1 ${datadir}/polkit-1 ${nonarch_base_libdir}/udev \
    ${systemd_system_unitdir} ${nonarch_libdir}/tmpfiles.d ${nonarch_libdir}/sysusers.d \
    ${nonarch_libdir}/systemd/catalog ${nonarch_libdir}/scomod"
FILES:${PN}-lab = "${bindir}/scomod-lab ${PYTHON_SITEPACKAGES_DIR}/scomod/lab"
FILES:${PN}-agent-desktop = "${bindir}/scomod-agent-desktop"
CONFFILES:${PN} = "${sysconfdir}/scomod/scomod.toml"

RDEPENDS:${PN} = "dbus \
    python3-asyncio python3-compression python3-core python3-crypt python3-datetime \
    python3-difflib python3-email python3-fcntl python3-html python3-io python3-json \
    python3-logging python3-math python3-mmap python3-netclient python3-shell python3-sqlite3 \
    python3-tomllib python3-xml \
    python3-cryptography python3-dbus-next python3-lxml python3-pyudev python3-requests"
RDEPENDS:${PN}-lab = "${PN} python3-aiohttp"
RDEPENDS:${PN}-agent-desktop = "${PN}"
RRECOMMENDS:${PN} = "zstd"
