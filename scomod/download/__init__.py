# SPDX-License-Identifier: Apache-2.0
"""Fetching payloads; knows nothing of OMA."""
