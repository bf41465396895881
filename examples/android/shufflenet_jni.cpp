// What the object Native in ShuffleNet.kt declares.

#include "shufflenet.hpp"

#include <jni.h>
#include <sched.h>

#include <cstring>

#define NATIVE(type, name) extern "C" JNIEXPORT type JNICALL Java_shufflenet_Native_##name

namespace {

using shufflenet::Network;
using shufflenet::Session;
using shufflenet::make;

struct Classifier {
    Network network;
    Session session;
};

Classifier &classifier(jlong handle) { return *reinterpret_cast<Classifier *>(handle); }

// A text's bytes: Java decodes UTF-8 itself, while JNI's own UTF-8 is another. NULL if memory runs out, which is
// Java's to report.
jbyteArray bytes(JNIEnv *env, const char *text) {
    auto size = static_cast<jsize>(std::strlen(text));
    jbyteArray array = env->NewByteArray(size);
    if (array) env->SetByteArrayRegion(array, 0, size, reinterpret_cast<const jbyte *>(text));
    return array;
}

void raise(JNIEnv *env, sn_status status, const char *text) {
    jclass type = env->FindClass("shufflenet/ShuffleNetException");
    jmethodID make = type ? env->GetMethodID(type, "<init>", "(I[B)V") : nullptr;
    jbyteArray message = make ? bytes(env, text) : nullptr;
    jobject error = message ? env->NewObject(type, make, static_cast<jint>(status), message) : nullptr;
    if (error) env->Throw(static_cast<jthrowable>(error));
}

// Does the work, and turns C++'s exceptions into Java's.
template <class Work>
auto guarded(JNIEnv *env, Work work) -> decltype(work()) {
    try {
        return work();
    } catch (const shufflenet::Error &error) {
        raise(env, error.status(), error.what());
    } catch (const std::exception &error) {
        raise(env, SN_INTERNAL, error.what());
    }
    return decltype(work())();
}

std::vector<std::uint32_t> numbers(JNIEnv *env, jintArray array) {
    std::vector<std::uint32_t> numbers(static_cast<std::size_t>(env->GetArrayLength(array)));
    env->GetIntArrayRegion(array, 0, static_cast<jsize>(numbers.size()), reinterpret_cast<jint *>(numbers.data()));
    return numbers;
}

jlong classifier_of(JNIEnv *env, Network network, jint threads, jintArray cores) {
    auto chosen = numbers(env, cores);
    auto options = make<sn_session_options>();
    options.threads = static_cast<std::uint32_t>(threads);
    options.cores = chosen.empty() ? nullptr : chosen.data();
    options.core_count = chosen.size();
    Session session(network, options);
    return reinterpret_cast<jlong>(new Classifier{std::move(network), std::move(session)});
}

// A direct buffer from its first byte to its last, wherever its position is.
const std::uint8_t *address(JNIEnv *env, jobject buffer) {
    return static_cast<const std::uint8_t *>(env->GetDirectBufferAddress(buffer));
}
std::size_t size(JNIEnv *env, jobject buffer) {
    return static_cast<std::size_t>(env->GetDirectBufferCapacity(buffer));
}

} // namespace

NATIVE(jlong, open)
(JNIEnv *env, jobject, jint file, jlong offset, jlong length, jint threads, jintArray cores) {
    return guarded(env, [&] {
        Network network(file, static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(length));
        return classifier_of(env, std::move(network), threads, cores);
    });
}

NATIVE(jlong, sibling)(JNIEnv *env, jobject, jlong handle, jint threads, jintArray cores) {
    return guarded(env, [&] { return classifier_of(env, classifier(handle).network, threads, cores); });
}

NATIVE(void, close)(JNIEnv *, jobject, jlong handle) { delete &classifier(handle); }

NATIVE(void, runRgba)
(JNIEnv *env, jobject, jlong handle, jobject pixels, jint width, jint height, jint row_stride, jint rotation) {
    guarded(env, [&] {
        auto image = make<sn_image>();
        image.format = SN_RGBA;
        image.width = static_cast<std::uint32_t>(width);
        image.height = static_cast<std::uint32_t>(height);
        image.data = address(env, pixels);
        image.size = size(env, pixels);
        image.row_stride = static_cast<std::size_t>(row_stride);
        image.fit = SN_FIT_CROP;
        image.rotation = static_cast<std::uint32_t>(rotation);
        classifier(handle).session.run(image);
    });
}

// Three planes; their row strides, then their pixel strides.
NATIVE(void, runYuv)
(JNIEnv *env, jobject, jlong handle, jobjectArray planes, jintArray strides, jint width, jint height, jint rotation) {
    guarded(env, [&] {
        jint stride[6] = {};
        env->GetIntArrayRegion(strides, 0, 6, stride);
        auto frame = make<sn_yuv_image>(); // BT.601 in full range, as Android's cameras have it
        frame.width = static_cast<std::uint32_t>(width);
        frame.height = static_cast<std::uint32_t>(height);
        frame.rotation = static_cast<std::uint32_t>(rotation);
        for (int i = 0; i < 3; i++) {
            jobject plane = env->GetObjectArrayElement(planes, i);
            frame.planes[i] = {address(env, plane), size(env, plane), static_cast<std::size_t>(stride[i]),
                               static_cast<std::size_t>(stride[3 + i])};
        }
        classifier(handle).session.run(frame);
    });
}

// Fills both arrays, and returns how far.
NATIVE(jint, top)(JNIEnv *env, jobject, jlong handle, jintArray classes, jfloatArray probabilities) {
    return guarded(env, [&] {
        auto top = classifier(handle).session.top(static_cast<std::size_t>(env->GetArrayLength(classes)));
        for (std::size_t i = 0; i < top.size(); i++) {
            auto index = static_cast<jint>(top[i].index);
            env->SetIntArrayRegion(classes, static_cast<jsize>(i), 1, &index);
            env->SetFloatArrayRegion(probabilities, static_cast<jsize>(i), 1, &top[i].probability);
        }
        return static_cast<jint>(top.size());
    });
}

NATIVE(jbyteArray, label)(JNIEnv *env, jobject, jlong handle, jint index) {
    return guarded(env, [&] {
        const char *label = classifier(handle).network.label(static_cast<std::uint32_t>(index));
        return label ? bytes(env, label) : nullptr;
    });
}

NATIVE(jboolean, keepTo)(JNIEnv *env, jobject, jintArray cores) {
    return guarded(env, [&]() -> jboolean {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (std::uint32_t core : numbers(env, cores)) {
            if (core < CPU_SETSIZE) CPU_SET(core, &set);
        }
        return sched_setaffinity(0, sizeof set, &set) == 0;
    });
}
