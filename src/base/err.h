/* err.h: every error Kith returns, and whose fault it is.
 *
 * Functions that can fail return 0 or one of these negative numbers. Blame decides what happens
 * next: a CALLER's error is a bug of ours, a PEER's ends at that peer, a HOST's is reported to
 * the person who runs the machine, and NOBODY's is an ordinary "not now".
 * Numbers are stable: they appear in the control API (docs/spec/control.md). */
#ifndef KITH_BASE_ERR_H
#define KITH_BASE_ERR_H

#if defined(__GNUC__)
#define KITH_MUST_CHECK __attribute__((warn_unused_result))
#define KITH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define KITH_MUST_CHECK
#define KITH_PRINTF(fmt, args)
#endif

/* clang-format off */
/* name, number, whose fault, text for people */
#define KITH_ERR_TABLE(X)                                                      \
    X(INVAL,       -1, CALLER, "argument out of range")                        \
    X(NOMEM,       -2, HOST,   "out of memory")                                \
    X(MALFORMED,   -3, PEER,   "bytes do not follow the format")               \
    X(AUTH,        -4, PEER,   "authentication failed")                        \
    X(LIMIT,       -5, PEER,   "over an agreed limit")                         \
    X(AGAIN,       -6, NOBODY, "nothing to do now")                            \
    X(VERSION,     -7, PEER,   "version not spoken here")                      \
    X(REFUSED,     -8, PEER,   "refused")                                      \
    X(EXPIRED,     -9, PEER,   "expired")                                      \
    X(USED,       -10, PEER,   "used up")                                      \
    X(EXISTS,     -11, CALLER, "exists already")                               \
    X(NOTFOUND,   -12, CALLER, "not found")                                    \
    X(STATE,      -13, CALLER, "not possible in this state")                   \
    X(TIMEOUT,    -14, NOBODY, "timed out")                                    \
    X(CLOSED,     -15, NOBODY, "closed")                                       \
    X(CANCELLED,  -16, NOBODY, "cancelled")                                    \
    X(FULL,       -17, HOST,   "table or queue is full")                       \
    X(IO,         -18, HOST,   "input/output error")                           \
    X(NOSPACE,    -19, HOST,   "no space left")                                \
    X(PERM,       -20, HOST,   "permission denied")                            \
    X(INUSE,      -21, HOST,   "in use by another process")                    \
    X(CRYPTO,     -22, HOST,   "cryptographic library failed")                 \
    X(CORRUPT,    -23, HOST,   "stored data is damaged")                       \
    X(UNREACHABLE,-24, NOBODY, "no way to reach the peer")                     \
    X(TOOBIG,     -25, CALLER, "too big for the path")                         \
    X(REVOKED,    -26, PEER,   "revoked")                                      \
    X(NOTADMIN,   -27, CALLER, "this node is no admin of the network")         \
    X(UNSUPPORTED,-28, HOST,   "not supported by this system")                 \
    X(PROTOCOL,   -29, PEER,   "peer broke the protocol")                      \
    X(TAKEN,      -30, CALLER, "already taken")
/* clang-format on */

enum kith_err {
    KITH_OK = 0,
#define X(name, num, fault, text) KITH_E_##name = num,
    KITH_ERR_TABLE(X)
#undef X
};

enum kith_blame { KITH_BLAME_NOBODY, KITH_BLAME_CALLER, KITH_BLAME_PEER, KITH_BLAME_HOST };

/* A sentence fragment for people; never NULL. */
const char *kith_err_text(int err);
/* The stable name in capitals ("NOTFOUND"), for JSON; never NULL. */
const char *kith_err_name(int err);
/* Who is to blame for err; NOBODY for KITH_OK and unknown numbers. */
enum kith_blame kith_err_blame(int err);

#endif
