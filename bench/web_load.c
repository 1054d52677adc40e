/*
 * Sends GET requests over connections kept alive, one under way on each, without pipelining; the same for every server.
 * Written in C so that the generator is never what is measured.
 *
 *   web_load PORT CONNECTIONS SECONDS REQUESTS SKIP RATE STATUS
 *
 * REQUESTS: a text file, a line each: path, tab, User-Agent. The first request is that of line SKIP, counted from 0;
 * after the last line comes the first. STATUS is what an answer must have.
 *
 * RATE 0: every connection sends its next request as soon as the last one is answered. RATE n: request i is due i/n
 * seconds after the start, whatever was answered meanwhile, and its latency counts from when it was due, not from
 * when a connection was free for it: a server that stands still is charged with all who waited ("coordinated
 * omission"). "lag" is how late the generator itself was: from when a request was due and had a connection to its sending.
 *
 * At the end every request under way is waited for, so that "answers" is exact. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 16384, HEADS = 8192, DRAIN_S = 10 };

/* What a browser sends with an image or a link of a mail it shows. */
static const char HEAD[] =
    " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: ja,en-US;q=0.9,en;q=0.8\r\nUser-Agent: ";

struct line { const char *path, *agent; uint32_t path_size, agent_size; };
struct sample { uint32_t *values; size_t count, room; };
struct connection {
    int fd, is_busy;
    double due, free_since;
    size_t size, wanted; /* octets of the answer so far; of the whole, once its head is there */
    char answer[ROOM];
};

static struct line *lines;
static size_t line_count, next_line;
static struct connection *connections, **idle; /* idle is a ring, so that every connection has its turn */
static size_t connection_count, idle_first, idle_count;
static struct sample latencies, lags;
static size_t bad_status, lost, busy, open_count;
static int epoll_fd, expected;
static double start, deadline, rate, last_answer;
static uint64_t sent;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) {
    fprintf(stderr, "web_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void note(struct sample *s, double seconds) {
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 1 << 16;
        s->values = realloc(s->values, s->room * sizeof *s->values);
        if (s->values == NULL) die("realloc");
    }
    s->values[s->count++] = seconds > 0 ? (uint32_t)(seconds * 1e6) : 0;
}

static void load_lines(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0) die(path);
    const char *at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) die("mmap");
    const char *end = at + info.st_size;
    size_t room = 0;
    while (at < end) {
        const char *tab = memchr(at, '\t', (size_t)(end - at));
        const char *newline = tab ? memchr(tab, '\n', (size_t)(end - tab)) : NULL;
        if (newline == NULL || newline - at > HEADS - 1024) { fprintf(stderr, "web_load: a bad line\n"); exit(1); }
        if (line_count == room) lines = realloc(lines, (room = room ? room * 2 : 4096) * sizeof *lines);
        if (lines == NULL) die("realloc");
        lines[line_count++] =
            (struct line){at, tab + 1, (uint32_t)(tab - at), (uint32_t)(newline - tab - 1)};
        at = newline + 1;
    }
    if (line_count == 0) { fprintf(stderr, "web_load: no requests\n"); exit(1); }
}

static void open_connection(struct connection *c, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
    open_count++;
}

static void set_idle(struct connection *c) { idle[(idle_first + idle_count++) % connection_count] = c; }

static struct connection *take_idle(void) {
    struct connection *c = idle[idle_first];
    idle_first = (idle_first + 1) % connection_count;
    idle_count--;
    return c;
}

static void lose(struct connection *c) {
    if (c->is_busy) lost++, busy--;
    c->is_busy = 0;
    close(c->fd);
    c->fd = -1;
    open_count--;
}

static void send_request(struct connection *c, double due) {
    char request[HEADS];
    const struct line *line = &lines[next_line];
    next_line = next_line + 1 == line_count ? 0 : next_line + 1;
    char *at = request;
    at = mempcpy(at, "GET ", 4);
    at = mempcpy(at, line->path, line->path_size);
    at = mempcpy(at, HEAD, sizeof HEAD - 1);
    at = mempcpy(at, line->agent, line->agent_size);
    at = mempcpy(at, "\r\n\r\n", 4);
    c->due = due;
    c->size = c->wanted = 0;
    c->is_busy = 1;
    busy++;
    sent++;
    /* One small request at a time always fits into the socket's buffer. */
    if (send(c->fd, request, (size_t)(at - request), MSG_NOSIGNAL) != at - request) lose(c);
}

/* Return the octets of the whole answer once its head is there, 0 before. */
static size_t measure(struct connection *c) {
    const char *end = memmem(c->answer, c->size, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    size_t head = (size_t)(end - c->answer) + 4;
    int status = c->size > 12 ? atoi(c->answer + 9) : 0;
    if (status != expected) bad_status++;
    if (status == 204 || status == 304) return head;
    for (const char *line = c->answer; line < end;) {
        if (strncasecmp(line, "content-length:", 15) == 0) return head + (size_t)strtoul(line + 15, NULL, 10);
        line = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1;
    }
    fprintf(stderr, "web_load: an answer without Content-Length\n");
    exit(1);
}

static void read_answer(struct connection *c) {
    ssize_t got = recv(c->fd, c->answer + c->size, ROOM - 1 - c->size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || !c->is_busy) { lose(c); return; }
    c->size += (size_t)got;
    c->answer[c->size] = 0;
    if (c->wanted == 0) c->wanted = measure(c);
    if (c->wanted == 0 && c->size < ROOM - 1) return;
    if (c->wanted > ROOM - 1 || c->wanted == 0) { fprintf(stderr, "web_load: an answer is too large\n"); exit(1); }
    if (c->size < c->wanted) return;
    last_answer = now();
    note(&latencies, last_answer - c->due);
    c->is_busy = 0;
    busy--;
    c->free_since = last_answer;
    if (rate > 0) set_idle(c);
    else if (last_answer < deadline) send_request(c, last_answer);
}

/* Send what is due; returns when the next request is. Those that find no connection free wait, and are charged. */
static double send_due(void) {
    for (;;) {
        double due = start + (double)sent / rate, at = now();
        if (due >= deadline || due > at || idle_count == 0) return due;
        struct connection *c = take_idle();
        if (c->fd < 0) continue;
        note(&lags, at - (due > c->free_since ? due : c->free_since));
        send_request(c, due);
    }
}

static void wake_at(int timer, double when) {
    struct itimerspec spec = {.it_value = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0) die("timerfd_settime");
}

static int compare_values(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

static double quantile_ms(const struct sample *s, double part) {
    return s->count ? s->values[(size_t)((double)(s->count - 1) * part)] / 1e3 : 0;
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void run(void) {
    struct epoll_event events[256];
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (timer < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &event) < 0) die("timerfd");
    start = last_answer = now();
    deadline += start;
    for (size_t i = 0; i < connection_count; i++) {
        if (rate > 0) set_idle(&connections[i]);
        else send_request(&connections[i], now());
    }
    for (;;) {
        if (rate > 0) {
            double due = send_due();
            if (due < deadline && idle_count > 0) wake_at(timer, due);
            else if (due >= deadline && busy == 0) return;
        } else if (busy == 0) {
            return;
        }
        if (open_count == 0) return;
        int ready = epoll_wait(epoll_fd, events, 256, 1000);
        for (int i = 0; i < ready; i++) {
            uint64_t expirations;
            if (events[i].data.ptr != NULL) read_answer(events[i].data.ptr);
            else if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) die("timer");
        }
        if (now() > deadline + DRAIN_S) { lost += busy; return; }
    }
}

int main(int argc, char **argv) {
    if (argc != 8) { fprintf(stderr, "usage: see the head of web_load.c\n"); return 2; }
    connection_count = (size_t)atoi(argv[2]);
    deadline = atof(argv[3]);
    load_lines(argv[4]);
    next_line = (size_t)atol(argv[5]) % line_count;
    rate = atof(argv[6]);
    expected = atoi(argv[7]);
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    connections = calloc(connection_count, sizeof *connections);
    idle = calloc(connection_count, sizeof *idle);
    epoll_fd = epoll_create1(0);
    if (connections == NULL || idle == NULL || epoll_fd < 0) die("start");
    for (size_t i = 0; i < connection_count; i++) open_connection(&connections[i], atoi(argv[1]));
    double cpu = cpu_seconds();
    run();
    cpu = cpu_seconds() - cpu;
    qsort(latencies.values, latencies.count, sizeof *latencies.values, compare_values);
    qsort(lags.values, lags.count, sizeof *lags.values, compare_values);
    printf("{\"answers\": %zu, \"bad_status\": %zu, \"lost\": %zu, \"seconds\": %.6f, \"cpu_s\": %.4f, \"p50_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, \"lag_p99_ms\": %.3f}\n",
           latencies.count, bad_status, lost, last_answer - start, cpu, quantile_ms(&latencies, 0.5),
           quantile_ms(&latencies, 0.99), quantile_ms(&latencies, 0.999), quantile_ms(&latencies, 1),
           quantile_ms(&lags, 0.99));
    return 0;
}
