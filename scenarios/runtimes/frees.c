/* Allocates, frees and allocates again as it is told on stdin, whatever its malloc is.
 * Orders, one a line: `fill MIB SIZE`, `free KEEP` (keep one of KEEP, 0 keeps none), `trim`,
 * `threads N MIB SIZE KEEP`. Each is answered with `done` when the kernel has done its part. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **objects;
static size_t count, size;

static void fill(size_t mib, size_t bytes) {
    size = bytes;
    count = (mib << 20) / bytes;
    objects = malloc(count * sizeof *objects);
    for (size_t i = 0; i < count; i++)
        memset(objects[i] = malloc(size), 1, size);
}

static void drop(size_t keep) {
    for (size_t i = 0; i < count; i++)
        if (keep == 0 || i % keep != keep - 1)
            free(objects[i]);
    free(objects);
    objects = NULL;
    count = 0;
}

struct job { size_t mib, size, keep; };

static void *burst(void *argument) {
    struct job *job = argument;
    size_t n = (job->mib << 20) / job->size;
    char **own = malloc(n * sizeof *own);
    for (size_t i = 0; i < n; i++)
        memset(own[i] = malloc(job->size), 1, job->size);
    for (size_t i = 0; i < n; i++)
        if (job->keep == 0 || i % job->keep != job->keep - 1)
            free(own[i]);
    free(own);
    return NULL;
}

/* One thread after the other, all alive until the last has worked: each gets an arena of its own. */
static pthread_barrier_t all;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *in_turn(void *argument) {
    pthread_mutex_lock(&turn);
    burst(argument);
    pthread_mutex_unlock(&turn);
    pthread_barrier_wait(&all);
    return NULL;
}

extern int malloc_trim(size_t) __attribute__((weak));

int main(void) {
    /* Not from malloc: one buffer above the objects would pin the heap. */
    static char in[BUFSIZ], out[BUFSIZ];
    setvbuf(stdin, in, _IOFBF, sizeof in);
    setvbuf(stdout, out, _IOFBF, sizeof out);
    char line[200], word[20];
    while (fgets(line, sizeof line, stdin)) {
        size_t a = 0, b = 0, c = 0, d = 0;
        if (sscanf(line, "%19s %zu %zu %zu %zu", word, &a, &b, &c, &d) < 1)
            continue;
        if (!strcmp(word, "fill"))
            fill(a, b);
        else if (!strcmp(word, "free"))
            drop(a);
        else if (!strcmp(word, "trim") && malloc_trim)
            malloc_trim(0);
        else if (!strcmp(word, "threads") && a > 0 && a < 64) {
            pthread_t threads[64];
            struct job job = {b, c, d};
            pthread_barrier_init(&all, NULL, (unsigned)a);
            for (size_t i = 0; i < a; i++)
                pthread_create(&threads[i], NULL, in_turn, &job);
            for (size_t i = 0; i < a; i++)
                pthread_join(threads[i], NULL);
        }
        puts("done");
        fflush(stdout);
    }
    return 0;
}
