/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer, and fuzz-main.c in its place, call for each input. Returns 0. A property that
 * does not hold aborts. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
