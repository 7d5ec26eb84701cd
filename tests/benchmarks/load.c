/* The other end of the real-time benchmarks: many cheap WebSocket sessions, and the publisher.

Built by load.py, which also describes the orders (one a line on standard input, one JSON object a
line back) and the files they name. It knows no protocol: what a session says to enter, and what a
publication looks like to a server, are given as bytes. Deliveries are found by the mark '~' of

    {"t":<16 digits: when>,"n":<10 digits: number in its channel>,"k":<kind>,"m":"~",...}

wherever it stands in a frame, which counts alike for every server. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { IDLE, CONNECTING, OPENING, LIVE, DEAD };
enum { T_BACK = 43, N_BACK = 22, K_BACK = 7, TAIL = 48, KINDS = 2 };
enum { SAMPLED = 20, MOST_CHANNELS = 65536, SAMPLES = 1 << 22, EVENTS = 1024 };
#define BASE 1000000000ull /* a channel's number before the first publication */
#define LIKE_SDKS_US 500000 /* the first pause before a reconnect is up to this */
#define PATIENCE_US 5000000 /* SDKs give up a command without an answer */

typedef struct { const char *send, *wait; size_t send_size, wait_size; } Step;
typedef struct { int channel, person, count; Step *steps; } Script;
typedef struct {
    int fd, state, step, tries;
    Script *script;
    char *heard; /* while opening: all that came since the step began */
    size_t heard_size;
    uint64_t left, last[KINDS], due;
    unsigned char head[10], head_size, opcode, short_size;
    char in_head, sampled, in_frame, again, shorts[125], tail[TAIL];
} Session;
typedef struct { char *bytes; size_t size; int count, at[64], kind[64]; } Template;

static Session *sessions;
static int total, live, resumed, dropped, epoll, checking, resuming;
static uint64_t received, received_at, lost, twice, unrecovered, retries;
static uint64_t numbers[KINDS][MOST_CHANNELS];
static uint32_t *samples, sampled;
static Template templates[KINDS];
static char ping[32], pong[64], incoming[1 << 18], *outgoing;
static size_t ping_size, pong_size, out_size, out_sent;
static int publisher = -1, port;

static void die(const char *why) { perror(why); exit(1); }

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1000000000000000ull + (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void digits(char *to, uint64_t value, int width) {
    while (width--) { to[width] = (char)('0' + value % 10); value /= 10; }
}

static uint64_t number(const char *from, int width) {
    uint64_t value = 0;
    while (width--) value = value * 10 + (uint64_t)(*from++ - '0');
    return value;
}

static char *whole_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    if (fread(bytes, 1, *size, file) != *size) die(path);
    bytes[*size] = 0;
    fclose(file);
    return bytes;
}

/* Scripts: "<channel> <person> <steps>\n", then for each "<send> <wait>\n" sizes and the bytes. */
static Script *read_scripts(const char *path, int *count) {
    size_t size;
    char *at = whole_file(path, &size), *end = at + size;
    Script *scripts = NULL;
    for (*count = 0; at < end; ++*count) {
        if ((*count & (*count - 1)) == 0) /* grown at each power of two */
            scripts = realloc(scripts, sizeof *scripts * (size_t)(*count ? *count * 2 : 1));
        Script *script = &scripts[*count];
        script->channel = (int)strtol(at, &at, 10);
        script->person = (int)strtol(at, &at, 10);
        script->count = (int)strtol(at, &at, 10);
        script->steps = calloc((size_t)script->count, sizeof(Step));
        ++at;
        for (int i = 0; i < script->count; ++i) {
            Step *step = &script->steps[i];
            step->send_size = strtoul(at, &at, 10);
            step->wait_size = strtoul(at, &at, 10);
            step->send = ++at;
            step->wait = at += step->send_size;
            at += step->wait_size;
        }
    }
    return scripts;
}

/* Sessions */

static void drop(Session *s, const char *why) {
    if (s->state == LIVE) --live;
    resumed -= s->again;
    s->again = 0;
    if (s->fd >= 0) close(s->fd);
    free(s->heard);
    s->heard = NULL;
    s->fd = -1;
    if (resuming && port) {
        if (s->state != LIVE) ++retries;
        uint64_t most = (uint64_t)LIKE_SDKS_US << (s->tries < 5 ? s->tries : 5);
        s->due = now_us() + (uint64_t)random() % most;
        s->tries += 1;
        s->state = IDLE;
        s->step = 0;
    } else {
        s->state = DEAD;
        if (++dropped == 1) fprintf(stderr, "a session ended: %s\n", why);
    }
}

static void say(Session *s, const void *bytes, size_t size) {
    if (send(s->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) drop(s, "it could not be written to");
}

static void say_step(Session *s) {
    Step *step = &s->script->steps[s->step];
    s->heard_size = 0;
    s->due = now_us() + PATIENCE_US;
    if (!resuming) { say(s, step->send, step->send_size); return; }
    char *bytes = malloc(step->send_size), *at; /* where it stands, in place of ones and twos */
    memcpy(bytes, step->send, step->send_size);
    if ((at = memmem(bytes, step->send_size, "2222222222", 10))) digits(at, s->last[0], 10);
    if ((at = memmem(bytes, step->send_size, "1111111111", 10))) digits(at, s->last[1], 10);
    say(s, bytes, step->send_size);
    free(bytes);
}

static void start(Session *s) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->fd < 0) die("socket");
    int on = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->state = CONNECTING;
    s->step = 0;
    s->in_head = 1;
    s->left = s->head_size = s->short_size = s->in_frame = 0;
    s->due = now_us() + PATIENCE_US;
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
        drop(s, "refused");
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT | EPOLLIN, .data.ptr = s};
    epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
}

static void look(Session *s, const char *bytes, const char *mark) {
    char joined[TAIL * 2];
    if (mark - bytes < T_BACK) { /* the publication began in an earlier read */
        memcpy(joined, s->tail, TAIL);
        memcpy(joined + TAIL, bytes, (size_t)(mark - bytes));
        mark = joined + TAIL + (mark - bytes);
    }
    uint64_t age = received_at - number(mark - T_BACK, 16);
    if (s->sampled && sampled < SAMPLES) samples[sampled++] = (uint32_t)age;
    if (!checking) return;
    uint64_t n = number(mark - N_BACK, 10), *last = &s->last[mark[-K_BACK] == '1'];
    if (n <= *last) { ++twice; return; }
    lost += n - *last - 1;
    *last = n;
}

static void count(Session *s, const char *bytes, size_t size) {
    const char *end = bytes + size, *mark = bytes;
    int looks = s->sampled || checking;
    while ((mark = memchr(mark, '~', (size_t)(end - mark)))) {
        ++received;
        if (looks) look(s, bytes, mark);
        ++mark;
    }
    if (!looks) return;
    size_t keep = size < TAIL ? size : TAIL;
    memmove(s->tail, s->tail + keep, TAIL - keep);
    memcpy(s->tail + TAIL - keep, end - keep, keep);
}

static void end_frame(Session *s) {
    s->in_frame = 0;
    if (s->opcode == 8) {
        char why[160] = "closed without a code";
        if (s->short_size >= 2)
            snprintf(why, sizeof why, "closed with %d %.*s",
                     (unsigned char)s->shorts[0] << 8 | (unsigned char)s->shorts[1],
                     s->short_size - 2, s->shorts + 2);
        drop(s, why);
    } else if (ping_size && s->short_size == ping_size && !memcmp(s->shorts, ping, ping_size)) {
        say(s, pong, pong_size);
    }
}

static void frames(Session *s, const char *at, size_t size) {
    const char *end = at + size;
    while (at < end && s->fd >= 0) {
        if (!s->in_frame) {
            s->head[s->head_size++] = (unsigned char)*at++;
            int coded = s->head[1] & 127, want = s->head_size < 2 ? 2 : coded < 126 ? 2 : coded == 126 ? 4 : 10;
            if (s->head_size < want) continue;
            s->left = want == 2 ? (uint64_t)coded : 0;
            for (int i = 2; i < want; ++i) s->left = s->left << 8 | s->head[i];
            s->opcode = s->head[0] & 15;
            s->head_size = s->short_size = 0;
            s->in_frame = want == 2 ? 1 : 2;
        } else {
            size_t part = (size_t)(end - at) < s->left ? (size_t)(end - at) : s->left;
            if (s->in_frame == 1) {
                memcpy(s->shorts + s->short_size, at, part);
                s->short_size = (unsigned char)(s->short_size + part);
            }
            count(s, at, part);
            at += part;
            s->left -= part;
        }
        if (s->in_frame && !s->left) end_frame(s);
    }
}

static void opening(Session *s, size_t size) {
    s->heard = realloc(s->heard, s->heard_size + size);
    memcpy(s->heard + s->heard_size, incoming, size);
    s->heard_size += size;
    const char *bytes = incoming, *body;
    if (s->in_head) {
        if (!(body = memmem(s->heard, s->heard_size, "\r\n\r\n", 4))) return;
        if (memcmp(s->heard, "HTTP/1.1 101", 12)) { drop(s, "the handshake was refused"); return; }
        s->in_head = 0;
        size = s->heard_size - (size_t)(body + 4 - s->heard);
        bytes = body + 4;
    }
    frames(s, bytes, size);
    Step *step = &s->script->steps[s->step];
    if (s->fd >= 0 && memmem(s->heard, s->heard_size, "\"error\":", 8)) { drop(s, "an error was answered"); return; }
    if (s->fd < 0 || !memmem(s->heard, s->heard_size, step->wait, step->wait_size)) return;
    if (resuming)
        for (const char *at = s->heard, *end = at + s->heard_size;
             (at = memmem(at, (size_t)(end - at), "\"was_recovering\":true", 21)); at += 21)
            ++unrecovered;
    if (resuming)
        for (const char *at = s->heard, *end = at + s->heard_size;
             (at = memmem(at, (size_t)(end - at), "\"recovered\":true", 16)); at += 16)
            --unrecovered;
    if (++s->step < s->script->count) { say_step(s); return; }
    free(s->heard);
    s->heard = NULL;
    s->state = LIVE;
    ++live;
    s->again = (char)resuming;
    resumed += s->again;
}

static void happened(Session *s, uint32_t events) {
    if (s->fd < 0) return;
    if (s->state == CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP)) { drop(s, "refused"); return; }
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
        epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &event);
        s->state = OPENING;
        say_step(s);
        return;
    }
    ssize_t size = recv(s->fd, incoming, sizeof incoming, 0);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN) drop(s, "the connection was cut");
        return;
    }
    received_at = now_us();
    if (s->state == OPENING) opening(s, (size_t)size);
    else frames(s, incoming, (size_t)size);
}

/* The publisher */

static void flush(void) {
    while (out_sent < out_size) {
        ssize_t sent = send(publisher, outgoing + out_sent, out_size - out_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) die("publishing");
        out_sent += (size_t)sent;
    }
    out_sent = out_size = 0;
}

static void publish(int kind, int channel) {
    Template *t = &templates[kind];
    outgoing = realloc(outgoing, out_size + t->size);
    char *to = outgoing + out_size;
    memcpy(to, t->bytes, t->size);
    uint64_t n = ++numbers[kind][channel], when = now_us();
    for (int i = 0; i < t->count; ++i) {
        if (t->kind[i] == 0) digits(to + t->at[i], (uint64_t)channel, 6);
        else if (t->kind[i] == 1) digits(to + t->at[i], BASE + n, 10);
        else digits(to + t->at[i], when, 16);
    }
    out_size += t->size;
}

static void turn(long wait_us) {
    struct epoll_event events[EVENTS];
    struct timespec wait = {.tv_nsec = wait_us > 0 ? wait_us * 1000 : 0};
    int count = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < count; ++i) {
        if (events[i].data.ptr) happened(events[i].data.ptr, events[i].events);
        else {
            ssize_t size = recv(publisher, incoming, sizeof incoming, 0);
            if (size == 0) die("the publisher was cut off");
            /* A publisher over WebSocket is pinged like any other session. */
            char asked[40] = {(char)0x81, (char)ping_size};
            memcpy(asked + 2, ping, ping_size);
            if (size > 0 && ping_size && memmem(incoming, (size_t)size, asked, ping_size + 2) && !out_size)
                send(publisher, pong, pong_size, MSG_NOSIGNAL);
        }
    }
    flush();
}

static void open_publisher(const char *address, const char *path) {
    int count;
    Script *script = read_scripts(path, &count);
    if (*address == '/') {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        snprintf(to.sun_path, sizeof to.sun_path, "%.107s", address);
        publisher = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(publisher, (struct sockaddr *)&to, sizeof to)) die(address);
    } else {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(address))};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        publisher = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(publisher, (struct sockaddr *)&to, sizeof to)) die(address);
        int on = 1;
        setsockopt(publisher, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    for (int i = 0; count && i < script->count; ++i) {
        Step *step = &script->steps[i];
        if (send(publisher, step->send, step->send_size, 0) < 0) die("publisher");
        for (size_t have = 0; step->wait_size && !memmem(incoming, have, step->wait, step->wait_size);) {
            ssize_t size = recv(publisher, incoming + have, sizeof incoming - have, 0);
            if (size <= 0) die("publisher");
            have += (size_t)size;
        }
    }
    fcntl(publisher, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, publisher, &event);
}

static void read_template(int kind, const char *path) {
    static const char *const holes[] = {"777777", "1111111111", "5555555555555555"};
    Template *t = &templates[kind];
    t->bytes = whole_file(path, &t->size);
    for (int hole = 0; hole < 3; ++hole)
        for (char *at = t->bytes, *end = at + t->size;
             (at = memmem(at, (size_t)(end - at), holes[hole], strlen(holes[hole])));
             at += strlen(holes[hole])) {
            t->at[t->count] = (int)(at - t->bytes);
            t->kind[t->count++] = hole;
        }
}

/* Orders */

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void open_all(const char *path, int at_once) {
    Script *scripts = read_scripts(path, &total);
    uint64_t began = now_us();
    sessions = calloc((size_t)total, sizeof *sessions);
    for (int i = live = dropped = 0; live + dropped < total && now_us() < began + 120000000; turn(1000))
        for (; i < total && i - live - dropped < at_once; ++i) {
            sessions[i].script = &scripts[i];
            sessions[i].sampled = i % SAMPLED == 0;
            for (int kind = 0; kind < KINDS; ++kind) sessions[i].last[kind] = BASE;
            start(&sessions[i]);
        }
    printf("{\"opened\": %d, \"seconds\": %.3f}\n", live, (double)(now_us() - began) / 1e6);
}

static void close_all(void) {
    for (int i = 0; i < total; ++i)
        if (sessions[i].fd >= 0) close(sessions[i].fd);
    free(sessions);
    sessions = NULL;
    total = live = 0;
    puts("{}");
}

/* Waits for what was published; gives up when nothing has come for two seconds. */
static void settle(uint64_t expected) {
    uint64_t seen = received, since = now_us();
    while (received < expected && now_us() < since + 2000000) {
        turn(1000);
        if (received != seen) { seen = received; since = now_us(); }
    }
}

static void measured(uint64_t before, uint64_t published, uint64_t members, uint64_t began) {
    settle(before + published * members);
    qsort(samples, sampled, sizeof *samples, by_size);
    double seconds = (double)(received_at - began) / 1e6;
    printf("{\"deliveries\": %lu, \"expected\": %lu, \"seconds\": %.4f, \"dropped\": %d, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
           received - before, published * members, seconds, dropped,
           sampled ? samples[sampled / 2] / 1e3 : -1., sampled ? samples[sampled * 99ull / 100] / 1e3 : -1.);
}

static void steady(int first, int channels, double per_s, double seconds) {
    uint64_t before = received, began = now_us(), published = 0, all = (uint64_t)(per_s * seconds);
    sampled = 0;
    while (published < all) {
        uint64_t now = now_us(), due = began + (uint64_t)((double)published / per_s * 1e6);
        for (; published < all && due <= now; due = began + (uint64_t)((double)published / per_s * 1e6))
            publish(0, first + (int)(published++ % (uint64_t)channels));
        flush();
        turn(published < all ? (long)(due - now) < 100000 ? (long)(due - now) : 100000 : 0);
    }
    measured(before, published, (uint64_t)(live / channels), began);
}

static void saturate(int first, int channels, double seconds, int burst, uint64_t in_flight) {
    uint64_t before = received, began = now_us(), published = 0, members = (uint64_t)(live / channels);
    sampled = 0;
    while (now_us() < began + (uint64_t)(seconds * 1e6)) {
        int room = published - (received - before) / members < in_flight && !out_size;
        for (int i = 0; room && i < burst; ++i)
            publish(0, first + (int)(published++ % (uint64_t)channels));
        flush();
        turn(room ? 0 : 1000);
    }
    while (out_size) turn(1000);
    measured(before, published, members, began);
}

/* All sessions' node is killed while publications go on; they come back to another. */
static void storm(int channels, double per_s, double personal_per_s, double before_s, pid_t node,
                  int other_port, const char *path, double most_s) {
    int count;
    Script *scripts = read_scripts(path, &count);
    uint64_t began = now_us(), killed = 0, whole = 0, scanned = 0, groups = 0, persons = 0, half = 0;
    checking = 1;
    port = other_port;
    for (;;) {
        uint64_t now = now_us();
        double passed = (double)(now - began) / 1e6;
        while ((double)groups < passed * per_s) publish(0, (int)(groups++ % (uint64_t)channels));
        while ((double)persons < passed * personal_per_s) publish(1, (int)(persons++ % (uint64_t)total));
        flush();
        if (!killed && passed > before_s) {
            for (int i = 0; i < total; ++i) sessions[i].script = &scripts[i];
            resuming = 1;
            kill(node, SIGKILL);
            killed = now;
        }
        if (killed && now > scanned + 2000) {
            scanned = now;
            for (int i = 0; i < total; ++i) {
                Session *s = &sessions[i];
                if (s->state == IDLE && s->due <= now) start(s);
                else if ((s->state == OPENING || s->state == CONNECTING) && s->due <= now) drop(s, "late");
            }
        }
        turn(500);
        if (!half && resumed * 2 >= total) half = now_us();
        if (!whole && resumed == total) whole = now_us();
        if ((whole && now > whole + 1500000) || (killed && now > killed + (uint64_t)(most_s * 1e6))) break;
    }
    int behind = 0;
    for (uint64_t until = now_us() + 3000000; now_us() < until; turn(1000)) {
        behind = 0;
        for (int i = 0; i < total; ++i)
            behind += sessions[i].last[0] != BASE + numbers[0][sessions[i].script->channel] ||
                      sessions[i].last[1] != BASE + numbers[1][sessions[i].script->person];
        if (!behind) break;
    }
    for (int i = 0; i < total; ++i)
        lost += BASE + numbers[0][sessions[i].script->channel] - sessions[i].last[0] +
                BASE + numbers[1][sessions[i].script->person] - sessions[i].last[1];
    printf("{\"seconds\": %.3f, \"half_seconds\": %.3f, \"live\": %d, \"missed\": %lu, \"duplicates\": %lu, "
           "\"unrecovered\": %ld, \"retries\": %lu, \"published\": %lu, \"deliveries\": %lu}\n",
           whole ? (double)(whole - killed) / 1e6 : -1., half ? (double)(half - killed) / 1e6 : -1., resumed, lost,
           twice, (long)unrecovered, retries, groups + persons, received);
}

static size_t from_hex(char *to, const char *hex) {
    size_t size = 0;
    for (unsigned byte; sscanf(hex + size * 2, "%2x", &byte) == 1; ) to[size++] = (char)byte;
    return size;
}

int main(void) {
    char line[4096], what[16], a[2048], b[2048];
    int i, j, burst;
    double x, y, z, most;
    uint64_t bound;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(0);
    samples = malloc(sizeof *samples * SAMPLES);
    struct epoll_event quiet = {.events = EPOLLIN, .data.ptr = &quiet};
    int asked = epoll_create1(0); /* orders and sessions: sessions are served between orders too */
    epoll_ctl(asked, EPOLL_CTL_ADD, 0, &quiet);
    struct epoll_event inner = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(asked, EPOLL_CTL_ADD, epoll, &inner);
    setvbuf(stdin, NULL, _IONBF, 0);
    for (struct epoll_event event;;) {
        if (epoll_wait(asked, &event, 1, -1) != 1) continue;
        if (!event.data.ptr) { turn(0); continue; }
        if (!fgets(line, sizeof line, stdin)) return 0;
        if (sscanf(line, "%15s", what) != 1) continue;
        char *rest = line + strlen(what);
        if (!strcmp(what, "open") && sscanf(rest, "%d %2047s %d", &port, a, &i) == 3) open_all(a, i);
        else if (!strcmp(what, "close")) close_all();
        else if (!strcmp(what, "ping") && sscanf(rest, "%63s %127s", a, b) == 2) {
            ping_size = from_hex(ping, a);
            pong_size = from_hex(pong, b);
            puts("{}");
        } else if (!strcmp(what, "publisher") && sscanf(rest, "%2047s %2047s", a, b) == 2) {
            open_publisher(a, b);
            puts("{}");
        } else if (!strcmp(what, "template") && sscanf(rest, "%d %2047s", &i, a) == 2) {
            read_template(i, a);
            puts("{}");
        } else if (!strcmp(what, "steady") && sscanf(rest, "%d %d %lf %lf", &i, &j, &x, &y) == 4)
            steady(i, j, x, y);
        else if (!strcmp(what, "saturate") &&
                 sscanf(rest, "%d %d %lf %d %lu", &i, &j, &x, &burst, &bound) == 5)
            saturate(i, j, x, burst, bound);
        else if (!strcmp(what, "storm") &&
                 sscanf(rest, "%d %lf %lf %lf %d %d %2047s %lf", &i, &x, &y, &z, &burst, &j, a, &most) == 8)
            storm(i, x, y, z, burst, j, a, most);
        else fprintf(stderr, "not understood: %s", line);
        fflush(stdout);
    }
}
