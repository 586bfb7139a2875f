/* services.c: which services this node has in each of its networks, told to the members in a signed
 * ANNOUNCEMENT of its own, and which ones they have: the directory is what the views hold. */
#include "node/internal.h"

struct node_services {
    size_t n;
    struct {
        char name[KITH_LABEL_MAX + 1];
        char about[KITH_SERVICE_ABOUT_MAX + 1];
    } item[KITH_SERVICES_MAX]; /* ascending by name */
};

enum { STORED_MAX = KITH_SERVICES_MAX * (1 + KITH_LABEL_MAX + 1 + KITH_SERVICE_ABOUT_MAX) };

/* ---- what is registered ---- */

struct services_key {
    char text[64];
};

static const char *key_of(const struct node_network *net, struct services_key *ret)
{
    char id[KITH_ID_TEXT];

    return kith_format(ret->text, sizeof ret->text, "services:%s",
                       kith_network_id_text(&net->id, id, sizeof id));
}

static struct kith_service service_at(const struct node_services *s, size_t i)
{
    return (struct kith_service){.name = kith_span_text(s->item[i].name),
                                 .about = kith_span_text(s->item[i].about)};
}

/* Where the name is, or belongs. */
static size_t place_of(const struct node_services *s, const char *name, bool *ret_found)
{
    size_t i = 0;

    while (i < s->n && strcmp(s->item[i].name, name) < 0)
        i++;
    *ret_found = i < s->n && strcmp(s->item[i].name, name) == 0;
    return i;
}

static int save(struct kith_node *n, const struct node_network *net, const struct node_services *s)
{
    uint8_t buf[STORED_MAX];
    struct kith_writer w = kith_writer_on(buf, sizeof buf);
    struct services_key key;
    size_t len;

    for (size_t i = 0; i < s->n; i++) {
        struct kith_service service = service_at(s, i);
        kith_service_item_put(
            &w, &(struct kith_service_item){.name = service.name, .about = service.about});
    }
    int err = kith_writer_done(&w, &len);
    if (err < 0)
        return err;
    return kith_store_setting_put(n->store, key_of(net, &key), (struct kith_span){buf, len});
}

/* Makes the list empty and all-zero where there was none. */
static int list_of(struct kith_node *n, struct node_network *net)
{
    if (net->services == NULL)
        net->services = kith_new_zero(n->env->alloc, sizeof *net->services);
    return net->services == NULL ? KITH_E_NOMEM : KITH_OK;
}

int services_load(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct services_key key;
    struct kith_service_item item;
    struct kith_span kept;
    int err = kith_store_setting_get(n->store, key_of(net, &key), &kept);

    net->announce_at = now.mono;
    if (err == KITH_E_NOTFOUND)
        return KITH_OK;
    if (err >= 0)
        err = list_of(n, net);
    if (err < 0)
        return err;
    struct kith_reader r = kith_reader_on(kept);
    while (net->services->n < KITH_SERVICES_MAX && kith_service_item_next(&r, &item)) {
        size_t i = net->services->n++;
        kith_format(net->services->item[i].name, sizeof net->services->item[i].name, "%.*s",
                    (int)item.name.n, (const char *)item.name.p);
        kith_format(net->services->item[i].about, sizeof net->services->item[i].about, "%.*s",
                    (int)item.about.n, (const char *)item.about.p);
    }
    return KITH_OK;
}

void services_free(struct kith_node *n, struct node_network *net)
{
    kith_free(n->env->alloc, net->services);
    net->services = NULL;
}

void services_forget(struct kith_node *n, struct node_network *net)
{
    struct services_key key;
    int err = kith_store_setting_remove(n->store, key_of(net, &key));

    services_free(n, net);
    if (err < 0 && err != KITH_E_NOTFOUND)
        kith_event_store_failed(n->env->events, "forget services", kith_err_text(err));
}

/* ---- requests ---- */

static int check_service(const char *name, const char *about, struct kith_node_why *why)
{
    uint8_t buf[1 + KITH_LABEL_MAX + 1 + KITH_SERVICE_ABOUT_MAX];
    struct kith_writer w = kith_writer_on(buf, sizeof buf);
    size_t len;

    if (!kith_label_valid(kith_span_text(name)))
        return node_say(why, KITH_E_INVAL, "use a-z, 0-9 and hyphens inside, 63 at most",
                        "\"%s\" cannot be a service's name", name);
    if (strcmp(name, KITH_SERVICE_SELF) == 0)
        return node_say(why, KITH_E_INVAL, "choose another name", "\"%s\" is the node itself",
                        name);
    kith_service_item_put(&w, &(struct kith_service_item){.name = kith_span_text(name),
                                                          .about = kith_span_text(about)});
    if (kith_writer_done(&w, &len) < 0)
        return node_say(why, KITH_E_INVAL, "use at most 120 bytes of text on one line",
                        "what is said about %s is too long or no text", name);
    return KITH_OK;
}

/* Tells the members once the store has it; puts things back where it has not. */
static int keep(struct kith_node *n, struct node_network *net, const struct node_services *before,
                struct kith_now now, struct kith_node_why *why)
{
    int err = save(n, net, net->services);

    if (err < 0) {
        *net->services = *before;
        return node_say(why, err, "", "the store failed: %s", kith_err_text(err));
    }
    net->announce_at = now.mono;
    return KITH_OK;
}

static int answer(const struct kith_node *n, const struct node_network *net, const char *name,
                  struct kith_service_info *ret)
{
    *ret = (struct kith_service_info){.peer = n->identity->id, .self = true};
    kith_format(ret->network, sizeof ret->network, "%s", net->name);
    kith_format(ret->name, sizeof ret->name, "%s", name);
    return kith_destination(&n->identity->id, kith_span_text(name), &ret->destination);
}

int kith_node_service_add(struct kith_node *n, const char *name, const char *about,
                          const char *network, struct kith_now now, struct kith_service_info *ret,
                          struct kith_node_why *why)
{
    struct node_services before;
    struct node_network *net;
    bool found;
    int err = network_find(n, network, &net, why);

    if (err >= 0)
        err = check_service(name, about, why);
    if (err < 0)
        return err;
    if (list_of(n, net) < 0)
        return node_say(why, KITH_E_NOMEM, "", "no memory for another service");
    before = *net->services;
    struct node_services *s = net->services;
    size_t i = place_of(s, name, &found);
    if (!found && s->n == KITH_SERVICES_MAX)
        return node_say(why, KITH_E_FULL, "kith service remove takes one away",
                        "a node has at most %d services in a network", KITH_SERVICES_MAX);
    if (!found) {
        memmove(&s->item[i + 1], &s->item[i], (s->n - i) * sizeof s->item[0]);
        s->n++;
        kith_format(s->item[i].name, sizeof s->item[i].name, "%s", name);
    }
    kith_format(s->item[i].about, sizeof s->item[i].about, "%s", about);
    err = keep(n, net, &before, now, why);
    return err < 0 ? err : answer(n, net, name, ret);
}

int kith_node_service_remove(struct kith_node *n, const char *name, const char *network,
                             struct kith_now now, struct kith_service_info *ret,
                             struct kith_node_why *why)
{
    struct node_services before;
    struct node_network *net;
    bool found = false;
    size_t i = 0;
    int err = network_find(n, network, &net, why);

    if (err < 0)
        return err;
    struct node_services *s = net->services;
    if (s != NULL)
        i = place_of(s, name, &found);
    if (!found)
        return node_say(why, KITH_E_NOTFOUND, "kith services lists them",
                        "this node has no service %s in %s", name, net->name);
    before = *s;
    memmove(&s->item[i], &s->item[i + 1], (s->n - i - 1) * sizeof s->item[0]);
    s->n--;
    err = keep(n, net, &before, now, why);
    return err < 0 ? err : answer(n, net, name, ret);
}

/* ---- the directory ---- */

static bool item_at(const struct kith_object *announcement, size_t i, struct kith_service_item *ret)
{
    struct kith_reader r = kith_reader_on(announcement->announcement.services.bytes);

    while (kith_service_item_next(&r, ret))
        if (i-- == 0)
            return true;
    return false;
}

static bool tell_of(const struct kith_node *n, const struct node_network *net,
                    const struct kith_member *m, size_t i, kith_wall now,
                    struct kith_service_info *ret)
{
    struct kith_service_item item;
    struct kith_member_info who;

    if (m->standing != KITH_STANDING_MEMBER || m->announcement == NULL ||
        !item_at(m->announcement, i, &item))
        return false;
    ask_member(n, net, m, now, &who);
    *ret = (struct kith_service_info){.peer = m->peer,
                                      .self = who.self,
                                      .online = who.online,
                                      .expires = m->announcement->announcement.valid_until};
    kith_format(ret->network, sizeof ret->network, "%s", net->name);
    kith_format(ret->member, sizeof ret->member, "%s", m->name);
    kith_format(ret->name, sizeof ret->name, "%.*s", (int)item.name.n, (const char *)item.name.p);
    kith_format(ret->about, sizeof ret->about, "%.*s", (int)item.about.n,
                (const char *)item.about.p);
    return kith_destination(&m->peer, item.name, &ret->destination) == KITH_OK;
}

bool kith_node_next_service(const struct kith_node *n, const struct kith_network_id *network,
                            struct kith_service_walk *at, kith_wall now,
                            struct kith_service_info *ret)
{
    const struct node_network *net = network_by_id(n, network);
    struct kith_member m;

    while (net != NULL) {
        if (at->among && kith_netview_member(net->view, &at->peer, now, &m) &&
            tell_of(n, net, &m, at->service, now, ret)) {
            at->service++;
            return true;
        }
        at->among = kith_netview_next_member(net->view, &at->member, now, &m);
        if (!at->among)
            return false;
        at->peer = m.peer;
        at->service = 0;
    }
    return false;
}

/* ---- announcing ---- */

/* Whether the announcement held says the same for long enough yet. */
static bool is_said(const struct kith_member *self, const struct node_services *s, kith_wall now)
{
    const struct kith_object *o = self->announcement;
    size_t count = s == NULL ? 0 : s->n;
    struct kith_service_item item;

    if (o == NULL)
        return count == 0; /* who never had any says nothing */
    if (o->env.issued > kith_after(now, KITH_WALL_TOLERANCE) ||
        o->announcement.valid_until < now + ANNOUNCEMENT_VALID / 2)
        return false;
    if (o->announcement.services.n != count)
        return false;
    struct kith_reader r = kith_reader_on(o->announcement.services.bytes);
    for (size_t i = 0; i < count && kith_service_item_next(&r, &item); i++) {
        struct kith_service ours = service_at(s, i);
        if (!kith_span_equal(item.name, ours.name) || !kith_span_equal(item.about, ours.about))
            return false;
    }
    return true;
}

static int announce(struct kith_node *n, struct node_network *net, const struct kith_member *self,
                    struct kith_now now)
{
    struct kith_service all[KITH_SERVICES_MAX];
    size_t count = net->services == NULL ? 0 : net->services->n, len;
    const struct kith_object *o = self->announcement;
    uint8_t *buf = kith_new_array(n->env->alloc, ANNOUNCEMENT_MAX, 1);
    bool counts = o != NULL && o->env.issued <= kith_after(now.wall, KITH_WALL_TOLERANCE);

    if (buf == NULL)
        return KITH_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        all[i] = service_at(net->services, i);
    int err = kith_issue_announcement(n->identity, &net->id, 0, all, count,
                                      kith_issuer_number(counts ? o->env.number : 0, now.wall),
                                      now.wall + ANNOUNCEMENT_VALID, now.wall, buf,
                                      ANNOUNCEMENT_MAX, &len);
    if (err >= 0)
        err = object_publish(n, net, (struct kith_span){buf, len}, now);
    kith_free(n->env->alloc, buf);
    return err;
}

void services_tick(struct kith_node *n, struct kith_now now)
{
    struct kith_member self;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct node_network *net = &n->network[i];
        if (!net->used || now.mono < net->announce_at)
            continue;
        net->announce_at = kith_after(now.mono, 86400 * KITH_SEC); /* renewed in time */
        if (!network_self(n, net, now.wall, &self) || self.standing != KITH_STANDING_MEMBER ||
            is_said(&self, net->services, now.wall))
            continue;
        int err = announce(n, net, &self, now);
        if (err < 0) {
            kith_event_store_failed(n->env->events, "announce services", kith_err_text(err));
            net->announce_at = kith_after(now.mono, HOST_AGAIN);
        }
    }
}

kith_time services_deadline(const struct kith_node *n)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            at = kith_sooner(at, n->network[i].announce_at);
    return at;
}
