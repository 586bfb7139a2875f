/* fake_node SOCKET [--refuse]     --refuse: as if the caller were no member of the group */

#include "fake_node.h"

int main(int argc, char **argv)
{
    enum kith_ctl_grant grant = argc > 2 ? KITH_CTL_GRANT_NONE : KITH_CTL_GRANT_ADMIN;

    return argc < 2 ? 2 : fake_node_run(argv[1], grant, NULL, NULL);
}
