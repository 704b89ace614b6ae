# SPDX-License-Identifier: Apache-2.0
"""The bench: a DM server, a package server and a push sender."""
