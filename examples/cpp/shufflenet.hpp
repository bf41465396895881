// ShuffleNet v2 for C++17: the handles of shufflenet.h as objects that free themselves, and failures as
// exceptions. Copy it into a program.

#ifndef SHUFFLENET_HPP
#define SHUFFLENET_HPP

#include <shufflenet.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace shufflenet {

// What went wrong, and what was expected.
class Error : public std::runtime_error {
public:
    explicit Error(sn_status status) : std::runtime_error(sn_last_error()), status_(status) {}
    sn_status status() const noexcept { return status_; }

private:
    sn_status status_;
};

inline void check(sn_status status) {
    if (status != SN_OK) throw Error(status);
}

// A struct of the interface with its size, and zeros.
template <class T>
T make() {
    T value{};
    value.struct_size = sizeof(T);
    return value;
}

// 8-bit pixels without anything between the rows.
inline sn_image image(const std::uint8_t *pixels, std::uint32_t width, std::uint32_t height,
                      sn_pixel_format format, sn_fit fit = SN_FIT_CROP) {
    sn_image image = make<sn_image>();
    image.format = format;
    image.width = width;
    image.height = height;
    image.data = pixels;
    const std::size_t bytes = format == SN_GREY8 ? 1 : format == SN_RGB || format == SN_BGR ? 3 : 4;
    image.size = bytes * width * height;
    image.fit = fit;
    return image;
}

// A model ready to run. Copies share it, and any number of threads may use it at once.
class Network {
public:
    explicit Network(const std::string &path) { check(sn_network_open(path.c_str(), nullptr, &handle_)); }
    Network(const void *data, std::size_t size) {
        check(sn_network_open_memory(data, size, nullptr, &handle_));
    }
    // A part of a file, whose descriptor stays the caller's.
    Network(int descriptor, std::uint64_t offset, std::uint64_t length) {
        check(sn_network_open_fd(descriptor, offset, length, nullptr, &handle_));
    }
    Network(const Network &other) : handle_(other.handle_) {
        if (handle_) check(sn_network_retain(handle_));
    }
    Network(Network &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Network &operator=(Network other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Network() { sn_network_free(&handle_); }

    sn_network_info info() const {
        auto info = make<sn_network_info>();
        check(sn_network_get_info(handle_, &info));
        return info;
    }
    // The name of a class; NULL if the file names none.
    const char *label(std::uint32_t class_index) const {
        const char *label = nullptr;
        check(sn_network_get_label(handle_, class_index, &label));
        return label;
    }
    const sn_network *get() const noexcept { return handle_; }

private:
    sn_network *handle_ = nullptr;
};

// A network bound to an image size and memory, for one thread at a time.
class Session {
public:
    explicit Session(const Network &network, sn_session_options options = make<sn_session_options>()) {
        check(sn_session_create(network.get(), &options, &handle_));
    }
    Session(Session &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Session &operator=(Session &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Session() { sn_session_free(&handle_); }

    void run(const sn_image &image) { check(sn_session_run(handle_, &image, 1)); }
    void run(const std::vector<sn_image> &images) {
        check(sn_session_run(handle_, images.data(), images.size()));
    }
    void run(const sn_yuv_image &frame) { check(sn_session_run_yuv(handle_, &frame, 1)); }
    void run(const sn_float_image &image) { check(sn_session_run_floats(handle_, &image, 1)); }

    // The classes with the largest logits of an image that ran, the largest first.
    std::vector<sn_class> top(std::size_t count, std::size_t image = 0) const {
        std::vector<sn_class> classes(count);
        check(sn_session_get_top(handle_, image, classes.data(), &count));
        classes.resize(count);
        return classes;
    }
    std::vector<float> logits(std::size_t image = 0) const {
        const float *data = nullptr;
        std::size_t count = 0;
        check(sn_session_get_logits(handle_, image, &data, &count));
        return {data, data + count};
    }
    sn_session *get() const noexcept { return handle_; }

private:
    sn_session *handle_ = nullptr;
};

} // namespace shufflenet

#endif
