/* load_unload LIBRARY: a program that opens and closes the library again and again, also on threads that end. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "voxlane.h"

enum { TIMES = 60, N = 24, VOXELS = N * N * N };

static const char *path;
static float image[VOXELS], labels[VOXELS], first[VOXELS];

static void *open_call_close(void *argument)
{
    voxlane_status (*steepest)(const voxlane_array *, const voxlane_array_mut *, const voxlane_steepest_options *);
    void (*init)(voxlane_steepest_options *);
    voxlane_array source = {image, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_array_mut target = {labels, {N, N, N}, {N * N, N, 1}, VOXLANE_F32};
    voxlane_steepest_options options;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(library != NULL, "%s", dlerror()))
        return NULL;
    *(void **)&steepest = dlsym(library, "voxlane_steepest");
    *(void **)&init = dlsym(library, "voxlane_steepest_options_init");
    init(&options);
    options.threads = *(int *)argument;
    CHECK(steepest(&source, &target, &options) == VOXLANE_OK, "call with %d threads", options.threads);
    CHECK(dlclose(library) == 0, "%s", dlerror());
    /* Helpers may still sleep in its code: closed does not mean gone. */
    library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    CHECK(library != NULL, "the library was unloaded");
    if (library != NULL)
        dlclose(library);
    return NULL;
}

int main(int argc, char **argv)
{
    int i;
    if (argc != 2)
        return 2;
    path = argv[1];
    for (i = 0; i < VOXELS; ++i)
        image[i] = (float)(i * 31 % 257);
    for (i = 0; i < TIMES; ++i) {
        int threads = i % 4 + 1;
        if (i % 2 == 0) {
            open_call_close(&threads);
        } else {
            pthread_t thread;
            if (pthread_create(&thread, NULL, open_call_close, &threads) != 0)
                abort();
            pthread_join(thread, NULL);
        }
        if (i == 0)
            memcpy(first, labels, sizeof first);
        CHECK(memcmp(first, labels, sizeof first) == 0, "time %d: other labels", i);
        memset(labels, 0, sizeof labels);
    }
    return checks_done("load and unload");
}
