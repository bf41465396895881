// Classifies a picture: classify MODEL PICTURE.ppm

#include "shufflenet.hpp"

#include <cstdio>
#include <fstream>

int main(int argc, char **argv) try {
    if (argc != 3) {
        std::fprintf(stderr, "usage: classify MODEL.safetensors PICTURE.ppm\n");
        return 2;
    }
    // A binary PPM file: 8-bit RGB.
    std::ifstream file(argv[2], std::ios::binary);
    std::string magic;
    std::uint32_t width = 0, height = 0, max = 0;
    file >> magic >> width >> height >> max;
    file.get();
    if (!file || magic != "P6" || max != 255 || width > 32768 || height > 32768) {
        throw std::runtime_error(std::string(argv[2]) + " is no binary PPM file");
    }
    std::vector<std::uint8_t> pixels(std::size_t{3} * width * height);
    if (!file.read(reinterpret_cast<char *>(pixels.data()), static_cast<std::streamsize>(pixels.size()))) {
        throw std::runtime_error(std::string(argv[2]) + " ends early");
    }

    shufflenet::Network network(argv[1]);
    auto options = shufflenet::make<sn_session_options>();
    options.threads = 2; // at most; fewer where there are fewer cores
    shufflenet::Session session(network, options);
    session.run(shufflenet::image(pixels.data(), width, height, SN_RGB));
    for (const sn_class &found : session.top(5)) {
        std::string name = found.label ? found.label : "class " + std::to_string(found.index);
        std::printf("%6.1f %%  %s\n", 100.0 * found.probability, name.c_str());
    }
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "classify: %s\n", error.what());
    return 1;
}
