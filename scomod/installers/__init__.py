# SPDX-License-Identifier: Apache-2.0
"""Backends that install software, and the root helper that runs them."""
