# SPDX-License-Identifier: Apache-2.0
"""Management objects and the tree that holds them."""
