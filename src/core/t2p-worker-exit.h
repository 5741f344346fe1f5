/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/** T2pWorkerExit: exit status of a worker, by which the daemon knows what to do next. */
typedef enum
{
  T2P_WORKER_EXIT_STOPPED = 0,
  T2P_WORKER_EXIT_FAILED = 1,      /* could not start, or an internal error */
  T2P_WORKER_EXIT_USAGE = 2,       /* wrong arguments */
  T2P_WORKER_EXIT_DEVICE_LOST = 3, /* the TUN device is gone: no use to start again */
  T2P_WORKER_EXIT_NO_PEER = 4,     /* nobody connected for the adopt-timeout */
} T2pWorkerExit;
