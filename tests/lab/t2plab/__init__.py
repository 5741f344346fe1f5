# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab: a private machine, with real system parts, for tests. See ../README.md."""
from .bus import Bus, BusError, Tunnel
from .dump import changes, is_kernels_own, network_dump
from .lab import Background, Lab, LabError, Netns, why_not
from .service import Service, open_fds, processes, settled_fds
from .stubs import DistantProxy, StallingProxy, StubProxy
from .tap import LabCase
from .terminal import Terminal
from .wire import Wire

__all__ = ['Background', 'Bus', 'BusError', 'DistantProxy', 'Lab', 'LabCase', 'LabError', 'Netns',
           'Service', 'StallingProxy', 'StubProxy', 'Terminal', 'Tunnel', 'Wire', 'changes',
           'is_kernels_own', 'network_dump', 'open_fds', 'processes', 'settled_fds', 'why_not']
