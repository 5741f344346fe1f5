/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every bound has its name here, and its reason. */

/* --- the bus */
#define T2P_MAX_MESSAGE_BYTES                                                                  \
  (256 * 1024) /* a settings dictionary with every route fits 10 times */
#define T2P_MAX_TUNNELS_PER_UID 16
#define T2P_MAX_TUNNELS 64
#define T2P_MAX_ROUTES 4096 /* per tunnel; each is a kernel route */
#define T2P_MAX_PROXIES 16
#define T2P_MAX_CHAIN_HOPS 4
#define T2P_MAX_ADDRESSES 16        /* of a tunnel's own link */
#define T2P_MAX_LIST_ENTRIES 256    /* of every other list of the settings: rules, names */
#define T2P_MAX_CHECKS_PER_SENDER 2 /* open password dialogs */
#define T2P_MAX_CHECKS 16
#define T2P_MAX_PROXY_TESTS_PER_UID 4
#define T2P_PROXY_TEST_TIMEOUT_S 30
#define T2P_MIN_ROLLBACK_S 5 /* a person needs some time to confirm */
#define T2P_MAX_ROLLBACK_S 3600
#define T2P_MAX_CONNECTIONS_PER_PAGE 1000 /* rows of one ListConnections answer */
#define T2P_MAX_ENDED_SOCKETS 65536       /* looked at by one `close-existing` */
#define T2P_MAX_APPS 64                   /* of one list; each may be several cgroups */
#define T2P_MAX_APP_CGROUPS 256  /* of one tunnel: a rule each, walked for a connection */
#define T2P_MAX_APP_IDS 16384    /* cgroups in those, for `close-existing` */
#define T2P_MAX_APP_FOLDERS 1024 /* looked through for them, and watched */
#define T2P_MAX_NAME_BYTES 64
#define T2P_MAX_STRING_BYTES 4096 /* one string of a setting */

/* --- ways past the tunnel */
#define T2P_MAX_BIND_LINKS 256      /* prefixes with the link that sockets are bound to */
#define T2P_MAX_LOOP_UPSTREAMS 256  /* endpoints that no flow may lead to */
#define T2P_MAX_BLOCKED_LOOPS 16    /* destinations that go nowhere for a while */
#define T2P_MAX_LEARNT_UPSTREAMS 64 /* that got a route when they were found */
#define T2P_MAX_LOCAL_PEERS 64      /* whom a proxy on this machine is connected to */

/* --- unix sockets that the daemon connects */
#define T2P_MAX_SOCKETS_UNDER_WAY 32   /* of a worker */
#define T2P_MAX_OWNERS_PER_SECOND 1000 /* questions of a worker whose flow it is */
#define T2P_MAX_SOCKETS_PER_UID 64     /* each is a thread */

/* --- files that settings name */
#define T2P_MAX_FILES 64 /* descriptors in one message: the kernel passes 253 */
#define T2P_MAX_TLS_FILE_BYTES (1024 * 1024) /* a bundle of every public CA has a fifth */
/* Of all that rules name, together, as is the next: 60,000 names of the longest kind. */
#define T2P_MAX_RULE_FILE_BYTES (16 * 1024 * 1024)
#define T2P_MAX_RULE_FILE_ENTRIES 500000       /* twenty comparisons for a look-up */
#define T2P_MAX_FILES_BYTES (64 * 1024 * 1024) /* all of a tunnel */

/* --- the daemon's own files */
#define T2P_MAX_JOURNAL_BYTES                                                                  \
  (16 * 1024 * 1024)            /* rules for 512 addresses and 64 users fit                    \
                                 */
#define T2P_MAX_JOURNAL_DEPTH 8 /* the parser recurses; ours has 5 */
/* 64 tunnels with 4,096 routes each fit */
#define T2P_MAX_KILL_SWITCH_BYTES (16 * 1024 * 1024)

/* For how long at most web pages get past the kill switch to log in to a network. */
#define T2P_PORTAL_OPEN_S 300

/* --- the worker */
#define T2P_ADOPT_TIMEOUT_S 10
#define T2P_DEFAULT_MEMORY_LIMIT (128u * 1024 * 1024)
#define T2P_DEFAULT_MAX_CONNECTIONS 65536
#define T2P_MAX_LINGERING 256 /* closed TLS connections that still send, of one upstream */
#define T2P_RESERVED_FDS 256  /* of the descriptor limit: what is not a flow */
#define T2P_FLOW_BUFFER_BYTES (64 * 1024)         /* each way, to begin with */
#define T2P_FLOW_BUFFER_UP_MAX_BYTES (512 * 1024) /* grown while memory lasts */
#define T2P_FLOW_BUFFER_DOWN_MAX_BYTES (1024 * 1024)
#define T2P_MAX_HELD_SYNS 4096 /* a SYN flood costs at most this many copies of 120 bytes */
#define T2P_MAX_HELD_SYNS_PER_DESTINATION 256
/* Flows that wait for one upstream to show that it lives: all that are held. */
#define T2P_MAX_WAITING_FLOWS T2P_MAX_HELD_SYNS
#define T2P_MAX_OOSEQ_SEGMENTS 64 /* lwIP's list is walked for each segment */
#define T2P_MAX_OOSEQ_BYTES (256 * 1024)
#define T2P_MAX_OOSEQ_TOTAL_BYTES (16 * 1024 * 1024)
#define T2P_MAX_REASSEMBLY_BYTES (4 * 1024 * 1024) /* fragments of all packets */
#define T2P_REASSEMBLY_TIMEOUT_S 30       /* as Linux has it; RFC 8200 section 4.5 allows 60 */
#define T2P_MAX_FRAGMENTS_PER_PACKET 256  /* the longest packet over an MTU of 296 */
#define T2P_MAX_PINGS 1024                /* under way at a time */
#define T2P_PING_TIMEOUT_S 10             /* what ping(8) waits for at the end */
#define T2P_VIRTUAL_NAME_QUARANTINE_S 600 /* an address is not given to another name sooner */
/* The same when the pool is full and no flow ever used the address. */
#define T2P_VIRTUAL_NAME_UNUSED_S 60

/* --- codecs */
#define T2P_SOCKS5_MAX_REPLY_BYTES 262 /* 4 + 1 + 255 + 2: RFC 1928 section 6 */
#define T2P_SOCKS4_REPLY_BYTES 8
#define T2P_HTTP_MAX_HEAD_BYTES (32 * 1024) /* of an answer, with those 1xx before it */
#define T2P_HTTP_MAX_BODY_BYTES (64 * 1024) /* a longer page behind a 407: a new connection */
#define T2P_HTTP_MAX_PARAM_BYTES 1024       /* realm, nonce, opaque: we send them back */
#define T2P_HTTP_MAX_PARAMS 16              /* of one challenge; RFC 7616 has 9 */
#define T2P_HTTP_MAX_REQUESTS 5             /* of one handshake: challenges, stale nonces */
#define T2P_DNS_MAX_MESSAGE_BYTES 65535
#define T2P_DNS_MAX_NAME_BYTES 255       /* RFC 1035 section 2.3.4 */
#define T2P_DNS_MAX_TTL_S 86400          /* an answer is not kept longer, whatever it says */
#define T2P_DNS_MAX_NEGATIVE_TTL_S 10800 /* RFC 2308 section 5: three hours at most */

/* --- questions that are asked through the upstream */
#define T2P_DNS_CACHE_MAX_ENTRIES 8192
#define T2P_DNS_CACHE_MAX_BYTES (4 * 1024 * 1024)
#define T2P_DNS_CACHE_MAX_ANSWER_BYTES 16384 /* longer ones are asked again: they are rare */
#define T2P_DNS_MAX_EXCHANGES 1024           /* different questions under way */
#define T2P_DNS_MAX_WAITING 4096             /* askers of them, and of the uplink's servers */
#define T2P_DNS_ANSWER_TIMEOUT_MS 5000       /* what stub resolvers wait; then SERVFAIL */
