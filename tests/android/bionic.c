/* What the Android library takes of Android's C library and another C library lacks; and in place of a file that
   is opened by its name, the part of it that lies between AROUND other bytes, opened by its descriptor. */

#include <shufflenet.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int *__errno(void) { return &errno; }

int __system_property_get(const char *name, char *value) {
    (void)name;
    *value = 0;
    return 0;
}

void android_set_abort_message(const char *message) { (void)message; }

#ifdef AROUND
sn_status __wrap_sn_network_open(const char *path, const sn_network_options *options, sn_network **network) {
    int file = open(path, O_RDONLY);
    uint64_t length = (uint64_t)lseek(file, 0, SEEK_END) - 2 * AROUND;
    sn_status status = sn_network_open_fd(file, AROUND, length, options, network);
    close(file);
    return status;
}
#endif
