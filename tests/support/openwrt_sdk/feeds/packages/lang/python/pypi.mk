# SPDX-License-Identifier: Apache-2.0
PKG_SOURCE ?= $(PYPI_SOURCE_NAME)-$(PKG_VERSION).tar.gz
