#include "api/hosted.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/text.h"
#include "ctl/place.h"
#include "loop/daemon.h"
#include "loop/owner.h"
#include "os/files.h"

enum { STACK = 4 << 20 }; /* bytes, of which the node uses some 200 kB; ASan triples that */

struct kith_hosted {
    struct kith_conf conf;
    struct kith_daemon_options options;
    char state_dir[KITH_PATH_MAX], socket_path[KITH_PATH_MAX];
    int owner; /* this side's end */
    pthread_t thread;
    pthread_mutex_t lock; /* guards the next three */
    pthread_cond_t changed;
    bool ready, ended;
    struct kith_ctl_error error; /* of a node that ended before it was ready */
};

/* ---- the node's thread ---- */

/* Sets one of the marks that the starting thread waits for. */
static void reach(struct kith_hosted *h, bool *mark)
{
    (void)pthread_mutex_lock(&h->lock);
    *mark = true;
    (void)pthread_cond_signal(&h->changed);
    (void)pthread_mutex_unlock(&h->lock);
}

static void on_ready(void *ctx)
{
    struct kith_hosted *h = ctx;
    reach(h, &h->ready);
}

static void *run(void *ctx)
{
    struct kith_hosted *h = ctx;

    h->error.err = kith_daemon_run(&h->conf, &h->options, &h->error);
    reach(h, &h->ended);
    return NULL;
}

/* Signals a thread gets for what it did itself: blocking them would only make its end silent. */
static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

/* A thread begins with the mask of the one that makes it. */
static int thread_start(struct kith_hosted *h)
{
    sigset_t all, before;
    pthread_attr_t attr;
    int failed;

    if (pthread_attr_init(&attr) != 0)
        return KITH_E_NOMEM;
    (void)pthread_attr_setstacksize(&attr, STACK);
    (void)sigfillset(&all);
    for (size_t i = 0; i < KITH_COUNT(own_faults); i++)
        (void)sigdelset(&all, own_faults[i]);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&h->thread, &attr, run, h);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    if (failed != 0)
        return KITH_E_NOMEM; /* EAGAIN: the system's word for no room */
    (void)pthread_setname_np(h->thread, "kith");
    return KITH_OK;
}

/* False when it ended with h->error instead. */
static bool wait_ready(struct kith_hosted *h)
{
    bool ready;

    (void)pthread_mutex_lock(&h->lock);
    while (!h->ready && !h->ended)
        (void)pthread_cond_wait(&h->changed, &h->lock);
    ready = h->ready;
    (void)pthread_mutex_unlock(&h->lock);
    return ready;
}

/* ---- its options ---- */

static int problems_told(const struct kith_conf_problems *problems, struct kith_error *e)
{
    char text[400], more[40] = "";

    if (problems->n > 1)
        (void)kith_format(more, sizeof more, " (and %zu more)", problems->n - 1);
    return kith_error_set(e, KITH_E_INVAL, "%s%s",
                          kith_conf_problem_text(&problems->at[0], text, sizeof text), more);
}

static int conf_take(struct kith_hosted *h, const char *name, struct kith_span text,
                     struct kith_error *e)
{
    struct kith_conf_problems *problems = malloc(sizeof *problems); /* 70 kB */
    char host[256] = "";
    struct kith_conf_input in = {.file = name, .text = text, .host_name = host};
    int err;

    if (problems == NULL)
        return kith_error_set(e, KITH_E_NOMEM, "out of memory");
    (void)gethostname(host, sizeof host - 1);
    problems->n = 0;
    err = kith_conf_load(&h->conf, &in, problems);
    if (err < 0)
        (void)(problems->n > 0 ? problems_told(problems, e)
                               : kith_error_set(e, err, "cannot read the configuration"));
    free(problems);
    return err;
}

static int conf_from_file(struct kith_hosted *h, const char *file, struct kith_error *e)
{
    char path[KITH_PATH_MAX];
    struct kith_os_why why = {.text = ""};
    struct kith_buf text;
    int err = kith_place_absolute(file, path, sizeof path);

    if (err < 0)
        return kith_error_set(e, err, "the configuration file's path is too long");
    err = kith_file_read(path, KITH_CONFIG_MAX, &kith_heap, &text, &why);
    if (err < 0)
        return kith_error_set(e, err, "cannot read %.300s: %s", path,
                              why.text[0] != '\0' ? why.text : kith_err_text(err));
    err = conf_take(h, path, kith_buf_span(&text), e);
    kith_buf_fini(&text);
    return err;
}

static int conf_of(struct kith_hosted *h, const struct kith_open_options *o, struct kith_error *e)
{
    if (o->config != NULL && o->config_file != NULL)
        return kith_error_set(e, KITH_E_INVAL, "a configuration is text or a file, not both");
    if (o->config_file != NULL)
        return conf_from_file(h, o->config_file, e);
    if (o->config == NULL)
        return conf_take(h, NULL, (struct kith_span){NULL, 0}, e);
    if (strlen(o->config) > KITH_CONFIG_MAX)
        return kith_error_set(e, KITH_E_LIMIT, "a configuration has at most %d bytes",
                              KITH_CONFIG_MAX);
    return conf_take(h, "configuration", kith_span_text(o->config), e);
}

static int places_of(struct kith_hosted *h, const struct kith_open_options *o, struct kith_error *e)
{
    if (o->state_dir == NULL || o->state_dir[0] == '\0')
        return kith_error_set(e, KITH_E_INVAL, "a node needs a state directory");
    if (kith_place_absolute(o->state_dir, h->state_dir, sizeof h->state_dir) < 0 ||
        strlen(h->state_dir) + sizeof "/control.sock" > sizeof h->socket_path)
        return kith_error_set(e, KITH_E_LIMIT, "the state directory's path is too long");
    (void)kith_format(h->socket_path, sizeof h->socket_path, "%s/control.sock", h->state_dir);
    return KITH_OK;
}

/* ---- its life ---- */

static struct kith_hosted *hosted_new(void)
{
    struct kith_hosted *h = kith_new_zero(&kith_heap, sizeof *h);

    if (h == NULL)
        return NULL;
    (void)pthread_mutex_init(&h->lock, NULL); /* neither allocates */
    (void)pthread_cond_init(&h->changed, NULL);
    return h;
}

static void hosted_drop(struct kith_hosted *h)
{
    (void)pthread_cond_destroy(&h->changed);
    (void)pthread_mutex_destroy(&h->lock);
    kith_free(&kith_heap, h);
}

/* From here on the node's thread exists, or both ends of its line are closed. */
static int launch(struct kith_hosted *h, bool control_socket, struct kith_error *e)
{
    int pair[2], err = kith_owner_pair(pair);

    if (err < 0)
        return kith_error_set(e, err, "cannot make a socket pair: %s", kith_err_text(err));
    h->owner = pair[0];
    h->options = (struct kith_daemon_options){
        .state_dir = h->state_dir,
        .socket_path = control_socket ? h->socket_path : NULL,
        .ready = on_ready,
        .ctx = h,
        .embedded = true,
        .owner = pair[1],
    };
    err = thread_start(h);
    if (err == KITH_OK)
        return KITH_OK;
    (void)close(pair[0]);
    (void)close(pair[1]);
    return kith_error_set(e, err, "cannot start a thread");
}

static void land(struct kith_hosted *h)
{
    (void)close(h->owner);
    (void)pthread_join(h->thread, NULL);
}

int kith_hosted_new(const struct kith_open_options *options, struct kith_hosted **ret,
                    struct kith_error *ret_error)
{
    struct kith_hosted *h = hosted_new();
    int err;

    if (h == NULL)
        return kith_error_set(ret_error, KITH_E_NOMEM, "out of memory");
    err = places_of(h, options, ret_error);
    if (err == KITH_OK)
        err = conf_of(h, options, ret_error);
    for (size_t i = 0; options->any_port && i < h->conf.net.listen.n; i++)
        h->conf.net.listen.addr[i].port = 0;
    if (err == KITH_OK)
        err = launch(h, options->control_socket, ret_error);
    if (err == KITH_OK && !wait_ready(h)) {
        land(h);
        err = kith_error_from_ctl(ret_error, &h->error);
    }
    if (err < 0) {
        hosted_drop(h);
        return err;
    }
    *ret = h;
    return KITH_OK;
}

int kith_hosted_dial(const struct kith_hosted *h, int *ret_fd)
{
    return kith_owner_dial(h->owner, ret_fd);
}

void kith_hosted_free(struct kith_hosted *h)
{
    if (h == NULL)
        return;
    land(h);
    hosted_drop(h);
}
