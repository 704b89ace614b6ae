# SPDX-License-Identifier: Apache-2.0
define Py3Package
  ALL += $(1)
endef
