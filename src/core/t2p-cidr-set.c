/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-cidr-set.h"

/* Theory of operation. A binary trie per family. A link says that nothing below it is in the
 * set, that everything is, or which node knows more. Two full children make their parent full
 * at once, so a node is never full itself, has a member below it, and a union of prefixes
 * looks exactly like the one prefix that it fills. */

#define LINK_NONE 0
#define LINK_FULL 1
#define FIRST_NODE 2
#define MAX_BITS 128

typedef struct
{
  guint32 child[2];
} Node;

struct _T2pCidrSet
{
  guint32 root_v4;
  guint32 root_v6;
  GArray *nodes;     /* of Node; a link is an index */
  guint32 free_list; /* linked by child[0] */
};

/**
 * t2p_cidr_set_new:
 *
 * Returns: (transfer full): an empty set
 *
 * Since: 0.1
 */
T2pCidrSet *
t2p_cidr_set_new (void)
{
  T2pCidrSet *set = g_new0 (T2pCidrSet, 1);

  set->nodes = g_array_new (FALSE, TRUE, sizeof (Node));
  g_array_set_size (set->nodes, FIRST_NODE);
  return set;
}

void
t2p_cidr_set_free (T2pCidrSet *set)
{
  if (set == NULL)
    return;
  g_array_unref (set->nodes);
  g_free (set);
}

static Node *
node_at (const T2pCidrSet *set, guint32 link)
{
  return &g_array_index (set->nodes, Node, link);
}

static guint32
node_take (T2pCidrSet *set)
{
  static const Node empty = { { LINK_NONE, LINK_NONE } };
  guint32 link = set->free_list;

  if (link == LINK_NONE)
    {
      g_array_append_val (set->nodes, empty);
      return set->nodes->len - 1;
    }
  set->free_list = node_at (set, link)->child[0];
  *node_at (set, link) = empty;
  return link;
}

/* At most MAX_BITS deep. */
static void
node_release (T2pCidrSet *set, guint32 link)
{
  if (link < FIRST_NODE)
    return;
  node_release (set, node_at (set, link)->child[0]);
  node_release (set, node_at (set, link)->child[1]);
  node_at (set, link)->child[0] = set->free_list;
  set->free_list = link;
}

static guint
bit_at (const T2pIpAddress *address, guint depth)
{
  return (address->bytes[depth / 8] >> (7 - depth % 8)) & 1;
}

static guint32
root_of (const T2pCidrSet *set, int family)
{
  switch (family)
    {
    case AF_INET:
      return set->root_v4;
    case AF_INET6:
      return set->root_v6;
    default:
      return LINK_NONE;
    }
}

/* The links that lead to a prefix: path[d] is the node at depth d. */
typedef struct
{
  const T2pIpPrefix *prefix;
  guint32 *root;
  guint32 path[MAX_BITS];
} Walk;

static guint32 *
link_at (T2pCidrSet *set, const Walk *walk, guint depth)
{
  if (depth == 0)
    return walk->root;
  return &node_at (set, walk->path[depth - 1])
              ->child[bit_at (&walk->prefix->address, depth - 1)];
}

/* FALSE when the prefix turns out to be covered already. */
static gboolean
walk_down (T2pCidrSet *set, Walk *walk)
{
  for (guint depth = 0; depth < walk->prefix->length; depth++)
    {
      guint32 link = *link_at (set, walk, depth);

      if (link == LINK_FULL)
        return FALSE;
      if (link == LINK_NONE)
        {
          link = node_take (set); /* moves the nodes */
          *link_at (set, walk, depth) = link;
        }
      walk->path[depth] = link;
    }
  return TRUE;
}

static void
fill_upwards (T2pCidrSet *set, const Walk *walk)
{
  for (guint depth = walk->prefix->length;; depth--)
    {
      guint32 *link = link_at (set, walk, depth);
      const Node *parent;

      node_release (set, *link);
      *link = LINK_FULL;
      if (depth == 0)
        return;
      parent = node_at (set, walk->path[depth - 1]);
      if (parent->child[0] != LINK_FULL || parent->child[1] != LINK_FULL)
        return;
    }
}

/**
 * t2p_cidr_set_add:
 * @set: a set
 * @prefix: what to add; overlapping members are fine
 *
 * Takes at most 8 bytes for each bit of the prefix.
 *
 * Since: 0.1
 */
void
t2p_cidr_set_add (T2pCidrSet *set, const T2pIpPrefix *prefix)
{
  Walk walk = { .prefix = prefix };

  g_return_if_fail (prefix->address.family == AF_INET || prefix->address.family == AF_INET6);
  g_return_if_fail (prefix->length <= t2p_ip_address_bits (&prefix->address));

  walk.root = prefix->address.family == AF_INET ? &set->root_v4 : &set->root_v6;
  if (walk_down (set, &walk))
    fill_upwards (set, &walk);
}

/* What the trie says about the first @length bits: nothing, full, or a node. */
static guint32
find (const T2pCidrSet *set, const T2pIpAddress *address, guint length)
{
  guint32 link = root_of (set, address->family);

  for (guint depth = 0; depth < length && link >= FIRST_NODE; depth++)
    link = node_at (set, link)->child[bit_at (address, depth)];
  return link;
}

gboolean
t2p_cidr_set_contains (const T2pCidrSet *set, const T2pIpAddress *address)
{
  return find (set, address, t2p_ip_address_bits (address)) == LINK_FULL;
}

gboolean
t2p_cidr_set_covers (const T2pCidrSet *set, const T2pIpPrefix *prefix)
{
  return find (set, &prefix->address, prefix->length) == LINK_FULL;
}

gboolean
t2p_cidr_set_overlaps (const T2pCidrSet *set, const T2pIpPrefix *prefix)
{
  return find (set, &prefix->address, prefix->length) != LINK_NONE;
}

static guint
shallowest (const T2pCidrSet *set, guint32 link, guint depth)
{
  guint left, right;

  if (link == LINK_FULL)
    return depth;
  if (link == LINK_NONE)
    return G_MAXUINT8;
  /* Each child once: inside MIN() they would be walked twice, which doubles at each bit. */
  left = shallowest (set, node_at (set, link)->child[0], depth + 1);
  right = shallowest (set, node_at (set, link)->child[1], depth + 1);
  return MIN (left, right);
}

/**
 * t2p_cidr_set_widest:
 * @set: a set
 * @family: AF_INET or AF_INET6
 *
 * Returns: length of the shortest prefix of @family that the union of all members covers; 255
 *   when there is none. Looks at the whole set.
 *
 * Since: 0.1
 */
guint
t2p_cidr_set_widest (const T2pCidrSet *set, int family)
{
  return shallowest (set, root_of (set, family), 0);
}

static guint64
count_blocks (const T2pCidrSet *set, guint32 link, guint bits_left)
{
  if (link == LINK_NONE)
    return 0;
  if (link == LINK_FULL)
    return G_GUINT64_CONSTANT (1) << bits_left;
  if (bits_left == 0) /* a node has a member below it */
    return 1;
  return count_blocks (set, node_at (set, link)->child[0], bits_left - 1) +
         count_blocks (set, node_at (set, link)->child[1], bits_left - 1);
}

/**
 * t2p_cidr_set_size:
 * @set: a set
 * @family: AF_INET or AF_INET6
 * @block_length: the unit, as a prefix length: 24 counts in /24s; 0 to 63
 *
 * Returns: how many such blocks the union of all members touches
 *
 * Since: 0.1
 */
guint64
t2p_cidr_set_size (const T2pCidrSet *set, int family, guint block_length)
{
  g_return_val_if_fail (block_length < 64, 0);

  return count_blocks (set, root_of (set, family), block_length);
}
