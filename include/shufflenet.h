/* ShuffleNet v2 on the CPU. The manual is docs/c.md.
   Made by cbindgen of the Rust library's src/capi; see cbindgen.toml. */

#ifndef SHUFFLENET_H
#define SHUFFLENET_H

#include <stddef.h>
#include <stdint.h>

// Version of this interface. Functions and fields are added under the same number; it grows when a
// program must be changed or compiled again.
#define SN_ABI_VERSION 1

// What a function returns. Later versions may add values.
enum sn_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It did what it says.
  SN_OK = 0,
  // A pointer is NULL that must not be.
  SN_NULL = 1,
  // An argument or a field is out of range, or does not fit the others.
  SN_INVALID_ARGUMENT = 2,
  // A pointer is not aligned to what it points to.
  SN_MISALIGNED = 3,
  // A `struct_size` is that of no version, or a field is set that this version does not know.
  SN_STRUCT_SIZE = 4,
  // Memory that the caller gave is smaller than what the function needs.
  SN_TOO_SMALL = 5,
  // A file cannot be opened or read.
  SN_IO = 6,
  // A file is not a model that this library can run.
  SN_MODEL = 7,
  // The session is in use by another thread. Nothing was done.
  SN_BUSY = 8,
  // Nothing was run yet, or not so many images.
  SN_NO_RESULT = 9,
  // This build, this system or this CPU cannot do it.
  SN_UNSUPPORTED = 10,
  // There is not so much memory.
  SN_NO_MEMORY = 11,
  // An error in the library itself. The call had no effect, or left a session's results undefined.
  SN_INTERNAL = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sn_status sn_status;
#else
typedef int32_t sn_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A 3x3 convolution of each channel by itself, padding 1. Any number of threads may run it at once.
typedef struct sn_depthwise sn_depthwise;

// A model ready to run. Immutable and counted: any number of threads may use it at once.
typedef struct sn_network sn_network;

// A 1x1 convolution: packed once, run on any number of pixels by any number of threads at once.
typedef struct sn_pointwise sn_pointwise;

// A network bound to an image size and memory. Used by one thread at a time; make one for each.
typedef struct sn_session sn_session;

// This machine's CPU. The texts are always there.
typedef struct sn_cpu_info {
  // `sizeof(sn_cpu_info)`.
  uint32_t struct_size;
  // 0.
  uint32_t reserved;
  // The highest level of instructions that kernels use: `reference`, `portable`, `avx2`, `avx512` or
  // `neon`.
  const char *level;
  // The core type that kernels are scheduled for: `a53`, `a55` or `big`.
  const char *core;
  // Every level that this CPU has, the slowest first, with spaces between.
  const char *levels;
  // Instruction set extensions that were found and matter to kernels, with spaces between.
  const char *features;
} sn_cpu_info;

// A 1x1 convolution's weights, which are copied.
typedef struct sn_pointwise_options {
  // `sizeof(sn_pointwise_options)`.
  uint32_t struct_size;
  // 1: negative outputs become 0. 0: they stay.
  uint32_t relu;
  // Input channels, at least 1.
  size_t inputs;
  // Output channels, at least 1.
  size_t outputs;
  // `[output][input]`.
  const float *weights;
  // Number of weights.
  size_t weight_count;
  // One for each output.
  const float *bias;
  // Number of biases.
  size_t bias_count;
  // Which kernel to use, in the words of `sn_network_options`.
  const char *cpu;
} sn_pointwise_options;

// Columns `start` to `start + len - 1` of a matrix.
typedef struct sn_range {
  // First column.
  size_t start;
  // Number of columns.
  size_t len;
} sn_range;

// Pixels to read: a row of the matrix for each pixel, a column for each channel.
typedef struct sn_view {
  // `sizeof(sn_view)`.
  uint32_t struct_size;
  // 0.
  uint32_t reserved;
  // Column 0 of the first row.
  const float *data;
  // Floats at `data`; the last row may end where its columns end.
  size_t count;
  // Number of rows.
  size_t rows;
  // Floats from one row to the next; 0 stands for the layer's number of columns.
  size_t stride;
  // The columns: ascending, disjoint, none empty, as many in all as the layer has. NULL: the first
  // ones.
  const struct sn_range *ranges;
  // Number of ranges.
  size_t range_count;
} sn_view;

// Pixels to write; as `sn_view`. Nothing outside the columns is touched.
typedef struct sn_view_mut {
  // `sizeof(sn_view_mut)`.
  uint32_t struct_size;
  // 0.
  uint32_t reserved;
  // Column 0 of the first row. Overlaps no input.
  float *data;
  // Floats at `data`.
  size_t count;
  // Number of rows.
  size_t rows;
  // Floats from one row to the next; 0 stands for the layer's number of columns.
  size_t stride;
  // The columns.
  const struct sn_range *ranges;
  // Number of ranges.
  size_t range_count;
} sn_view_mut;

// A depthwise convolution's weights, which are copied.
typedef struct sn_depthwise_options {
  // `sizeof(sn_depthwise_options)`.
  uint32_t struct_size;
  // 1 or 2, in both directions.
  uint32_t stride;
  // Number of channels, at least 1.
  size_t channels;
  // `[channel][kernel row][kernel column]`, 9 for each channel.
  const float *weights;
  // Number of weights.
  size_t weight_count;
  // One for each channel.
  const float *bias;
  // Number of biases.
  size_t bias_count;
  // Which kernel to use, in the words of `sn_network_options`.
  const char *cpu;
} sn_depthwise_options;

// How a network is opened. All zeros but for the size, or NULL, is the default.
typedef struct sn_network_options {
  // `sizeof(sn_network_options)`.
  uint32_t struct_size;
  // 0.
  uint32_t reserved;
  // The CPU that weights are packed for: a level (`reference`, `portable`, `avx2`, `avx512`, `neon`),
  // and after a comma a core type (`a53`, `a55`, `big`). NULL: what the environment variable
  // `SHUFFLENET_CPU` says, or else all that this CPU has.
  const char *cpu;
} sn_network_options;

// How a picture is resized before the middle is cut out: `SN_MODEL_FIT_CROP`, `SN_MODEL_FIT_STRETCH` or
// `SN_MODEL_FIT_PAD`.
typedef uint32_t sn_model_fit;

// What a model is. The texts belong to the network.
typedef struct sn_network_info {
  // `sizeof(sn_network_info)`.
  uint32_t struct_size;
  // Number of classes: logits of an image.
  uint32_t classes;
  // Pooled features of an image.
  uint32_t features;
  // Height and width of the images that it was made for, in pixels.
  uint32_t crop;
  // Length of a picture's sides that `fit` names before the centre is cut out, in pixels.
  uint32_t resize;
  // Output channels of the first convolution.
  uint32_t stem_channels;
  // Channels of stages 2, 3 and 4.
  uint32_t stage_channels[3];
  // Units of stages 2, 3 and 4.
  uint32_t stage_units[3];
  // Mean of red, green and blue, in 0 to 1, by which 8-bit pixels are normalised.
  float mean[3];
  // Their standard deviation.
  float std[3];
  // 1 if the file names the classes, else 0.
  uint32_t has_labels;
  // How a picture is resized.
  sn_model_fit fit;
  // `x0.5`, `x1.0`, `x1.5`, `x2.0` or `custom`.
  const char *name;
  // Where the model comes from; NULL if its file does not say.
  const char *provenance;
} sn_network_info;

// What the caller decides about a session. All zeros but for the size, or NULL, is the default.
typedef struct sn_session_options {
  // `sizeof(sn_session_options)`.
  uint32_t struct_size;
  // Height of the images in pixels; with the width 0, the model's `crop`.
  uint32_t height;
  // Width of the images in pixels; with the height 0, the model's `crop`.
  uint32_t width;
  // Most images in a run; 0 is 1.
  uint32_t batch;
  // Threads that share an image, the caller's among them; 0 is 1. No more than the cores that they may
  // use, and than an image has parts: `sn_session_get_info` tells how many there are. Results do not depend
  // on it.
  uint32_t threads;
  // 1: as many threads as asked for, whatever the machine has. 0: not more than cores.
  uint32_t exact_threads;
  // Which kernels to use, in the words of `sn_network_options`; NULL: the network's.
  const char *cpu;
  // Numbers of the CPUs that all threads but the caller's keep to, as `/sys/devices/system/cpu` counts them.
  // NULL: those that the thread that makes the session may use. On systems other than Linux and Android a
  // choice is `SN_UNSUPPORTED`.
  const uint32_t *cores;
  // How many numbers there are; 0 with NULL.
  size_t core_count;
} sn_session_options;

// What a session was made with. The texts are always there.
typedef struct sn_session_info {
  // `sizeof(sn_session_info)`.
  uint32_t struct_size;
  // Height of the images, in pixels.
  uint32_t height;
  // Width of the images, in pixels.
  uint32_t width;
  // Most images in a run.
  uint32_t batch;
  // Threads that share an image, the caller's among them.
  uint32_t threads;
  // 0.
  uint32_t reserved;
  // Bytes of its arena.
  size_t arena_size;
  // The level of instructions in use.
  const char *level;
  // The core type that kernels are scheduled for.
  const char *core;
} sn_session_info;

// An operation of the network; see `sn_session_get_kernel`.
typedef uint32_t sn_operation;

// Order of the bytes of a pixel: one of `SN_RGB`, `SN_BGR`, `SN_RGBA`, `SN_BGRA`, `SN_GREY8`.
typedef uint32_t sn_pixel_format;

// How a picture becomes as large as the session's images: `SN_FIT_NONE` or `SN_FIT_CROP`.
typedef uint32_t sn_fit;

// A picture of 8-bit pixels: the top row first. It is normalised with the model's mean and standard
// deviation.
typedef struct sn_image {
  // `sizeof(sn_image)`.
  uint32_t struct_size;
  // The order of the bytes of a pixel.
  sn_pixel_format format;
  // Pixels in a row, at least 1.
  uint32_t width;
  // Rows, at least 1.
  uint32_t height;
  // The first pixel.
  const uint8_t *data;
  // Bytes at `data`; the last row may end where its pixels end.
  size_t size;
  // Bytes from one row to the next; 0 stands for rows without anything between them.
  size_t row_stride;
  // How it becomes as large as the session's images.
  sn_fit fit;
  // Degrees by which it is turned clockwise to stand upright: 0, 90, 180 or 270; 0 with `SN_FIT_NONE`.
  uint32_t rotation;
} sn_image;

// The standard by which RGB became YUV: `SN_BT601` or `SN_BT709`.
typedef uint32_t sn_yuv_matrix;

// The values of YUV: `SN_FULL_RANGE` or `SN_LIMITED_RANGE`.
typedef uint32_t sn_yuv_range;

// One of a camera frame's planes, as Android's `Image.Plane` describes it. Planes may share memory.
typedef struct sn_plane {
  // The first pixel.
  const uint8_t *data;
  // Bytes at `data`; the plane may end with its last pixel.
  size_t size;
  // Bytes from one row to the next; 0 stands for rows without anything between them.
  size_t row_stride;
  // Bytes from one pixel to the next: 1 for Y, 1 (I420, YV12) or 2 (NV12, NV21) for U and V. 0 stands
  // for 1.
  size_t pixel_stride;
} sn_plane;

// A camera's frame in YUV 4:2:0: a plane of luma, and two of chroma with half its width and height, rounded
// up. It is turned, resized and cut as with `SN_FIT_CROP`, and normalised.
typedef struct sn_yuv_image {
  // `sizeof(sn_yuv_image)`.
  uint32_t struct_size;
  // The standard by which RGB became YUV.
  sn_yuv_matrix matrix;
  // The values of luma and chroma.
  sn_yuv_range range;
  // Degrees by which it is turned clockwise to stand upright: 0, 90, 180 or 270; Android's
  // `rotationDegrees`.
  uint32_t rotation;
  // Pixels in a row of luma, before it is turned.
  uint32_t width;
  // Rows of luma, before it is turned.
  uint32_t height;
  // Y, U and V.
  struct sn_plane planes[3];
} sn_yuv_image;

// Order of an image's floats: `SN_NHWC` or `SN_NCHW`.
typedef uint32_t sn_layout;

// An image of normalised floats, of the session's size. All are finite: NaN or an infinity is
// `SN_INVALID_ARGUMENT`, and the run has no results.
typedef struct sn_float_image {
  // `sizeof(sn_float_image)`.
  uint32_t struct_size;
  // The order of the floats.
  sn_layout layout;
  // The first float.
  const float *data;
  // Number of floats: 3 x height x width of the session.
  size_t count;
} sn_float_image;

// A class and its score.
typedef struct sn_class {
  // Its name, which belongs to the network; NULL if the file names none.
  const char *label;
  // Its number.
  uint32_t index;
  // What the network gives for it.
  float logit;
  // The softmax of the image's logits for it.
  float probability;
} sn_class;

// Red, green, blue.
#define SN_RGB 0

// Blue, green, red.
#define SN_BGR 1

// Red, green, blue, and an alpha that is ignored.
#define SN_RGBA 2

// Blue, green, red, and an alpha that is ignored.
#define SN_BGRA 3

// One grey value, which is red, green and blue.
#define SN_GREY8 4

// It has the session's size.
#define SN_FIT_NONE 0

// It has any size, and the session's images are square: it is resized to the model's `resize` as its `fit`
// says, bilinear and antialiased, and the middle is cut out, to the bit as torchvision does it with Pillow.
// Where the session's size is not the model's `crop`, `resize` follows in proportion.
#define SN_FIT_CROP 1

// ITU-R BT.601: JPEG, and most phone cameras.
#define SN_BT601 0

// ITU-R BT.709: HD video.
#define SN_BT709 1

// Luma 0 to 255: JPEG, and Android's camera by default.
#define SN_FULL_RANGE 0

// Luma 16 to 235, chroma 16 to 240: video.
#define SN_LIMITED_RANGE 1

// `[height][width][red, green, blue]`.
#define SN_NHWC 0

// `[red, green, blue][height][width]`.
#define SN_NCHW 1

// The shorter side becomes `resize`, and the longer keeps the ratio.
#define SN_MODEL_FIT_CROP 0

// Both sides become `resize`, and the ratio is lost.
#define SN_MODEL_FIT_STRETCH 1

// The longer side becomes `resize`, and the shorter keeps the ratio; the mean fills what is missing.
#define SN_MODEL_FIT_PAD 2

// The first convolution.
#define SN_STEM 0

// The max pool.
#define SN_MAX_POOL 1

// 1x1 convolutions.
#define SN_POINTWISE 2

// 3x3 depthwise convolutions of stride 1.
#define SN_DEPTHWISE_STRIDE_1 3

// 3x3 depthwise convolutions of stride 2.
#define SN_DEPTHWISE_STRIDE_2 4

// The last 1x1 convolution, with the mean over all pixels.
#define SN_POINTWISE_MEAN 5

// The fully connected layer.
#define SN_FULLY_CONNECTED 6

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Stores the library's `SN_ABI_VERSION`, to be compared with the header's.
//
// # Safety
// `version` is NULL or points to a `uint32_t`.
sn_status sn_abi_version(uint32_t *version);

// Stores the library's version, such as `1.2.3`; a text that is always there.
//
// # Safety
// `version` is NULL or points to a pointer.
sn_status sn_version(const char **version);

// Tells what this CPU can do. `SHUFFLENET_CPU` changes nothing here.
//
// # Safety
// `info` is NULL or points to as many bytes as its `struct_size` says.
sn_status sn_cpu_get_info(struct sn_cpu_info *info);

// Packs a 1x1 convolution. Stores NULL where it fails. Give it back with `sn_pointwise_free`.
//
// # Safety
// `options` is NULL or points to as many bytes as its `struct_size` says, and its pointers are NULL or
// cover what the counts say; `pointwise` is NULL or points to a pointer.
sn_status sn_pointwise_create(const struct sn_pointwise_options *options,
                              struct sn_pointwise **pointwise);

// Computes as many pixels as both views have rows, in the caller's floating-point environment.
//
// # Safety
// `pointwise` is NULL or a layer that is not freed; `input` and `output` are NULL or point to as many
// bytes as their `struct_size` says, and their pointers are NULL or cover what the counts say; nobody
// writes the input's data or uses the output's.
sn_status sn_pointwise_run(const struct sn_pointwise *pointwise,
                           const struct sn_view *input,
                           const struct sn_view_mut *output);

// Stores the name of the kernel in use; the text belongs to the layer.
//
// # Safety
// `pointwise` is NULL or a layer that is not freed; `name` is NULL or points to a pointer.
sn_status sn_pointwise_get_kernel(const struct sn_pointwise *pointwise, const char **name);

// Frees a layer and stores NULL in its place. Does nothing where there is NULL already.
//
// # Safety
// `pointwise` is NULL or points to NULL or to a layer that is not freed and not in use.
sn_status sn_pointwise_free(struct sn_pointwise **pointwise);

// Packs a depthwise convolution. Stores NULL where it fails. Give it back with `sn_depthwise_free`.
//
// # Safety
// As for `sn_pointwise_create`.
sn_status sn_depthwise_create(const struct sn_depthwise_options *options,
                              struct sn_depthwise **depthwise);

// Computes a whole image: the input's rows are its pixels in reading order, `width` in an image row; the
// output's are `ceil(height / stride) * ceil(width / stride)` pixels. In the caller's floating-point
// environment.
//
// # Safety
// As for `sn_pointwise_run`.
sn_status sn_depthwise_run(const struct sn_depthwise *depthwise,
                           const struct sn_view *input,
                           size_t width,
                           const struct sn_view_mut *output);

// Stores the name of the kernel in use; the text belongs to the layer.
//
// # Safety
// `depthwise` is NULL or a layer that is not freed; `name` is NULL or points to a pointer.
sn_status sn_depthwise_get_kernel(const struct sn_depthwise *depthwise, const char **name);

// Frees a layer and stores NULL in its place. Does nothing where there is NULL already.
//
// # Safety
// `depthwise` is NULL or points to NULL or to a layer that is not freed and not in use.
sn_status sn_depthwise_free(struct sn_depthwise **depthwise);

// Opens a safetensors file. Other checkpoints go through `shufflenet convert`.
//
// Stores NULL where it fails. Give the network back with `sn_network_free`.
//
// # Safety
// `path` is NULL or a text that ends with a zero; `options` is NULL or points to as many bytes as its
// `struct_size` says; `network` is NULL or points to a pointer.
sn_status sn_network_open(const char *path,
                          const struct sn_network_options *options,
                          struct sn_network **network);

// Opens the bytes of a safetensors file. They are copied: the caller may free them afterwards.
//
// # Safety
// `data` is NULL or points to `size` bytes; the rest is as for `sn_network_open`.
sn_status sn_network_open_memory(const void *data,
                                 size_t size,
                                 const struct sn_network_options *options,
                                 struct sn_network **network);

// Opens `length` bytes at `offset` of a file, such as an asset in an Android package. The descriptor is
// neither closed nor moved, and its file is a regular one. On systems that are not like Unix the result is
// `SN_UNSUPPORTED`.
//
// # Safety
// `fd` is no descriptor, or one that stays open during the call; the rest is as for `sn_network_open`.
sn_status sn_network_open_fd(int fd,
                             uint64_t offset,
                             uint64_t length,
                             const struct sn_network_options *options,
                             struct sn_network **network);

// Counts one more owner, who calls `sn_network_free` too.
//
// # Safety
// `network` is NULL or a network that is not freed.
sn_status sn_network_retain(const struct sn_network *network);

// Gives up one owner's network and stores NULL in its place. Memory is freed when no owner and no
// session is left. Does nothing where there is NULL already.
//
// # Safety
// `network` is NULL or points to NULL or to a network that is not freed.
sn_status sn_network_free(struct sn_network **network);

// Tells what a model is.
//
// # Safety
// `network` is NULL or a network that is not freed; `info` is NULL or points to as many bytes as its
// `struct_size` says.
sn_status sn_network_get_info(const struct sn_network *network,
                              struct sn_network_info *info);

// Stores the name of a class; NULL if the file names none. UTF-8; it belongs to the network.
//
// # Safety
// `network` is NULL or a network that is not freed; `label` is NULL or points to a pointer.
sn_status sn_network_get_label(const struct sn_network *network,
                               uint32_t class_index,
                               const char **label);

// Stores how many bytes a session with these options needs for its arena, and what their address must
// be a multiple of.
//
// # Safety
// `network` is NULL or a network that is not freed; `options` is NULL or points to as many bytes as its
// `struct_size` says, and its pointers are NULL or cover what they should; `size` and `alignment` are NULL or
// point to a `size_t`.
sn_status sn_session_get_arena(const struct sn_network *network,
                               const struct sn_session_options *options,
                               size_t *size,
                               size_t *alignment);

// Makes a session, with an arena of its own. It keeps the network: that may be freed before.
//
// Stores NULL where it fails. Give the session back with `sn_session_free`.
//
// # Safety
// `network` is NULL or a network that is not freed; `options` is NULL or points to as many bytes as its
// `struct_size` says, and its pointers are NULL or cover what they should; `session` is NULL or points to a
// pointer.
sn_status sn_session_create(const struct sn_network *network,
                            const struct sn_session_options *options,
                            struct sn_session **session);

// Makes a session that works in the caller's memory, of the size and alignment that
// `sn_session_get_arena` tells. What the memory holds is lost; it must stay until the session is freed,
// and nobody else may use it.
//
// # Safety
// `arena` is NULL or points to `size` bytes of which the above is true; the rest is as for
// `sn_session_create`.
sn_status sn_session_create_in(const struct sn_network *network,
                               const struct sn_session_options *options,
                               void *arena,
                               size_t size,
                               struct sn_session **session);

// Frees a session and stores NULL in its place. Does nothing where there is NULL already, and leaves a
// session that is in use as it is (`SN_BUSY`). Of one that was in use when this process was forked, the
// memory stays.
//
// # Safety
// `session` is NULL or points to NULL or to a session that is not freed.
sn_status sn_session_free(struct sn_session **session);

// Tells what a session was made with.
//
// # Safety
// `session` is NULL or a session that is not freed; `info` is NULL or points to as many bytes as its
// `struct_size` says.
sn_status sn_session_get_info(const struct sn_session *session,
                              struct sn_session_info *info);

// Stores the name of the kernel that a session uses for an operation, such as `f32_pw_6x16_avx2`. The
// text belongs to the session.
//
// # Safety
// `session` is NULL or a session that is not freed; `name` is NULL or points to a pointer.
sn_status sn_session_get_kernel(const struct sn_session *session,
                                sn_operation operation,
                                const char **name);

// Runs the network on 8-bit pictures, at most as many as the session's batch. All have the same
// `struct_size`. With `SN_FIT_CROP`, memory is allocated when a picture's size or rotation is not the last
// one's; else nothing is.
//
// # Safety
// `session` is NULL or a session that is not freed; `images` is NULL or points to `count` structs, each
// of whose `data` is NULL or points to `size` bytes that nobody writes.
sn_status sn_session_run(struct sn_session *session,
                         const struct sn_image *images,
                         size_t count);

// Runs the network on a camera's frames, at most as many as the session's batch, whose images are square.
// All have the same `struct_size`. Memory is allocated when a frame's size or rotation is not the last
// one's; else nothing is.
//
// # Safety
// `session` is NULL or a session that is not freed; `images` is NULL or points to `count` structs, of whose
// planes each `data` is NULL or points to `size` bytes that nobody writes.
sn_status sn_session_run_yuv(struct sn_session *session,
                             const struct sn_yuv_image *images,
                             size_t count);

// Runs the network on images of normalised floats, at most as many as the session's batch. All have the
// same `struct_size`. Allocates nothing. Where a float is NaN or infinite, there are no results of any image.
//
// # Safety
// `session` is NULL or a session that is not freed; `images` is NULL or points to `count` structs, each
// of whose `data` is NULL or points to `count` floats that nobody writes.
sn_status sn_session_run_floats(struct sn_session *session,
                                const struct sn_float_image *images,
                                size_t count);

// Stores where an image's logits are: one for each class. They belong to the session and stay until it
// runs again.
//
// # Safety
// `session` is NULL or a session that is not freed; `logits` and `count` are NULL or point to a pointer
// and to a `size_t`.
sn_status sn_session_get_logits(const struct sn_session *session,
                                size_t image,
                                const float **logits,
                                size_t *count);

// Stores where an image's pooled features are: what the classifier sees. They belong to the session and
// stay until it runs again.
//
// # Safety
// `session` is NULL or a session that is not freed; `features` and `count` are NULL or point to a
// pointer and to a `size_t`.
sn_status sn_session_get_features(const struct sn_session *session,
                                  size_t image,
                                  const float **features,
                                  size_t *count);

// Stores an image's `count` classes with the largest logits, the largest first, and of equal ones the
// lower class first; NaN counts as the smallest. `count` becomes how many were stored: fewer where the
// network has fewer classes.
//
// # Safety
// `session` is NULL or a session that is not freed; `count` is NULL or points to a `size_t`; `classes`
// is NULL or points to room for so many.
sn_status sn_session_get_top(const struct sn_session *session,
                             size_t image,
                             struct sn_class *classes,
                             size_t *count);

// Turns logits into probabilities. `probabilities` is `logits`, or overlaps it nowhere.
//
// # Safety
// `logits` and `probabilities` are NULL or point to `count` floats.
sn_status sn_softmax(const float *logits, size_t count, float *probabilities);

// The text of the calling thread's last failure: what was wrong, and what was expected. UTF-8, empty
// before any failure, and valid until the thread's next one.
const char *sn_last_error(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SHUFFLENET_H */
