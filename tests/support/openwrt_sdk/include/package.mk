# SPDX-License-Identifier: Apache-2.0
# `make prepare` makes the sources, `make install-NAME` the files of a package in $(OUT), and
# `make show-NAME` prints what it says of itself.
define BuildPackage
  ifdef Package/$(1)
    ALL += $(1)
  endif
endef

define Fields
  $(eval $(Package/$(1)))
endef

.PHONY: prepare
prepare:
	$(Build/Prepare)

install-%:
	$(call Py3Package/$*/install,$(OUT))

show-%:
	$(call Fields,$*)
	@printf '%s\n' 'TITLE=$(TITLE)' 'USERID=$(USERID)' 'DEPENDS=$(DEPENDS)' 'ALL=$(ALL)' \
		'VERSION=$(PKG_VERSION)' 'HASH=$(PKG_HASH)'
