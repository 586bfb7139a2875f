// The public headers as C++ sees them, and the shared library behind them. Prints TAP.

#include <cstdio>
#include <cstring>
#include <type_traits>

#include "kith/kith.h"
#include "kith/version.h"

static int cases;

static bool check(bool holds, const char *sentence)
{
    std::printf("%sok %d - %s\n", holds ? "" : "not ", ++cases, sentence);
    return holds;
}

static bool no_item(void *, const char *, size_t)
{
    return false;
}

int main()
{
    static_assert(std::is_trivial<kith_error>::value, "errors are plain values");
    static_assert(std::is_trivial<kith_reply>::value, "replies are plain values");
    kith_open_options nothing = {};
    kith_connect_options nowhere = {"/nonexistent/kith"};
    kith_error error = {};
    kith_item *item = no_item;
    kith_reply reply = {};
    kith *k = nullptr;
    bool good = true;

    good &= check(std::strlen(kith_version()) >= 5, "the library tells its version");
    good &= check(std::strcmp(kith_error_name(KITH_ERROR_INUSE), "INUSE") == 0,
                  "codes have names in C++, too");
    good &= check(kith_open(&nothing, &k, &error) == KITH_ERROR_INVAL && k == nullptr,
                  "no state directory makes no node");
    good &= check(kith_connect(&nowhere, &k, &error) == KITH_ERROR_NOTFOUND && error.exit == 3,
                  "where no node is, none is found");
    good &= check(kith_call_items(k, "logs", nullptr, item, nullptr, &reply, &error) ==
                      KITH_ERROR_INVAL,
                  "no handle makes no call");
    kith_cancel(k);
    kith_reply_free(&reply);
    kith_close(k);
    std::printf("1..%d\n", cases);
    return good ? 0 : 1;
}
