/*
 * Delivers prepared mails over SMTP sessions kept open, one after another in each, without pipelining.
 * Written in C so that the generator is never what is measured; the same for every server.
 *
 *   smtp_load PORT SESSIONS SECONDS MAILS WRAP PER_SESSION
 *
 * MAILS: uint32 count, then for each mail uint32 recipient length, uint32 body length, recipient, body; the body is
 * dot-stuffed and ends with CRLF.CRLF. WRAP 1 starts over after the last mail, 0 ends there. A session says QUIT
 * and opens anew after PER_SESSION mails. At the end every mail begun is finished, so that "accepted" is exact.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum step { GREETING, EHLO, MAIL, RCPT, DATA, BODY, QUIT, OVER };

struct mail { const char *recipient, *body; uint32_t recipient_size, body_size; };

struct session {
    int fd;
    enum step step;
    unsigned done, size;
    const struct mail *mail;
    double begun;
    char reply[4096];
};

static const char *const EXPECTED[] = {"220", "250", "250", "250", "354", "250", "221"};

static struct mail *mails;
static uint32_t mail_count, next_mail;
static int port, wraps, epoll_fd, open_sessions;
static unsigned per_session;
static double deadline, last_accepted;
static uint32_t *latencies;
static size_t accepted, latency_room, refused;
static char last_refusal[200];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) {
    fprintf(stderr, "smtp_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void load_mails(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0) die(path);
    const char *at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) die("mmap");
    memcpy(&mail_count, at, 4);
    at += 4;
    mails = calloc(mail_count, sizeof *mails);
    for (uint32_t i = 0; i < mail_count; i++) {
        memcpy(&mails[i].recipient_size, at, 4);
        memcpy(&mails[i].body_size, at + 4, 4);
        mails[i].recipient = at + 8;
        mails[i].body = mails[i].recipient + mails[i].recipient_size;
        at = mails[i].body + mails[i].body_size;
    }
}

static void send_all(struct session *s, const char *data, size_t size) {
    while (size > 0) {
        ssize_t sent = send(s->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd wait = {s->fd, POLLOUT, 0};
            poll(&wait, 1, 1000);
        } else if (sent < 0) {
            return; /* the read that follows sees the end */
        } else {
            data += sent;
            size -= (size_t)sent;
        }
    }
}

static void say(struct session *s, const char *text, enum step step) {
    s->step = step;
    send_all(s, text, strlen(text));
}

static void open_session(struct session *s) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &event) < 0) die("epoll_ctl");
    s->step = GREETING;
    s->done = s->size = 0;
}

static void next(struct session *s) {
    int is_over = now() >= deadline || (!wraps && next_mail >= mail_count);
    if (is_over || s->done >= per_session) {
        say(s, "QUIT\r\n", QUIT);
        return;
    }
    s->mail = &mails[next_mail++ % mail_count];
    s->begun = now();
    say(s, "MAIL FROM:<>\r\n", MAIL);
}

static void close_session(struct session *s) {
    close(s->fd);
    if (now() >= deadline || (!wraps && next_mail >= mail_count)) {
        s->step = OVER;
        open_sessions--;
    } else {
        open_session(s);
    }
}

static void note_accepted(struct session *s) {
    last_accepted = now();
    if (accepted == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 1 << 16;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (latencies == NULL) die("realloc");
    }
    latencies[accepted++] = (uint32_t)((last_accepted - s->begun) * 1e6);
    s->done++;
}

static void go_on(struct session *s) {
    char line[600];
    switch (s->step) {
    case GREETING: say(s, "EHLO out.shop.example\r\n", EHLO); break;
    case EHLO: next(s); break;
    case MAIL:
        snprintf(line, sizeof line, "RCPT TO:<%.*s>\r\n", (int)s->mail->recipient_size, s->mail->recipient);
        say(s, line, RCPT);
        break;
    case RCPT: say(s, "DATA\r\n", DATA); break;
    case DATA:
        s->step = BODY;
        send_all(s, s->mail->body, s->mail->body_size);
        break;
    case BODY: note_accepted(s); next(s); break;
    default: close_session(s);
    }
}

static void read_reply(struct session *s) {
    ssize_t got = recv(s->fd, s->reply + s->size, sizeof s->reply - 1 - s->size, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        if (s->step != QUIT) refused++, snprintf(last_refusal, sizeof last_refusal, "connection lost");
        close_session(s);
        return;
    }
    s->size += (unsigned)got;
    s->reply[s->size] = 0;
    if (s->reply[s->size - 1] != '\n') return;
    char *line = s->reply; /* the last line decides whether the reply is whole (RFC 5321 4.2.1) */
    for (char *end = strchr(line, '\n'); end[1] != 0; end = strchr(line, '\n')) line = end + 1;
    if (strlen(line) > 3 && line[3] == '-') return;
    s->size = 0;
    if (strncmp(line, EXPECTED[s->step], 3) != 0) {
        line[strcspn(line, "\r\n\"\\")] = 0;
        snprintf(last_refusal, sizeof last_refusal, "%.190s", line);
        if (++refused > 1000) { fprintf(stderr, "smtp_load: refused: %s\n", last_refusal); exit(1); }
        close_session(s);
        return;
    }
    go_on(s);
}

static int compare_latencies(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    if (argc != 7) { fprintf(stderr, "usage: see the head of smtp_load.c\n"); return 2; }
    port = atoi(argv[1]);
    open_sessions = atoi(argv[2]);
    load_mails(argv[4]);
    wraps = atoi(argv[5]);
    per_session = (unsigned)atoi(argv[6]);
    struct session *sessions = calloc((size_t)open_sessions, sizeof *sessions);
    epoll_fd = epoll_create1(0);
    double cpu = cpu_seconds(), start = last_accepted = now();
    deadline = start + atof(argv[3]);
    for (int i = 0, count = open_sessions; i < count; i++) open_session(&sessions[i]);
    struct epoll_event events[64];
    while (open_sessions > 0) {
        int ready = epoll_wait(epoll_fd, events, 64, 1000);
        for (int i = 0; i < ready; i++) read_reply(events[i].data.ptr);
        if (now() > deadline + 60) { fprintf(stderr, "smtp_load: the server does not answer\n"); return 1; }
    }
    cpu = cpu_seconds() - cpu;
    qsort(latencies, accepted, sizeof *latencies, compare_latencies);
    double p99 = accepted ? latencies[accepted * 99 / 100] / 1e3 : 0;
    printf("{\"accepted\": %zu, \"refused\": %zu, \"refusal\": \"%s\", \"seconds\": %.6f, \"p99_ms\": %.3f, "
           "\"cpu_s\": %.4f}\n", accepted, refused, last_refusal, last_accepted - start, p99, cpu);
    return 0;
}
