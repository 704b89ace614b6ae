# SPDX-License-Identifier: Apache-2.0
# Stands in for the build system of OpenWrt, as far as the packages of packaging/openwrt use it.
INCLUDE_DIR := $(TOPDIR)/include
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_CONF := install -m0600
INSTALL_DATA := install -m0644
CP := cp -fpR
FIND := find
PYTHON3_PKG_DIR := /usr/lib/python3.11/site-packages
PKG_BUILD_DIR = $(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR = $(PKG_BUILD_DIR)/ipkg-install
