/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/** Cut: a piece of a packet's payload, as a fragment of its own. */
typedef struct
{
  gsize offset, length;
  gboolean has_more;
  guint32 id;
} Cut;

/* Writes the fragment of @packet that @cut says, without a look at whether that makes sense.
 * IPv6: the fragment header comes behind @unfragmentable bytes (0: behind the fixed header).
 * @out has room for the header, 8 bytes and the piece; returns the length. */
gsize cut_fragment (const guint8 *packet, gsize unfragmentable, const Cut *cut, guint8 *out);

G_END_DECLS
