/* Classifies a picture: classify MODEL PICTURE.ppm [THREADS]. */

#include <shufflenet.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leaves the program where a call fails. */
static void check(sn_status status) {
    if (status == SN_OK) return;
    fprintf(stderr, "classify: %s\n", sn_last_error());
    exit(1);
}

/* Reads a binary PPM file: 8-bit RGB. */
static uint8_t *read_ppm(const char *path, uint32_t *width, uint32_t *height) {
    FILE *file = fopen(path, "rb");
    unsigned w, h, max;
    if (!file || fscanf(file, "P6 %u %u %u", &w, &h, &max) != 3 || fgetc(file) == EOF || max != 255
        || w == 0 || h == 0 || w > 32768 || h > 32768) {
        fprintf(stderr, "classify: %s is no binary PPM file\n", path);
        exit(1);
    }
    size_t size = (size_t)3 * w * h;
    uint8_t *pixels = malloc(size);
    if (!pixels || fread(pixels, 1, size, file) != size) {
        fprintf(stderr, "classify: %s ends early\n", path);
        exit(1);
    }
    fclose(file);
    *width = w;
    *height = h;
    return pixels;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: classify MODEL.safetensors PICTURE.ppm [THREADS]\n");
        return 2;
    }
    sn_network *network;
    check(sn_network_open(argv[1], NULL, &network));

    sn_session_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.threads = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1;
    sn_session *session;
    check(sn_session_create(network, &options, &session));

    sn_image image;
    memset(&image, 0, sizeof image);
    image.struct_size = sizeof image;
    uint8_t *pixels = read_ppm(argv[2], &image.width, &image.height);
    image.format = SN_RGB;
    image.data = pixels;
    image.size = (size_t)3 * image.width * image.height;
    image.fit = SN_FIT_CROP; /* resize and cut as the model wants it */
    check(sn_session_run(session, &image, 1));

    sn_class top[5];
    size_t count = 5;
    check(sn_session_get_top(session, 0, top, &count));
    for (size_t i = 0; i < count; i++) {
        printf("%6.1f %%  ", 100.0 * top[i].probability);
        if (top[i].label) printf("%s\n", top[i].label);
        else printf("class %u\n", top[i].index);
    }

    free(pixels);
    check(sn_session_free(&session));
    check(sn_network_free(&network));
    return 0;
}
