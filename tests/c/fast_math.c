// Runs an image of subnormal numbers in a program that flushes them to zero, and prints the logits' bits.
// Linked with -ffast-math, by which GCC sets the processor to do so before main.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool fast_math_run(const float *image, float *logits);

static uint64_t settings(void) {
#if defined(__x86_64__)
    uint32_t value;
    __asm__ volatile("stmxcsr %0" : "=m"(value));
    return value & ~0x3fu; // without the flags that arithmetic raises
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
#else
    return 0;
#endif
}

int main(void) {
    static float image[3 * 32 * 32], logits[1000];
    for (uint32_t i = 0; i < 3 * 32 * 32; i++) {
        uint32_t bits = i * 2731 % 0x7fffff; // below the smallest normal number
        memcpy(&image[i], &bits, sizeof bits);
    }
    volatile float smallest = 1.17549435e-38f;
    volatile float half = smallest * 0.5f;
    if (half != 0) {
        fprintf(stderr, "subnormal numbers are not flushed: the test would show nothing\n");
        return 2;
    }
    uint64_t before = settings();
    if (!fast_math_run(image, logits)) return 3;
    if (settings() != before) {
        fprintf(stderr, "the settings were changed\n");
        return 4;
    }
    for (int i = 0; i < 1000; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        printf("%08x\n", bits);
    }
    return 0;
}
