/* Calls every function of the C interface, with right and with wrong arguments, and meets every status.
   C99 and C++17. Arguments: a model file, the stored frames, the highest CPU level that is expected ("-" for any). */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include <shufflenet.h>

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef TEST_PANIC
#ifdef __cplusplus
extern "C"
#endif
sn_status sn_test_panic(void);
#endif

enum { MAX_CLASSES = 1000, MAX_FEATURES = 1024 };

/* Every status that was met. */
static int met[32];
static pthread_mutex_t met_lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(int line, const char *what) {
    fprintf(stderr, "capi.c:%d: %s\n", line, what);
    exit(1);
}

static void expect_status(int line, const char *call, sn_status expected, sn_status found) {
    pthread_mutex_lock(&met_lock);
    met[(int)found & 31] = 1;
    pthread_mutex_unlock(&met_lock);
    if (found != expected) {
        fprintf(stderr, "capi.c:%d: %s is %d (%s), expected %d\n", line, call, (int)found,
                sn_last_error(), (int)expected);
        exit(1);
    }
    if (found != SN_OK && strlen(sn_last_error()) < 8) fail(line, "a failure has no text");
}

#define EXPECT(status, call) expect_status(__LINE__, #call, status, call)
#define OK(call) EXPECT(SN_OK, call)
#define TRUE(condition) do { if (!(condition)) fail(__LINE__, #condition); } while (0)

/* A struct of zeros with its size. */
#define INIT(variable) \
    do { \
        memset(&(variable), 0, sizeof(variable)); \
        (variable).struct_size = (uint32_t)sizeof(variable); \
    } while (0)

static void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    TRUE(memory != NULL);
    return memory;
}

/* ---- structs of other versions ---- */

/* `info` filled by a newer program: the tail that the library does not know must come back as zeros. */
#define NEWER(type, call) \
    do { \
        union { type known; unsigned char bytes[sizeof(type) + 16]; } newer; \
        memset(&newer, 0xee, sizeof newer); \
        newer.known.struct_size = (uint32_t)sizeof newer; \
        OK(call(&newer.known)); \
        TRUE(newer.known.struct_size == sizeof newer); \
        for (size_t i = sizeof(type); i < sizeof newer; i++) TRUE(newer.bytes[i] == 0); \
        newer.known.struct_size = (uint32_t)sizeof(type) - 1; \
        EXPECT(SN_STRUCT_SIZE, call(&newer.known)); \
        newer.known.struct_size = 0; \
        EXPECT(SN_STRUCT_SIZE, call(&newer.known)); \
        newer.known.struct_size = 0xffffffff; \
        EXPECT(SN_STRUCT_SIZE, call(&newer.known)); \
        EXPECT(SN_NULL, call(NULL)); \
        EXPECT(SN_MISALIGNED, call((type *)(void *)(newer.bytes + 1))); \
    } while (0)

/* ---- the library and the CPU ---- */

static char levels[64];

static void test_versions(const char *expected_level) {
    uint32_t abi = 0;
    OK(sn_abi_version(&abi));
    TRUE(abi == SN_ABI_VERSION);
    EXPECT(SN_NULL, sn_abi_version(NULL));
    const char *version = NULL;
    OK(sn_version(&version));
    TRUE(strchr(version, '.') != NULL);
    EXPECT(SN_NULL, sn_version(NULL));
    EXPECT(SN_MISALIGNED, sn_version((const char **)(void *)((char *)&version + 1)));

    sn_cpu_info cpu;
    INIT(cpu);
    OK(sn_cpu_get_info(&cpu));
    TRUE(strstr(cpu.levels, cpu.level) != NULL && strstr(cpu.levels, "reference") != NULL);
    TRUE(strlen(cpu.levels) < sizeof levels && cpu.features != NULL && strlen(cpu.core) >= 3);
    strcpy(levels, cpu.levels);
    if (strcmp(expected_level, "-") != 0 && strcmp(expected_level, cpu.level) != 0) {
        fprintf(stderr, "the highest level is %s, expected %s\n", cpu.level, expected_level);
        exit(1);
    }
    NEWER(sn_cpu_info, sn_cpu_get_info);
}

/* ---- networks ---- */

static unsigned char *file_bytes;
static size_t file_size;

static void read_model(const char *path) {
    FILE *file = fopen(path, "rb");
    TRUE(file != NULL);
    TRUE(fseek(file, 0, SEEK_END) == 0);
    file_size = (size_t)ftell(file);
    rewind(file);
    file_bytes = (unsigned char *)allocate(file_size);
    TRUE(fread(file_bytes, 1, file_size, file) == file_size);
    fclose(file);
}

static sn_network *shared;
static sn_network_info model;

static sn_status info_of_shared(sn_network_info *info) { return sn_network_get_info(shared, info); }

static void test_networks(const char *path) {
    sn_network *network = (sn_network *)(void *)&network;
    EXPECT(SN_NULL, sn_network_open(NULL, NULL, &network));
    TRUE(network == NULL);
    EXPECT(SN_NULL, sn_network_open(path, NULL, NULL));
    EXPECT(SN_MISALIGNED, sn_network_open(path, NULL, (sn_network **)(void *)((char *)&network + 1)));
    EXPECT(SN_IO, sn_network_open("/no/such/file", NULL, &network));
    TRUE(strstr(sn_last_error(), "/no/such/file") != NULL);
    EXPECT(SN_IO, sn_network_open("/dev/zero", NULL, &network));
    EXPECT(SN_MODEL, sn_network_open(__FILE__, NULL, &network));
    TRUE(network == NULL);

    sn_network_options options;
    INIT(options);
    options.cpu = "sse9";
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open(path, &options, &network));
    options.cpu = "\xff";
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open(path, &options, &network));
    options.cpu = strstr(levels, "neon") ? "avx2" : "neon";
    EXPECT(SN_UNSUPPORTED, sn_network_open(path, &options, &network));
    options.cpu = "reference,a99";
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open(path, &options, &network));
    options.cpu = NULL;
    options.reserved = 1;
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open(path, &options, &network));
    options.reserved = 0;
    options.struct_size--;
    EXPECT(SN_STRUCT_SIZE, sn_network_open(path, &options, &network));
    union { sn_network_options known; unsigned char bytes[sizeof(sn_network_options) + 8]; } newer;
    memset(&newer, 0, sizeof newer);
    newer.known.struct_size = (uint32_t)sizeof newer;
    OK(sn_network_open(path, &newer.known, &network));
    OK(sn_network_free(&network));
    newer.bytes[sizeof newer - 1] = 1;
    EXPECT(SN_STRUCT_SIZE, sn_network_open(path, &newer.known, &network));
    EXPECT(SN_MISALIGNED,
           sn_network_open(path, (sn_network_options *)(void *)(newer.bytes + 1), &network));

    OK(sn_network_open(path, NULL, &shared));
    OK(sn_network_retain(shared));
    EXPECT(SN_NULL, sn_network_retain(NULL));
    EXPECT(SN_MISALIGNED, sn_network_retain((sn_network *)(void *)(newer.bytes + 1)));
    network = shared;
    OK(sn_network_free(&network));
    TRUE(network == NULL);
    OK(sn_network_free(&network)); /* nothing is left to free */
    EXPECT(SN_NULL, sn_network_free(NULL));
    network = (sn_network *)(void *)(newer.bytes + 1);
    EXPECT(SN_MISALIGNED, sn_network_free(&network));

    INIT(model);
    OK(sn_network_get_info(shared, &model));
    TRUE(model.classes > 0 && model.classes <= MAX_CLASSES && model.features <= MAX_FEATURES);
    TRUE(model.crop > 0 && model.resize >= model.crop && model.std[0] > 0);
    TRUE(model.stage_units[1] == 8 && model.stage_channels[2] == 192);
    TRUE(strcmp(model.name, "x0.5") == 0 && model.provenance && model.has_labels == 1);
    EXPECT(SN_NULL, sn_network_get_info(NULL, &model));
    NEWER(sn_network_info, info_of_shared);

    const char *label = NULL;
    OK(sn_network_get_label(shared, 0, &label));
    TRUE(label && strlen(label) > 0);
    EXPECT(SN_INVALID_ARGUMENT, sn_network_get_label(shared, model.classes, &label));
    EXPECT(SN_NULL, sn_network_get_label(shared, 0, NULL));
    EXPECT(SN_NULL, sn_network_get_label(NULL, 0, &label));
}

static void test_memory_and_descriptors(void) {
    sn_network *network = NULL;
    EXPECT(SN_NULL, sn_network_open_memory(NULL, file_size, NULL, &network));
    EXPECT(SN_NULL, sn_network_open_memory(file_bytes, file_size, NULL, NULL));
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open_memory(file_bytes, SIZE_MAX, NULL, &network));
    size_t cuts[] = {0, 7, 8, 100, file_size / 2, file_size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        /* In memory of its own, so that reading on is noticed. */
        void *cut = allocate(cuts[i]);
        memcpy(cut, file_bytes, cuts[i]);
        EXPECT(SN_MODEL, sn_network_open_memory(cut, cuts[i], NULL, &network));
        TRUE(network == NULL);
        free(cut);
    }
    void *copy = allocate(file_size);
    memcpy(copy, file_bytes, file_size);
    OK(sn_network_open_memory(copy, file_size, NULL, &network));
    memset(copy, 0xff, file_size);
    free(copy);
    sn_network_info info;
    INIT(info);
    OK(sn_network_get_info(network, &info));
    TRUE(info.classes == model.classes);
    OK(sn_network_free(&network));

    char path[] = "capi-test-XXXXXX";
    int fd = mkstemp(path);
    TRUE(fd >= 0);
    unlink(path);
    TRUE(write(fd, "before", 6) == 6);
    TRUE(write(fd, file_bytes, file_size) == (ssize_t)file_size);
    TRUE(write(fd, "behind", 6) == 6);
    TRUE(lseek(fd, 3, SEEK_SET) == 3);
    OK(sn_network_open_fd(fd, 6, file_size, NULL, &network));
    TRUE(lseek(fd, 0, SEEK_CUR) == 3);
    OK(sn_network_free(&network));
    EXPECT(SN_MODEL, sn_network_open_fd(fd, 5, file_size, NULL, &network));
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open_fd(fd, 6, file_size + 7, NULL, &network));
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open_fd(fd, UINT64_MAX, 1, NULL, &network));
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open_fd(fd, 0, UINT64_MAX, NULL, &network));
    EXPECT(SN_MODEL, sn_network_open_fd(fd, 0, 0, NULL, &network));
    EXPECT(SN_INVALID_ARGUMENT, sn_network_open_fd(-1, 0, 1, NULL, &network));
    EXPECT(SN_IO, sn_network_open_fd(9999, 0, 1, NULL, &network));
    EXPECT(SN_NULL, sn_network_open_fd(fd, 6, file_size, NULL, NULL));
    int ends[2];
    TRUE(pipe(ends) == 0);
    EXPECT(SN_IO, sn_network_open_fd(ends[0], 0, 1, NULL, &network));
    close(ends[0]);
    close(ends[1]);
    /* A file with a hole of 8 TiB, of which no more than a header is read. */
    if (sizeof(size_t) == 8 && ftruncate(fd, (off_t)1 << 43) == 0) {
        EXPECT(SN_MODEL, sn_network_open_fd(fd, 0, (uint64_t)1 << 43, NULL, &network));
    }
    TRUE(network == NULL);
    close(fd);
}

/* ---- sessions ---- */

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 24;
}

/* A picture of the session's size in RGB. */
static unsigned char *picture(uint32_t height, uint32_t width, uint32_t seed) {
    unsigned char *pixels = (unsigned char *)allocate((size_t)3 * height * width);
    for (size_t i = 0; i < (size_t)3 * height * width; i++) {
        pixels[i] = (unsigned char)next_random(&seed);
    }
    return pixels;
}

static sn_image image_of(const unsigned char *pixels, uint32_t height, uint32_t width) {
    sn_image image;
    INIT(image);
    image.format = SN_RGB;
    image.width = width;
    image.height = height;
    image.data = pixels;
    image.size = (size_t)3 * height * width;
    return image;
}

static void copy_logits(const sn_session *session, size_t image, float *to) {
    const float *logits = NULL;
    size_t count = 0;
    OK(sn_session_get_logits(session, image, &logits, &count));
    TRUE(count == model.classes);
    memcpy(to, logits, count * sizeof(float));
}

static int same(const float *a, const float *b) {
    return memcmp(a, b, model.classes * sizeof(float)) == 0;
}

static sn_session *described;
static sn_status info_of_described(sn_session_info *info) {
    return sn_session_get_info(described, info);
}

static void test_session_options(void) {
    sn_session *session = (sn_session *)(void *)&session;
    EXPECT(SN_NULL, sn_session_create(NULL, NULL, &session));
    TRUE(session == NULL);
    EXPECT(SN_NULL, sn_session_create(shared, NULL, NULL));
    sn_session_options options;
    INIT(options);
    options.height = 1;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
    options.width = UINT32_MAX;
    options.height = UINT32_MAX;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
    options.width = options.height = 0;
    options.exact_threads = 2;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
    options.exact_threads = 0;
    options.cpu = "fast";
    EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
    options.cpu = NULL;
    options.struct_size += 8; /* beyond this version's fields stands something */
    union { sn_session_options known; unsigned char bytes[sizeof(sn_session_options) + 8]; } newer;
    memset(&newer, 0xff, sizeof newer);
    newer.known = options;
    EXPECT(SN_STRUCT_SIZE, sn_session_create(shared, &newer.known, &session));
    TRUE(session == NULL);

    INIT(options);
    options.height = 33;
    options.width = 65;
    options.batch = 2;
    options.threads = 1;
    options.cpu = "portable,a55";
    OK(sn_session_create(shared, &options, &session));
    sn_session_info info;
    INIT(info);
    OK(sn_session_get_info(session, &info));
    TRUE(info.height == 33 && info.width == 65 && info.batch == 2 && info.threads == 1);
    TRUE(strcmp(info.level, "portable") == 0 && strcmp(info.core, "a55") == 0);
    TRUE(info.arena_size > 0);
    described = session;
    NEWER(sn_session_info, info_of_described);
    EXPECT(SN_NULL, sn_session_get_info(NULL, &info));
    static const char *const operations[] = {"stem", "maxpool", "pw", "dw3x3s1", "dw3x3s2", "pwmean", "fc"};
    for (uint32_t operation = SN_STEM; operation <= SN_FULLY_CONNECTED; operation++) {
        const char *kernel = NULL;
        OK(sn_session_get_kernel(session, operation, &kernel));
        TRUE(strstr(kernel, operations[operation]) && strstr(kernel, "portable"));
    }
    const char *kernel;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_get_kernel(session, 7, &kernel));
    EXPECT(SN_NULL, sn_session_get_kernel(session, 0, NULL));
    EXPECT(SN_NULL, sn_session_get_kernel(NULL, 0, &kernel));
    OK(sn_session_free(&session));
    TRUE(session == NULL);
    OK(sn_session_free(&session));
    EXPECT(SN_NULL, sn_session_free(NULL));
}

static void test_arenas(void) {
    sn_session_options options;
    INIT(options);
    options.height = options.width = 64;
    size_t size = 0, alignment = 0;
    OK(sn_session_get_arena(shared, &options, &size, &alignment));
    TRUE(size > 0 && alignment > 0 && alignment <= 4096 && (alignment & (alignment - 1)) == 0);
    EXPECT(SN_NULL, sn_session_get_arena(NULL, &options, &size, &alignment));
    EXPECT(SN_NULL, sn_session_get_arena(shared, &options, NULL, &alignment));
    EXPECT(SN_NULL, sn_session_get_arena(shared, &options, &size, NULL));
    size_t by_default = 0;
    OK(sn_session_get_arena(shared, NULL, &by_default, &alignment));
    TRUE(by_default > size);
    options.batch = 1;
    options.width = UINT32_MAX;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_get_arena(shared, &options, &size, &alignment));
    options.width = 64;

    /* The arena ends where the memory does. */
    unsigned char *memory = (unsigned char *)allocate(size + alignment);
    unsigned char *arena = memory + (alignment - (size_t)(uintptr_t)memory % alignment) % alignment;
    memset(arena, 0xff, size); /* not a number */
    arena[size] = 0x5a;
    sn_session *session = NULL, *own = NULL;
    EXPECT(SN_TOO_SMALL, sn_session_create_in(shared, &options, arena, size - 1, &session));
    EXPECT(SN_TOO_SMALL, sn_session_create_in(shared, &options, arena, 0, &session));
    EXPECT(SN_MISALIGNED, sn_session_create_in(shared, &options, arena + 4, size - 4, &session));
    EXPECT(SN_NULL, sn_session_create_in(shared, &options, NULL, size, &session));
    EXPECT(SN_NULL, sn_session_create_in(shared, &options, arena, size, NULL));
    EXPECT(SN_NULL, sn_session_create_in(NULL, &options, arena, size, &session));
    EXPECT(SN_INVALID_ARGUMENT, sn_session_create_in(shared, &options, arena, SIZE_MAX, &session));
    TRUE(session == NULL);
    OK(sn_session_create_in(shared, &options, arena, size, &session));
    OK(sn_session_create(shared, &options, &own));
    sn_session_info info;
    INIT(info);
    OK(sn_session_get_info(session, &info));
    TRUE(info.arena_size == size);
    unsigned char *pixels = picture(64, 64, 1);
    sn_image image = image_of(pixels, 64, 64);
    float logits[2][MAX_CLASSES];
    OK(sn_session_run(session, &image, 1));
    copy_logits(session, 0, logits[0]);
    OK(sn_session_run(own, &image, 1));
    copy_logits(own, 0, logits[1]);
    TRUE(same(logits[0], logits[1]));
    TRUE(arena[size] == 0x5a);
    OK(sn_session_free(&session));
    OK(sn_session_free(&own));
    free(memory);
    free(pixels);
}

/* Sizes that no memory has are told from wrong ones, and so are those that no number has. */
static void test_sizes_beyond_memory(void) {
    sn_session_options options;
    INIT(options);
    options.height = options.width = 1;
    options.batch = UINT32_MAX;
    sn_session *session = NULL;
    size_t size = 0, alignment = 0;
    for (options.threads = 1; options.threads <= 3; options.threads++) {
        options.exact_threads = 1;
        EXPECT(SN_NO_MEMORY, sn_session_create(shared, &options, &session));
        TRUE(session == NULL && strstr(sn_last_error(), "memory") != NULL);
        if (sizeof(size_t) == 8) {
            OK(sn_session_get_arena(shared, &options, &size, &alignment));
            TRUE(size / UINT32_MAX >= 4 * (size_t)(model.classes + model.features));
        } else {
            EXPECT(SN_NO_MEMORY, sn_session_get_arena(shared, &options, &size, &alignment));
        }
    }
    options.height = options.width = 1 << 13;
    EXPECT(SN_NO_MEMORY, sn_session_create(shared, &options, &session));
    options.threads = UINT32_MAX;
    EXPECT(SN_NO_MEMORY, sn_session_create(shared, &options, &session));
    TRUE(session == NULL);
}

/* An arena for several threads and images is larger, enough, and gives one thread's bits. */
static void test_arenas_of_threads(void) {
    enum { S = 64, N = 7 };
    unsigned char *pixels[N];
    sn_image images[N];
    for (uint32_t i = 0; i < N; i++) {
        pixels[i] = picture(S, S, i);
        images[i] = image_of(pixels[i], S, S);
    }
    static float expected[N][MAX_CLASSES];
    sn_session_options options;
    for (uint32_t batch = 1; batch <= N; batch += N - 1) {
        size_t smaller = 0;
        for (uint32_t threads = 1; threads <= 3; threads++) {
            INIT(options);
            options.height = options.width = S;
            options.batch = batch;
            options.threads = threads;
            options.exact_threads = 1;
            size_t size = 0, alignment = 0;
            OK(sn_session_get_arena(shared, &options, &size, &alignment));
            TRUE(size > smaller);
            smaller = size;
            unsigned char *memory = (unsigned char *)allocate(size + alignment);
            unsigned char *arena = memory + (alignment - (size_t)(uintptr_t)memory % alignment) % alignment;
            memset(arena, 0xff, size);
            arena[size] = 0x5a;
            sn_session *session = NULL;
            EXPECT(SN_TOO_SMALL, sn_session_create_in(shared, &options, arena, size - 1, &session));
            OK(sn_session_create_in(shared, &options, arena, size, &session));
            sn_session_info info;
            INIT(info);
            OK(sn_session_get_info(session, &info));
            TRUE(info.threads == threads && info.arena_size == size);
            for (int round = 0; round < 3; round++) {
                OK(sn_session_run(session, images, batch));
                for (uint32_t i = 0; i < batch; i++) {
                    float found[MAX_CLASSES];
                    copy_logits(session, i, found);
                    if (threads == 1) memcpy(expected[i], found, sizeof found);
                    TRUE(same(found, expected[i]));
                }
            }
            TRUE(arena[size] == 0x5a);
            OK(sn_session_free(&session));
            free(memory); /* no thread is left that uses it */
        }
    }
    for (int i = 0; i < N; i++) free(pixels[i]);
}

/* The threads of this process that sessions made, and whether all of them keep to a CPU. */
static int helpers(uint32_t cpu, int *all_keep) {
    DIR *tasks = opendir("/proc/self/task");
    TRUE(tasks != NULL);
    int count = 0;
    *all_keep = 1;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        if (fgets(name, sizeof name, file) && strncmp(name, "shufflenet ", 11) == 0) {
            cpu_set_t cpus;
            TRUE(sched_getaffinity(atoi(task->d_name), sizeof cpus, &cpus) == 0);
            *all_keep &= CPU_COUNT(&cpus) == 1 && CPU_ISSET(cpu, &cpus);
            count++;
        }
        fclose(file);
    }
    closedir(tasks);
    return count;
}

/* No thread is left that a session made; the system may list one for a moment after it was joined. */
static int all_ended(void) {
    int keep = 0;
    for (int i = 0; i < 1000; i++) {
        if (helpers(0, &keep) == 0) return 1;
        usleep(10000);
    }
    return 0;
}

/* All threads but the caller's keep to the CPUs that were chosen. */
static void test_cores(void) {
    cpu_set_t all;
    TRUE(sched_getaffinity(0, sizeof all, &all) == 0);
    sn_session_options options;
    INIT(options);
    options.height = options.width = 64;
    options.threads = 3;
    options.exact_threads = 1;
    unsigned char *pixels = picture(64, 64, 9);
    sn_image image = image_of(pixels, 64, 64);
    sn_session *session = NULL;
    sn_session_info info;
    INIT(info);
    int keep = 0;
    TRUE(all_ended());
    uint32_t absent = 1023;
    while (CPU_ISSET(absent, &all)) absent--;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        options.cores = &cpu;
        options.core_count = 1;
        OK(sn_session_create(shared, &options, &session));
        TRUE(helpers(cpu, &keep) == 2 && keep);
        OK(sn_session_run(session, &image, 1));
        TRUE(helpers(cpu, &keep) == 2 && keep);
        OK(sn_session_get_info(session, &info));
        TRUE(info.threads == 3);
        OK(sn_session_free(&session));
        TRUE(all_ended());
        /* One for the core, and one for the caller if it has another. */
        options.exact_threads = 0;
        OK(sn_session_create(shared, &options, &session));
        OK(sn_session_get_info(session, &info));
        TRUE(info.threads == (CPU_COUNT(&all) > 1 ? 2 : 1));
        OK(sn_session_free(&session));
        TRUE(all_ended());
        options.exact_threads = 1;

        uint32_t wrong[2];
        wrong[0] = cpu;
        wrong[1] = absent;
        options.cores = wrong;
        options.core_count = 2;
        EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
        TRUE(strstr(sn_last_error(), "cores") != NULL && session == NULL);
        TRUE(all_ended());
    }
    const uint32_t numbers[3] = {0, 1024, UINT32_MAX};
    options.cores = numbers;
    options.core_count = 0;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
    for (options.core_count = 2; options.core_count <= 3; options.core_count++) {
        EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
    }
    options.core_count = SIZE_MAX;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_create(shared, &options, &session));
    options.core_count = 1;
    options.cores = (const uint32_t *)(const void *)((const char *)numbers + 1);
    EXPECT(SN_MISALIGNED, sn_session_create(shared, &options, &session));
    options.cores = NULL;
    EXPECT(SN_NULL, sn_session_create(shared, &options, &session));
    free(pixels);
}

/* Every form of one image gives the same bits, on every level but `portable`, which is near. */
static void test_runs(void) {
    enum { H = 40, W = 37 };
    unsigned char *pixels = picture(H, W, 7);
    static const int order[4][4] = {{0, 1, 2, 3}, {2, 1, 0, 3}, {0, 1, 2, 3}, {2, 1, 0, 3}};
    float expected[MAX_CLASSES];
    int first = 1;
    char list[sizeof levels];
    strcpy(list, levels);
    for (char *level = strtok(list, " "); level; level = strtok(NULL, " ")) {
        sn_session_options options;
        INIT(options);
        options.height = H;
        options.width = W;
        options.cpu = level;
        sn_session *session = NULL;
        OK(sn_session_create(shared, &options, &session));
        float logits[MAX_CLASSES];
        for (uint32_t format = SN_RGB; format <= SN_BGRA; format++) {
            size_t bytes = format < SN_RGBA ? 3 : 4, stride = bytes * W + 5;
            size_t size = stride * (H - 1) + bytes * W; /* the last row ends early */
            unsigned char *rows = (unsigned char *)allocate(size);
            memset(rows, 0xab, size);
            for (size_t y = 0; y < H; y++) {
                for (size_t i = 0; i < 3 * W; i++) {
                    rows[y * stride + i / 3 * bytes + (size_t)order[format][i % 3]] = pixels[y * 3 * W + i];
                }
            }
            sn_image image = image_of(rows, H, W);
            image.format = format;
            image.row_stride = stride;
            image.size = size;
            OK(sn_session_run(session, &image, 1));
            copy_logits(session, 0, logits);
            if (first) memcpy(expected, logits, sizeof expected);
            first = 0;
            for (size_t i = 0; i < model.classes; i++) TRUE(fabsf(logits[i] - expected[i]) < 1e-3f);
            TRUE(same(expected, logits) || strcmp(level, "portable") == 0);
            image.size = size - 1;
            EXPECT(SN_INVALID_ARGUMENT, sn_session_run(session, &image, 1));
            free(rows);
        }
        float *floats[2]; /* NHWC and NCHW */
        for (int layout = 0; layout < 2; layout++) {
            floats[layout] = (float *)allocate(3 * H * W * sizeof(float));
            for (size_t i = 0; i < 3 * H * W; i++) {
                float value = (float)pixels[i] / 255.0f - model.mean[i % 3];
                size_t to = layout == 0 ? i : i % 3 * H * W + i / 3;
                floats[layout][to] = value / model.std[i % 3];
            }
            sn_float_image image;
            INIT(image);
            image.layout = (uint32_t)layout;
            image.data = floats[layout];
            image.count = 3 * H * W;
            OK(sn_session_run_floats(session, &image, 1));
            float found[MAX_CLASSES];
            copy_logits(session, 0, found);
            TRUE(same(logits, found));
            free(floats[layout]);
        }
        OK(sn_session_free(&session));
    }
    free(pixels);
}

/* A grey picture gives the bits of the same one in RGB, resized or not. */
static void test_grey(void) {
    enum { S = 40, W = 61, H = 47, STRIDE = W + 6 };
    sn_session_options options;
    INIT(options);
    options.height = options.width = S;
    sn_session *session = NULL;
    OK(sn_session_create(shared, &options, &session));
    unsigned char *grey = picture(H, STRIDE, 5);
    unsigned char *rgb = (unsigned char *)allocate(3 * H * STRIDE);
    for (size_t i = 0; i < 3 * H * STRIDE; i++) rgb[i] = grey[i / 3];
    for (uint32_t fit = SN_FIT_NONE; fit <= SN_FIT_CROP; fit++) {
        float logits[2][MAX_CLASSES];
        for (uint32_t is_grey = 0; is_grey < 2; is_grey++) {
            sn_image image = image_of(is_grey ? grey : rgb, fit ? H : S, fit ? W : S);
            size_t bytes = is_grey ? 1 : 3;
            image.format = is_grey ? SN_GREY8 : SN_RGB;
            image.row_stride = bytes * STRIDE;
            image.size = image.row_stride * (image.height - 1) + bytes * image.width;
            image.fit = fit;
            OK(sn_session_run(session, &image, 1));
            copy_logits(session, 0, logits[is_grey]);
            image.size--;
            EXPECT(SN_INVALID_ARGUMENT, sn_session_run(session, &image, 1));
        }
        TRUE(same(logits[0], logits[1]));
    }
    OK(sn_session_free(&session));
    free(grey);
    free(rgb);
}

static void test_wrong_runs(void) {
    enum { H = 32, W = 32 };
    sn_session_options options;
    INIT(options);
    options.height = H;
    options.width = W;
    options.batch = 2;
    sn_session *session = NULL;
    OK(sn_session_create(shared, &options, &session));
    unsigned char *pixels = picture(H, W, 3);
    const float *results = NULL;
    size_t count = 0;
    EXPECT(SN_NO_RESULT, sn_session_get_logits(session, 0, &results, &count));
    sn_image images[2], *image = &images[0];
    images[0] = images[1] = image_of(pixels, H, W);
    EXPECT(SN_NULL, sn_session_run(NULL, image, 1));
    EXPECT(SN_NULL, sn_session_run(session, NULL, 1));
    EXPECT(SN_MISALIGNED, sn_session_run(session, (sn_image *)(void *)((char *)image + 2), 1));
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run(session, image, 0));
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run(session, image, 3));
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run(session, image, SIZE_MAX));

    OK(sn_session_run(session, image, 1));
    OK(sn_session_get_logits(session, 0, &results, &count));
    EXPECT(SN_NO_RESULT, sn_session_get_logits(session, 1, &results, &count));
    EXPECT(SN_NULL, sn_session_get_logits(session, 0, NULL, &count));
    EXPECT(SN_NULL, sn_session_get_logits(session, 0, &results, NULL));
    EXPECT(SN_NULL, sn_session_get_logits(NULL, 0, &results, &count));
    OK(sn_session_get_features(session, 0, &results, &count));
    TRUE(count == model.features);
    EXPECT(SN_NO_RESULT, sn_session_get_features(session, SIZE_MAX, &results, &count));
    EXPECT(SN_NULL, sn_session_get_features(session, 0, NULL, &count));
    EXPECT(SN_NULL, sn_session_get_features(session, 0, &results, NULL));
    EXPECT(SN_NULL, sn_session_get_features(NULL, 0, &results, &count));

#define WRONG(status, field, value) \
    do { \
        image->field = value; \
        EXPECT(status, sn_session_run(session, image, 2)); \
        *image = images[1]; \
    } while (0)
    WRONG(SN_INVALID_ARGUMENT, format, 5);
    WRONG(SN_INVALID_ARGUMENT, format, UINT32_MAX);
    WRONG(SN_INVALID_ARGUMENT, width, 0);
    WRONG(SN_INVALID_ARGUMENT, width, W - 1);
    WRONG(SN_INVALID_ARGUMENT, width, UINT32_MAX);
    WRONG(SN_INVALID_ARGUMENT, height, 0);
    WRONG(SN_INVALID_ARGUMENT, height, UINT32_MAX);
    WRONG(SN_NULL, data, NULL);
    WRONG(SN_INVALID_ARGUMENT, size, 0);
    WRONG(SN_INVALID_ARGUMENT, size, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, row_stride, 3 * W - 1);
    WRONG(SN_INVALID_ARGUMENT, row_stride, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, fit, 2);
    WRONG(SN_INVALID_ARGUMENT, rotation, 1);
    WRONG(SN_INVALID_ARGUMENT, rotation, 90); /* is for SN_FIT_CROP */
    WRONG(SN_STRUCT_SIZE, struct_size, 0);
    WRONG(SN_STRUCT_SIZE, struct_size, (uint32_t)sizeof(sn_image) - 8);
    WRONG(SN_STRUCT_SIZE, struct_size, (uint32_t)sizeof(sn_image) + 1);
#undef WRONG
    /* The results of the last good run are gone. */
    EXPECT(SN_NO_RESULT, sn_session_get_logits(session, 0, &results, &count));
    images[1].struct_size += 8; /* differs from the first's */
    EXPECT(SN_STRUCT_SIZE, sn_session_run(session, images, 2));

    float *floats = (float *)allocate(3 * H * W * sizeof(float));
    for (size_t i = 0; i < 3 * H * W; i++) floats[i] = 0.25f;
    sn_float_image input, good;
    INIT(good);
    good.data = floats;
    good.count = 3 * H * W;
    OK(sn_session_run_floats(session, &good, 1));
    EXPECT(SN_NULL, sn_session_run_floats(NULL, &good, 1));
    EXPECT(SN_NULL, sn_session_run_floats(session, NULL, 1));
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_floats(session, &good, 0));
    input = good;
    input.layout = 2;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_floats(session, &input, 1));
    input = good;
    input.count--;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_floats(session, &input, 1));
    input.count = SIZE_MAX / 4 + 1;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_floats(session, &input, 1));
    input = good;
    input.data = NULL;
    EXPECT(SN_NULL, sn_session_run_floats(session, &input, 1));
    input.data = (const float *)(const void *)((const char *)floats + 1);
    EXPECT(SN_MISALIGNED, sn_session_run_floats(session, &input, 1));
    input = good;
    input.struct_size = 8;
    EXPECT(SN_STRUCT_SIZE, sn_session_run_floats(session, &input, 1));

    /* Floats that are not finite. */
    float *bad = (float *)allocate(3 * H * W * sizeof(float));
    memcpy(bad, floats, 3 * H * W * sizeof(float));
    sn_float_image two[2];
    two[0] = two[1] = good;
    two[1].data = bad;
    bad[3 * (3 * W + 5) + 1] = NAN;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_floats(session, two, 2));
    TRUE(strstr(sn_last_error(), "image 1 is NaN in green at row 3, column 5, expected finite") != NULL);
    EXPECT(SN_NO_RESULT, sn_session_get_logits(session, 0, &results, &count));
    bad[3 * (3 * W + 5) + 1] = 3.4e38f;
    OK(sn_session_run_floats(session, two, 2));
    two[1].layout = SN_NCHW;
    bad[3 * H * W - 1] = -INFINITY;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_floats(session, two, 2));
    TRUE(strstr(sn_last_error(), "image 1 is -inf in blue at row 31, column 31") != NULL);
    OK(sn_session_run_floats(session, two, 1));
    OK(sn_session_get_logits(session, 0, &results, &count));
    free(bad);
    free(floats);
    free(pixels);
    OK(sn_session_free(&session));
}

static void test_batches(void) {
    enum { S = 48, N = 3 };
    sn_session_options options;
    INIT(options);
    options.height = options.width = S;
    options.batch = N;
    sn_session *session = NULL;
    OK(sn_session_create(shared, &options, &session));
    unsigned char *pixels[N];
    sn_image images[N];
    float together[N][MAX_CLASSES], alone[MAX_CLASSES];
    for (uint32_t i = 0; i < N; i++) {
        pixels[i] = picture(S, S, i);
        images[i] = image_of(pixels[i], S, S);
    }
    OK(sn_session_run(session, images, N));
    for (size_t i = 0; i < N; i++) copy_logits(session, i, together[i]);
    for (size_t i = 0; i < N; i++) {
        OK(sn_session_run(session, &images[i], 1));
        copy_logits(session, 0, alone);
        TRUE(same(alone, together[i]));
    }
    TRUE(!same(together[0], together[1]));
    for (int i = 0; i < N; i++) free(pixels[i]);
    OK(sn_session_free(&session));
}

/* Pictures of other sizes are resized and cut. */
static void test_crops(void) {
    sn_session_options options;
    INIT(options);
    options.batch = 2;
    options.height = options.width = 64;
    sn_session *session = NULL;
    OK(sn_session_create(shared, &options, &session));
    float plain[MAX_CLASSES], cropped[2][MAX_CLASSES];
    unsigned char *small = (unsigned char *)allocate(3 * 64 * 64);
    unsigned char *large = (unsigned char *)allocate(3 * 200 * 300);
    memset(small, 77, 3 * 64 * 64);
    memset(large, 77, 3 * 200 * 300);
    sn_image image = image_of(small, 64, 64);
    OK(sn_session_run(session, &image, 1));
    copy_logits(session, 0, plain);
    /* A picture of one colour stays one, whatever its size: two sizes, twice. */
    for (int i = 0; i < 2; i++) {
        sn_image images[2];
        images[0] = image_of(large, 200, 300);
        images[1] = image_of(large, 100, 70);
        images[0].fit = images[1].fit = SN_FIT_CROP;
        OK(sn_session_run(session, images, 2));
        copy_logits(session, 0, cropped[0]);
        copy_logits(session, 1, cropped[1]);
        TRUE(same(plain, cropped[0]) && same(plain, cropped[1]));
    }
    /* What lies outside the middle is not seen: grey bars left and right of a square. */
    unsigned char *square = picture(100, 100, 5);
    for (int bar = 0; bar < 256; bar += 255) {
        memset(large, bar, 3 * 200 * 300);
        for (size_t y = 0; y < 100; y++) memcpy(large + 3 * 300 * y + 3 * 100, square + 300 * y, 300);
        image = image_of(large, 100, 300);
        image.fit = SN_FIT_CROP;
        OK(sn_session_run(session, &image, 1));
        copy_logits(session, 0, cropped[bar != 0]);
    }
    TRUE(model.resize > model.crop ? same(cropped[0], cropped[1]) : 1);
    image.height = 1u << 21;
    image.size = SIZE_MAX / 4;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run(session, &image, 1));
    OK(sn_session_free(&session));
    options.width = 32;
    OK(sn_session_create(shared, &options, &session));
    image = image_of(large, 100, 300);
    image.fit = SN_FIT_CROP;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run(session, &image, 1)); /* not a square */
    OK(sn_session_free(&session));
    free(small);
    free(large);
    free(square);
}

/* The model with another text where its file tells where it comes from. */
static sn_network *fitted(const char *text) {
    const char *key = "\"shufflenet.provenance\":\"";
    unsigned char *file = (unsigned char *)allocate(file_size);
    memcpy(file, file_bytes, file_size);
    size_t at = 0;
    while (at + 100 < file_size && memcmp(file + at, key, strlen(key)) != 0) at++;
    memcpy(file + at, text, strlen(text));
    sn_network *network = NULL;
    OK(sn_network_open_memory(file, file_size, NULL, &network));
    free(file);
    return network;
}

/* Pictures and frames are fitted as the model's file says. */
static void test_fits(void) {
    static const struct {
        const char *text;
        sn_model_fit fit;
    } fits[] = {{"\"shufflenet.fit\":\"crop\",\"other\":\"", SN_MODEL_FIT_CROP},
                {"\"shufflenet.fit\":\"stretch\",\"x\":\"", SN_MODEL_FIT_STRETCH},
                {"\"shufflenet.fit\":\"pad\",\"other\":\"", SN_MODEL_FIT_PAD}};
    float logits[3][2][MAX_CLASSES];
    for (int i = 0; i < 3; i++) {
        sn_network *network = fitted(fits[i].text);
        sn_network_info info;
        INIT(info);
        OK(sn_network_get_info(network, &info));
        TRUE(info.fit == fits[i].fit && info.crop == model.crop && info.resize == model.resize);
        sn_session *session = NULL;
        OK(sn_session_create(network, NULL, &session));
        OK(sn_network_free(&network));
        /* Grey, and bright at the far ends: the same as pixels and as a camera's frame. */
        unsigned char *pixels = (unsigned char *)allocate(3 * 100 * 300);
        unsigned char *luma = (unsigned char *)allocate(100 * 300);
        unsigned char *chroma = (unsigned char *)allocate(50 * 150);
        memset(chroma, 128, 50 * 150);
        for (size_t p = 0; p < 100 * 300; p++) {
            luma[p] = p % 300 < 60 || p % 300 >= 240 ? 250 : (unsigned char)(p % 97);
            memset(pixels + 3 * p, luma[p], 3);
        }
        sn_image image = image_of(pixels, 100, 300);
        image.fit = SN_FIT_CROP;
        OK(sn_session_run(session, &image, 1));
        copy_logits(session, 0, logits[i][0]);
        sn_yuv_image frame;
        INIT(frame);
        frame.width = 300;
        frame.height = 100;
        for (int p = 0; p < 3; p++) {
            frame.planes[p].data = p == 0 ? luma : chroma;
            frame.planes[p].size = p == 0 ? 100 * 300 : 50 * 150;
        }
        OK(sn_session_run_yuv(session, &frame, 1));
        copy_logits(session, 0, logits[i][1]);
        TRUE(same(logits[i][0], logits[i][1]));
        for (int other = 0; other < i; other++) TRUE(!same(logits[i][0], logits[other][0]));
        OK(sn_session_free(&session));
        free(pixels);
        free(luma);
        free(chroma);
    }
}

/* The conversion of the library's documentation. */
static unsigned char limited(int value) {
    return (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static int down(int value, int bits) { /* rounds down, also below 0 */
    return value >= 0 ? value >> bits : -((-value + (1 << bits) - 1) >> bits);
}

static void to_rgb(int kind, int y, int u, int v, unsigned char *rgb) {
    static const int factors[4][6] = {
        {16384, 33, 22970, -5638, -11700, 29032},
        {19077, -1159, 26149, -6419, -13320, 33050},
        {16384, 33, 25802, -3069, -7670, 30402},
        {19077, -1159, 29372, -3494, -8731, 34610},
    };
    const int *f = factors[kind];
    int luma = down(f[0] * y, 8) + f[1];
    u -= 128;
    v -= 128;
    rgb[0] = limited(down(luma + down(f[2] * v, 8), 6));
    rgb[1] = limited(down(luma + down(f[3] * u, 8) + down(f[4] * v, 8), 6));
    rgb[2] = limited(down(luma + down(f[5] * u, 8), 6));
}

/* The stored frames of 5 x 5 pixels, each as RGB by formulas of another's: what is computed here is near these,
   and gives what the frames in every format give. */
static void test_stored_frames(const char *path) {
    enum { S = 5, C = 3, PAD = 3 };
    static const unsigned char luma[S * S] = {16, 235, 81, 145, 50, 41, 210, 170, 106, 90, 0, 255, 128,
                                              100, 20, 60, 90, 200, 30, 254, 77, 3, 9, 180, 120};
    static const unsigned char chroma[2][C * C] = {{128, 110, 240, 100, 160, 128, 90, 120, 150},
                                                   {128, 150, 110, 90, 115, 30, 240, 100, 140}};
    sn_session_options options;
    INIT(options);
    options.height = options.width = 32;
    sn_session *session = NULL;
    OK(sn_session_create(shared, &options, &session));
    FILE *file = fopen(path, "r");
    TRUE(file != NULL);
    char matrix[8], range[8];
    unsigned rotation, cases = 0;
    for (; fscanf(file, "%7s %7s %u", matrix, range, &rotation) == 3; cases++) {
        int bt709 = strcmp(matrix, "Bt709") == 0, limited_range = strcmp(range, "Limited") == 0;
        TRUE((bt709 || strcmp(matrix, "Bt601") == 0) && (limited_range || strcmp(range, "Full") == 0));
        unsigned char rgb[3 * S * S];
        for (size_t i = 0; i < S * S; i++) {
            size_t x = i % S, y = i / S;
            size_t from_x = rotation == 0 ? x : rotation == 90 ? y : rotation == 180 ? S - 1 - x : S - 1 - y;
            size_t from_y = rotation == 0 ? y : rotation == 90 ? S - 1 - x : rotation == 180 ? S - 1 - y : x;
            size_t c = from_y / 2 * C + from_x / 2;
            unsigned char *pixel = rgb + 3 * i;
            to_rgb(2 * bt709 + limited_range, luma[from_y * S + from_x], chroma[0][c], chroma[1][c], pixel);
            unsigned stored;
            TRUE(fscanf(file, "%6x", &stored) == 1);
            for (int k = 0; k < 3; k++) TRUE(abs((int)(stored >> (16 - 8 * k) & 255) - pixel[k]) <= 1);
        }
        float expected[MAX_CLASSES], found[MAX_CLASSES];
        sn_image image = image_of(rgb, S, S);
        image.fit = SN_FIT_CROP;
        OK(sn_session_run(session, &image, 1));
        copy_logits(session, 0, expected);
        for (int format = 0; format < 4; format++) { /* I420, YV12, NV12, NV21 */
            size_t step = format < 2 ? 1 : 2, y_stride = S + PAD, c_stride = step * C + PAD;
            unsigned char rows[S * (S + PAD)], planes[2 * C * (2 * C + PAD)];
            const size_t second = step == 2 ? 1 : C * c_stride;
            memset(rows, 0xa7, sizeof rows);
            memset(planes, 0xa7, sizeof planes);
            for (size_t i = 0; i < S * S; i++) rows[i / S * y_stride + i % S] = luma[i];
            for (size_t plane = 0; plane < 2; plane++) {
                unsigned char *to = planes + (plane == (size_t)format % 2 ? 0 : second);
                for (size_t i = 0; i < C * C; i++) to[i / C * c_stride + i % C * step] = chroma[plane][i];
            }
            sn_yuv_image frame;
            INIT(frame);
            frame.matrix = bt709 ? SN_BT709 : SN_BT601;
            frame.range = limited_range ? SN_LIMITED_RANGE : SN_FULL_RANGE;
            frame.rotation = rotation;
            frame.width = frame.height = S;
            frame.planes[0].data = rows;
            frame.planes[0].size = y_stride * (S - 1) + S;
            frame.planes[0].row_stride = y_stride;
            for (int plane = 0; plane < 2; plane++) {
                sn_plane *described = &frame.planes[1 + plane];
                described->data = planes + (plane == format % 2 ? 0 : second);
                described->size = c_stride * (C - 1) + step * (C - 1) + 1;
                described->row_stride = c_stride;
                described->pixel_stride = step;
            }
            OK(sn_session_run_yuv(session, &frame, 1));
            copy_logits(session, 0, found);
            TRUE(same(expected, found));
        }
    }
    TRUE(cases == 16);
    fclose(file);
    OK(sn_session_free(&session));
}

/* Frames in every format, standard, range and rotation give what their RGB pixels, turned by hand, give. */
static void test_camera(void) {
    enum { W = 75, H = 53, CW = (W + 1) / 2, CH = (H + 1) / 2, S = 64 };
    sn_session_options options;
    INIT(options);
    options.height = options.width = S;
    options.batch = 2;
    sn_session *session = NULL;
    OK(sn_session_create(shared, &options, &session));
    static const char *const formats[] = {"I420", "YV12", "NV12", "NV21"};
    for (int format = 0; format < 4; format++) {
        int interleaved = formats[format][0] == 'N', swapped = format % 2;
        size_t y_stride = W + 3, step = interleaved ? 2 : 1, c_stride = step * CW + 5;
        /* The memory ends with the last sample. */
        size_t y_size = y_stride * (H - 1) + W, c_size = c_stride * (CH - 1) + step * (CW - 1) + 1;
        size_t all = interleaved ? c_size + 1 : 2 * c_size;
        unsigned char *luma = (unsigned char *)allocate(y_size), *chroma = (unsigned char *)allocate(all);
        uint32_t seed = (uint32_t)format;
        for (size_t i = 0; i < y_size; i++) luma[i] = (unsigned char)next_random(&seed);
        for (size_t i = 0; i < all; i++) chroma[i] = (unsigned char)next_random(&seed);
        const unsigned char *first = chroma, *second = chroma + (interleaved ? 1 : c_size);
        const unsigned char *u = swapped ? second : first, *v = swapped ? first : second;

        for (int kind = 0; kind < 4; kind++) {
            sn_yuv_image frame, wrong[2];
            INIT(frame);
            frame.matrix = kind < 2 ? SN_BT601 : SN_BT709;
            frame.range = kind % 2 ? SN_LIMITED_RANGE : SN_FULL_RANGE;
            frame.width = W;
            frame.height = H;
            frame.planes[0].data = luma;
            frame.planes[0].size = y_size;
            frame.planes[0].row_stride = y_stride;
            frame.planes[1].data = u;
            frame.planes[2].data = v;
            for (int plane = 1; plane < 3; plane++) {
                frame.planes[plane].size = c_size;
                frame.planes[plane].row_stride = c_stride;
                frame.planes[plane].pixel_stride = step;
            }
            for (int quarter = 0; quarter < 4; quarter++) {
                /* Turned by hand: where a pixel of the frame goes. */
                uint32_t width = quarter % 2 ? H : W, height = quarter % 2 ? W : H;
                unsigned char *rgb = (unsigned char *)allocate(3 * W * H);
                unsigned char *unturned = (unsigned char *)allocate(3 * W * H);
                for (size_t y = 0; y < H; y++) {
                    for (size_t x = 0; x < W; x++) {
                        size_t c = y / 2 * c_stride + x / 2 * step;
                        size_t to_x = quarter == 0 ? x : quarter == 1 ? H - 1 - y : quarter == 2 ? W - 1 - x : y;
                        size_t to_y = quarter == 0 ? y : quarter == 1 ? x : quarter == 2 ? H - 1 - y : W - 1 - x;
                        unsigned char *to = rgb + 3 * (to_y * width + to_x);
                        to_rgb(kind, luma[y * y_stride + x], u[c], v[c], to);
                        memcpy(unturned + 3 * (y * W + x), to, 3);
                    }
                }
                float logits[3][MAX_CLASSES];
                sn_image image = image_of(rgb, height, width);
                image.fit = SN_FIT_CROP;
                OK(sn_session_run(session, &image, 1));
                copy_logits(session, 0, logits[0]);
                image = image_of(unturned, H, W);
                image.fit = SN_FIT_CROP;
                image.rotation = 90u * (uint32_t)quarter;
                OK(sn_session_run(session, &image, 1));
                copy_logits(session, 0, logits[1]);
                frame.rotation = 90u * (uint32_t)quarter;
                OK(sn_session_run_yuv(session, &frame, 1));
                copy_logits(session, 0, logits[2]);
                TRUE(same(logits[0], logits[1]) && same(logits[0], logits[2]));
                free(rgb);
                free(unturned);
            }
            frame.rotation = 0;
            wrong[0] = wrong[1] = frame;
            OK(sn_session_run_yuv(session, wrong, 2));
#define WRONG(status, field, value) \
    do { \
        wrong[1].field = value; \
        EXPECT(status, sn_session_run_yuv(session, wrong, 2)); \
        wrong[1] = frame; \
    } while (0)
            WRONG(SN_STRUCT_SIZE, struct_size, 0);
            WRONG(SN_INVALID_ARGUMENT, matrix, 2);
            WRONG(SN_INVALID_ARGUMENT, range, 2);
            WRONG(SN_INVALID_ARGUMENT, rotation, 45);
            WRONG(SN_INVALID_ARGUMENT, width, 0);
            WRONG(SN_INVALID_ARGUMENT, width, UINT32_MAX);
            WRONG(SN_INVALID_ARGUMENT, height, H + 2);
            for (int plane = 0; plane < 3; plane++) {
                WRONG(SN_NULL, planes[plane].data, NULL);
                WRONG(SN_INVALID_ARGUMENT, planes[plane].size, frame.planes[plane].size - 1);
                WRONG(SN_INVALID_ARGUMENT, planes[plane].size, SIZE_MAX);
                WRONG(SN_INVALID_ARGUMENT, planes[plane].row_stride, 7);
                WRONG(SN_INVALID_ARGUMENT, planes[plane].row_stride, SIZE_MAX);
                WRONG(SN_INVALID_ARGUMENT, planes[plane].pixel_stride, 3);
            }
#undef WRONG
        }
        free(luma);
        free(chroma);
    }
    /* Without anything between pixels and rows, as zeros in the strides say: grey. */
    unsigned char grey[16 * 16];
    memset(grey, 128, sizeof grey);
    sn_yuv_image frame;
    INIT(frame);
    frame.width = frame.height = 16;
    for (int plane = 0; plane < 3; plane++) {
        frame.planes[plane].data = grey;
        frame.planes[plane].size = plane == 0 ? 256 : 64;
    }
    OK(sn_session_run_yuv(session, &frame, 1));
    EXPECT(SN_NULL, sn_session_run_yuv(NULL, &frame, 1));
    EXPECT(SN_NULL, sn_session_run_yuv(session, NULL, 1));
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_yuv(session, &frame, 0));
    EXPECT(SN_INVALID_ARGUMENT, sn_session_run_yuv(session, &frame, 3));
    OK(sn_session_free(&session));
}

static void test_results(void) {
    sn_session *session = NULL;
    sn_network *network = shared;
    OK(sn_network_retain(network));
    OK(sn_session_create(network, NULL, &session));
    OK(sn_network_free(&network)); /* the session keeps it */
    sn_class top[MAX_CLASSES + 1];
    size_t count = 3;
    EXPECT(SN_NO_RESULT, sn_session_get_top(session, 0, top, &count));
    unsigned char *pixels = picture(model.crop, model.crop, 9);
    sn_image image = image_of(pixels, model.crop, model.crop);
    OK(sn_session_run(session, &image, 1));
    free(pixels);
    float logits[MAX_CLASSES], probabilities[MAX_CLASSES];
    copy_logits(session, 0, logits);
    OK(sn_softmax(logits, model.classes, probabilities));
    count = MAX_CLASSES + 1;
    OK(sn_session_get_top(session, 0, top, &count));
    TRUE(count == model.classes);
    float sum = 0;
    for (size_t i = 0; i < count; i++) {
        const char *label = NULL;
        OK(sn_network_get_label(shared, top[i].index, &label));
        TRUE(top[i].label == label && top[i].logit == logits[top[i].index]);
        TRUE(top[i].probability == probabilities[top[i].index]);
        TRUE(i == 0 || top[i].logit <= top[i - 1].logit);
        sum += top[i].probability;
    }
    TRUE(fabsf(sum - 1) < 1e-5f);
    count = 1;
    memset(&top[1], 0x5a, sizeof top[1]);
    sn_class kept = top[1];
    OK(sn_session_get_top(session, 0, top, &count));
    TRUE(count == 1 && memcmp(&top[1], &kept, sizeof kept) == 0);
    count = 0;
    OK(sn_session_get_top(session, 0, top, &count));
    TRUE(count == 0);
    count = 1;
    EXPECT(SN_NO_RESULT, sn_session_get_top(session, 1, top, &count));
    EXPECT(SN_NULL, sn_session_get_top(NULL, 0, top, &count));
    EXPECT(SN_NULL, sn_session_get_top(session, 0, NULL, &count));
    EXPECT(SN_NULL, sn_session_get_top(session, 0, top, NULL));
    count = SIZE_MAX;
    EXPECT(SN_INVALID_ARGUMENT, sn_session_get_top(session, 0, top, &count));
    OK(sn_session_free(&session));

    OK(sn_softmax(logits, model.classes, logits)); /* in place */
    TRUE(same(logits, probabilities));
    EXPECT(SN_NULL, sn_softmax(NULL, 1, probabilities));
    EXPECT(SN_NULL, sn_softmax(logits, 1, NULL));
    EXPECT(SN_INVALID_ARGUMENT, sn_softmax(logits, SIZE_MAX, probabilities));
    EXPECT(SN_INVALID_ARGUMENT, sn_softmax(logits, 4, logits + 1));
    EXPECT(SN_INVALID_ARGUMENT, sn_softmax(logits + 3, 4, logits));
    EXPECT(SN_MISALIGNED, sn_softmax((float *)(void *)((char *)logits + 1), 1, probabilities));
    OK(sn_softmax(logits, 0, probabilities));
}

/* ---- threads ---- */

enum { THREADS = 8, ROUNDS = 3 };
static float expected_of[THREADS][MAX_CLASSES];

static void run_once(uint32_t seed, uint32_t threads, float *logits) {
    sn_session_options options;
    INIT(options);
    options.height = options.width = 96;
    options.threads = threads;
    options.exact_threads = 1;
    sn_session *session = NULL;
    OK(sn_session_create(shared, &options, &session));
    unsigned char *pixels = picture(96, 96, seed);
    sn_image image = image_of(pixels, 96, 96);
    for (int round = 0; round < ROUNDS; round++) {
        OK(sn_session_run(session, &image, 1));
        copy_logits(session, 0, logits);
    }
    free(pixels);
    OK(sn_session_free(&session));
}

static void *worker(void *argument) {
    size_t number = (size_t)((float(*)[MAX_CLASSES])argument - expected_of);
    float logits[MAX_CLASSES];
    OK(sn_network_retain(shared));
    sn_network *network = shared;
    run_once((uint32_t)number, 1 + (uint32_t)number % 2, logits);
    TRUE(same(logits, expected_of[number]));
    /* Texts are each thread's own. */
    char name[32];
    sprintf(name, "/no/such/file%u", (unsigned)number);
    sn_network *none = NULL;
    for (int i = 0; i < 20; i++) {
        EXPECT(SN_IO, sn_network_open(name, NULL, &none));
        TRUE(strstr(sn_last_error(), name) != NULL);
    }
    OK(sn_network_free(&network));
    return NULL;
}

static void test_threads(void) {
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) run_once(i, 1, expected_of[i]);
    for (int i = 0; i < THREADS; i++) {
        TRUE(pthread_create(&threads[i], NULL, worker, expected_of[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) TRUE(pthread_join(threads[i], NULL) == 0);
}

static sn_session *contended;
static sn_image contended_image;
static pthread_mutex_t finished_lock = PTHREAD_MUTEX_INITIALIZER;
static int finished;

static void *run_contended(void *argument) {
    (void)argument;
    sn_status status;
    do { /* the other thread may be looking */
        status = sn_session_run(contended, &contended_image, 1);
    } while (status == SN_BUSY);
    OK(status);
    pthread_mutex_lock(&finished_lock);
    finished = 1;
    pthread_mutex_unlock(&finished_lock);
    return NULL;
}

/* A second thread at a session is told so. */
static void test_busy(void) {
    unsigned char *pixels = picture(512, 512, 0);
    contended_image = image_of(pixels, 512, 512);
    sn_session_options options;
    INIT(options);
    options.height = options.width = 512;
    int told = 0;
    for (int round = 0; round < 100 && !told; round++) {
        OK(sn_session_create(shared, &options, &contended));
        sn_session_info info;
        INIT(info);
        OK(sn_session_get_info(contended, &info));
        finished = 0;
        pthread_t thread;
        TRUE(pthread_create(&thread, NULL, run_contended, NULL) == 0);
        for (int stop = 0; !stop && !told;) {
            const float *logits = NULL;
            size_t count = 0;
            sn_session *copy = contended;
            sn_status status = sn_session_get_logits(copy, 0, &logits, &count);
            TRUE(status == SN_OK || status == SN_NO_RESULT || status == SN_BUSY);
            if (status == SN_BUSY) {
                /* The other thread is inside, or just left for good: in both cases this is safe. */
                status = sn_session_free(&copy);
                TRUE(status == SN_BUSY ? copy == contended : status == SN_OK && copy == NULL);
                contended = copy;
                told = status == SN_BUSY;
                if (told) EXPECT(SN_BUSY, status);
                break;
            }
            pthread_mutex_lock(&finished_lock);
            stop = finished;
            pthread_mutex_unlock(&finished_lock);
        }
        TRUE(pthread_join(thread, NULL) == 0);
        OK(sn_session_free(&contended));
    }
    TRUE(told);
    free(pixels);
}

/* ---- forks ---- */

static sn_session *inherited;
static sn_session_options inherited_options;
static sn_image inherited_image;
static float inherited_logits[MAX_CLASSES];

/* What a process does with a session that it has from its parent; tells whether that was in use. */
static int use_inherited(void) {
    float logits[MAX_CLASSES];
    sn_session_info info;
    INIT(info);
    sn_status known = sn_session_get_info(inherited, &info);
    if (known == SN_OK && info.threads == 1) {
        OK(sn_session_run(inherited, &inherited_image, 1));
        copy_logits(inherited, 0, logits);
        TRUE(same(logits, inherited_logits));
    } else {
        TRUE(known == SN_OK || known == SN_INVALID_ARGUMENT);
        EXPECT(SN_INVALID_ARGUMENT, sn_session_run(inherited, &inherited_image, 1));
        TRUE(strstr(sn_last_error(), "fork") != NULL);
    }
    sn_session *session = inherited;
    OK(sn_session_free(&session));
    TRUE(session == NULL);
    /* One that is made here has threads of its own. */
    OK(sn_session_create(shared, &inherited_options, &session));
    OK(sn_session_run(session, &inherited_image, 1));
    copy_logits(session, 0, logits);
    TRUE(same(logits, inherited_logits));
    OK(sn_session_free(&session));
    OK(sn_network_free(&shared)); /* so that valgrind sees what a session leaves behind */
    return known != SN_OK;
}

/* Whether the session was in use in a forked process; one that hangs ends with a signal. */
static int forked(void) {
    pid_t process = fork();
    TRUE(process >= 0);
    if (process == 0) {
        alarm(100);
        int in_use = use_inherited();
        /* Valgrind would call lost what threads had for themselves that are not here. */
        if (in_use) execl("/bin/sh", "sh", "-c", "exit 2", (char *)NULL);
        if (inherited_options.threads > 1) execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
        _exit(0);
    }
    int status = 0;
    TRUE(waitpid(process, &status, 0) == process);
    TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2));
    return WEXITSTATUS(status) == 2;
}

static void *run_inherited(void *unused) {
    (void)unused;
    for (int stop = 0; !stop;) {
        sn_status status = sn_session_run(inherited, &inherited_image, 1);
        TRUE(status == SN_OK || status == SN_BUSY);
        pthread_mutex_lock(&finished_lock);
        stop = finished;
        pthread_mutex_unlock(&finished_lock);
    }
    return NULL;
}

#ifndef EMULATED
#define EMULATED 0
#endif

/* A session is freed in a forked process, which has none of its threads, at rest and during a run. */
static void test_forks(void) {
    enum { S = 128 };
    unsigned char *pixels = picture(S, S, 4);
    inherited_image = image_of(pixels, S, S);
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        INIT(inherited_options);
        inherited_options.height = inherited_options.width = S;
        inherited_options.batch = 1 + threads;
        inherited_options.threads = threads;
        inherited_options.exact_threads = 1;
        OK(sn_session_create(shared, &inherited_options, &inherited));
        OK(sn_session_run(inherited, &inherited_image, 1));
        copy_logits(inherited, 0, inherited_logits);
        usleep(50000); /* until threads rest: the address sanitizer's own locks do not survive a fork */
        TRUE(!forked());
        finished = 0;
        pthread_t thread;
        TRUE(pthread_create(&thread, NULL, run_inherited, NULL) == 0);
        int in_use = 0;
        for (int round = 0; round < 1000 && !in_use; round++) {
            sn_session_info info;
            INIT(info);
            while (sn_session_get_info(inherited, &info) != SN_BUSY) usleep(50);
            in_use = forked();
        }
        TRUE(in_use);
        pthread_mutex_lock(&finished_lock);
        finished = 1;
        pthread_mutex_unlock(&finished_lock);
        TRUE(pthread_join(thread, NULL) == 0);
        /* Nothing of that touched this process. */
        OK(sn_session_run(inherited, &inherited_image, 1));
        float logits[MAX_CLASSES];
        copy_logits(inherited, 0, logits);
        TRUE(same(logits, inherited_logits));
        OK(sn_session_free(&inherited));
    }
    free(pixels);
}

/* ---- kernels ---- */

static void test_pointwise(void) {
    static const float weights[6] = {1, 2, 3, -1, -2, -3}, bias[2] = {10, 20};
    sn_pointwise_options options, wrong;
    INIT(options);
    options.relu = 1;
    options.inputs = 3;
    options.outputs = 2;
    options.weights = weights;
    options.weight_count = 6;
    options.bias = bias;
    options.bias_count = 2;
    sn_pointwise *layer = NULL;
    EXPECT(SN_NULL, sn_pointwise_create(NULL, &layer));
    EXPECT(SN_NULL, sn_pointwise_create(&options, NULL));
#define WRONG(status, field, value) \
    do { \
        wrong = options; \
        wrong.field = value; \
        EXPECT(status, sn_pointwise_create(&wrong, &layer)); \
        TRUE(layer == NULL); \
    } while (0)
    WRONG(SN_STRUCT_SIZE, struct_size, 4);
    WRONG(SN_INVALID_ARGUMENT, relu, 2);
    WRONG(SN_INVALID_ARGUMENT, inputs, 0);
    WRONG(SN_INVALID_ARGUMENT, outputs, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, weight_count, 5);
    WRONG(SN_INVALID_ARGUMENT, weight_count, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, bias_count, 1);
    WRONG(SN_NULL, weights, NULL);
    WRONG(SN_NULL, bias, NULL);
    WRONG(SN_INVALID_ARGUMENT, cpu, "x");
#undef WRONG
    OK(sn_pointwise_create(&options, &layer));
    const char *kernel = NULL;
    OK(sn_pointwise_get_kernel(layer, &kernel));
    TRUE(strstr(kernel, "_pw_") != NULL);
    EXPECT(SN_NULL, sn_pointwise_get_kernel(layer, NULL));
    EXPECT(SN_NULL, sn_pointwise_get_kernel(NULL, &kernel));

    float data[2 * 5] = {1, 9, 1, 1, 9, 2, 9, 2, 2, 9}, results[2 * 3];
    sn_range reads[2] = {{0, 1}, {2, 2}}, writes[2] = {{0, 1}, {2, 1}};
    for (int i = 0; i < 6; i++) results[i] = -7;
    sn_view input;
    sn_view_mut output;
    INIT(input);
    INIT(output);
    input.data = data;
    input.count = 9; /* the last row ends with its columns */
    input.rows = 2;
    input.stride = 5;
    input.ranges = reads;
    input.range_count = 2;
    output.data = results;
    output.count = 6;
    output.rows = 2;
    output.stride = 3;
    output.ranges = writes;
    output.range_count = 2;
    OK(sn_pointwise_run(layer, &input, &output));
    static const float expected[6] = {16, -7, 14, 22, -7, 8};
    TRUE(memcmp(results, expected, sizeof expected) == 0);
    EXPECT(SN_NULL, sn_pointwise_run(NULL, &input, &output));
    EXPECT(SN_NULL, sn_pointwise_run(layer, NULL, &output));
    EXPECT(SN_NULL, sn_pointwise_run(layer, &input, NULL));
#define WRONG(status, view, field, value) \
    do { \
        sn_view input_before = input; \
        sn_view_mut output_before = output; \
        view.field = value; \
        EXPECT(status, sn_pointwise_run(layer, &input, &output)); \
        input = input_before; \
        output = output_before; \
    } while (0)
    WRONG(SN_STRUCT_SIZE, input, struct_size, 0);
    WRONG(SN_STRUCT_SIZE, output, struct_size, 0);
    WRONG(SN_INVALID_ARGUMENT, input, reserved, 1);
    WRONG(SN_INVALID_ARGUMENT, output, reserved, 1);
    WRONG(SN_NULL, input, data, NULL);
    WRONG(SN_NULL, output, data, NULL);
    WRONG(SN_INVALID_ARGUMENT, input, count, 8);
    WRONG(SN_INVALID_ARGUMENT, output, count, 5);
    WRONG(SN_INVALID_ARGUMENT, input, count, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, output, count, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, input, rows, 1);
    WRONG(SN_INVALID_ARGUMENT, input, rows, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, input, stride, 3);
    WRONG(SN_INVALID_ARGUMENT, output, stride, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, input, range_count, 1);
    WRONG(SN_INVALID_ARGUMENT, input, range_count, SIZE_MAX);
    WRONG(SN_NULL, input, ranges, NULL);
    static const sn_range beyond[2][2] = {{{0, 1}, {SIZE_MAX, 2}}, {{0, 1}, {2, SIZE_MAX}}};
    WRONG(SN_INVALID_ARGUMENT, input, ranges, beyond[0]);
    WRONG(SN_INVALID_ARGUMENT, output, ranges, beyond[0]);
    WRONG(SN_INVALID_ARGUMENT, input, ranges, beyond[1]);
    WRONG(SN_INVALID_ARGUMENT, output, ranges, beyond[1]);
    WRONG(SN_MISALIGNED, input, ranges, (const sn_range *)(const void *)((const char *)reads + 1));
    WRONG(SN_MISALIGNED, output, data, (float *)(void *)((char *)results + 2));
    WRONG(SN_INVALID_ARGUMENT, output, data, data + 4); /* in the input */
#undef WRONG
    TRUE(memcmp(results, expected, sizeof expected) == 0);
    /* The first columns of rows without anything between them. */
    INIT(input);
    INIT(output);
    input.data = data;
    input.count = 3;
    input.rows = output.rows = 1;
    output.data = results;
    output.count = 2;
    OK(sn_pointwise_run(layer, &input, &output));
    TRUE(results[0] == 10 + 1 + 18 + 3 && results[1] == 0 && results[2] == 14);
    OK(sn_pointwise_free(&layer));
    TRUE(layer == NULL);
    OK(sn_pointwise_free(&layer));
    EXPECT(SN_NULL, sn_pointwise_free(NULL));
}

static void test_depthwise(void) {
    float weights[18], bias[2] = {0, 100};
    for (int i = 0; i < 18; i++) weights[i] = 1;
    sn_depthwise_options options, wrong;
    INIT(options);
    options.stride = 1;
    options.channels = 2;
    options.weights = weights;
    options.weight_count = 18;
    options.bias = bias;
    options.bias_count = 2;
    sn_depthwise *layer = NULL;
    EXPECT(SN_NULL, sn_depthwise_create(NULL, &layer));
    EXPECT(SN_NULL, sn_depthwise_create(&options, NULL));
#define WRONG(status, field, value) \
    do { \
        wrong = options; \
        wrong.field = value; \
        EXPECT(status, sn_depthwise_create(&wrong, &layer)); \
        TRUE(layer == NULL); \
    } while (0)
    WRONG(SN_STRUCT_SIZE, struct_size, 4);
    WRONG(SN_INVALID_ARGUMENT, stride, 0);
    WRONG(SN_INVALID_ARGUMENT, stride, 3);
    WRONG(SN_INVALID_ARGUMENT, channels, 0);
    WRONG(SN_INVALID_ARGUMENT, channels, SIZE_MAX);
    WRONG(SN_INVALID_ARGUMENT, weight_count, 17);
    WRONG(SN_INVALID_ARGUMENT, bias_count, 3);
    WRONG(SN_NULL, weights, NULL);
    WRONG(SN_NULL, bias, NULL);
    WRONG(SN_INVALID_ARGUMENT, cpu, "reference,");
#undef WRONG
    for (uint32_t stride = 1; stride <= 2; stride++) {
        options.stride = stride;
        OK(sn_depthwise_create(&options, &layer));
        const char *kernel = NULL;
        OK(sn_depthwise_get_kernel(layer, &kernel));
        TRUE(strstr(kernel, stride == 1 ? "_dw3x3s1_" : "_dw3x3s2_") != NULL);
        EXPECT(SN_NULL, sn_depthwise_get_kernel(layer, NULL));
        EXPECT(SN_NULL, sn_depthwise_get_kernel(NULL, &kernel));
        /* 3 x 3 pixels of two channels. */
        float data[18], results[18];
        for (int i = 0; i < 18; i++) data[i] = 1;
        size_t side = stride == 1 ? 3 : 2;
        sn_view input;
        sn_view_mut output;
        INIT(input);
        INIT(output);
        input.data = data;
        input.count = 18;
        input.rows = 9;
        output.data = results;
        output.count = 18;
        output.rows = side * side;
        OK(sn_depthwise_run(layer, &input, 3, &output));
        TRUE(results[0] == 4 && results[1] == 104);
        TRUE(stride == 1 ? results[2] == 6 && results[8] == 9 : results[2] == 4 && results[6] == 4);
        EXPECT(SN_INVALID_ARGUMENT, sn_depthwise_run(layer, &input, 0, &output));
        EXPECT(SN_INVALID_ARGUMENT, sn_depthwise_run(layer, &input, 4, &output));
        EXPECT(SN_INVALID_ARGUMENT, sn_depthwise_run(layer, &input, SIZE_MAX, &output));
        EXPECT(SN_NULL, sn_depthwise_run(NULL, &input, 3, &output));
        EXPECT(SN_NULL, sn_depthwise_run(layer, NULL, 3, &output));
        EXPECT(SN_NULL, sn_depthwise_run(layer, &input, 3, NULL));
        output.data = data;
        EXPECT(SN_INVALID_ARGUMENT, sn_depthwise_run(layer, &input, 3, &output));
        OK(sn_depthwise_free(&layer));
        TRUE(layer == NULL);
    }
    OK(sn_depthwise_free(&layer));
    EXPECT(SN_NULL, sn_depthwise_free(NULL));
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: capi MODEL FRAMES LEVEL\n");
        return 2;
    }
    TRUE(strcmp(sn_last_error(), "") == 0);
    test_versions(argv[3]);
    read_model(argv[1]);
    test_networks(argv[1]);
    test_memory_and_descriptors();
    test_session_options();
    test_arenas();
    test_arenas_of_threads();
    test_sizes_beyond_memory();
    test_cores();
    test_runs();
    test_grey();
    test_wrong_runs();
    test_batches();
    test_crops();
    test_fits();
    test_stored_frames(argv[2]);
    test_camera();
    test_results();
    test_threads();
    test_busy();
    if (!EMULATED) test_forks(); /* qemu loses count of its own threads */
    test_pointwise();
    test_depthwise();
#ifdef TEST_PANIC
    EXPECT(SN_INTERNAL, sn_test_panic());
    TRUE(strcmp(sn_last_error(), "a test's panic") == 0);
    for (int status = SN_OK; status <= SN_INTERNAL; status++) TRUE(met[status]);
#endif
    OK(sn_network_free(&shared));
    free(file_bytes);
    puts("ok");
    return 0;
}
