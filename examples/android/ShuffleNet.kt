package shufflenet

import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.ImageFormat
import android.media.Image
import android.os.ParcelFileDescriptor
import java.io.File
import java.nio.ByteBuffer

/** A class of the model, its name if the file tells one, and how likely the picture shows it. */
data class Prediction(val index: Int, val label: String?, val probability: Float)

/** What was wrong, and what was expected. [status] is one of `shufflenet.h`'s. */
class ShuffleNetException internal constructor(val status: Int, text: ByteArray) : RuntimeException(String(text))

/**
 * Tells what a picture shows. Close it after use.
 *
 * Any thread may call it, and a second one waits for the first. To work on several pictures at once, make a
 * [sibling] for each thread: they share the model.
 */
class ShuffleNet private constructor(private var handle: Long) : AutoCloseable {

    /** The [count] likeliest classes of a bitmap in ARGB_8888, turned clockwise by [rotation] degrees. */
    fun classify(bitmap: Bitmap, rotation: Int = 0, count: Int = 5): List<Prediction> {
        require(bitmap.config == Bitmap.Config.ARGB_8888) { "the bitmap is ${bitmap.config}, expected ARGB_8888" }
        val pixels = ByteBuffer.allocateDirect(bitmap.byteCount)
        bitmap.copyPixelsToBuffer(pixels)
        return classify(pixels, bitmap.width, bitmap.height, bitmap.rowBytes, rotation, count)
    }

    /** The same of bytes of red, green, blue and alpha, of which a row begins every [rowStride] bytes. */
    fun classify(
        rgba: ByteBuffer, width: Int, height: Int, rowStride: Int = 4 * width, rotation: Int = 0, count: Int = 5
    ): List<Prediction> {
        requireDirect(rgba)
        return run(count) { handle -> Native.runRgba(handle, rgba, width, height, rowStride, rotation) }
    }

    /** The same of a camera's frame in YUV_420_888, which is read where it lies. */
    fun classify(image: Image, rotation: Int = 0, count: Int = 5): List<Prediction> {
        require(image.format == ImageFormat.YUV_420_888) { "the format is ${image.format}, expected YUV_420_888" }
        val planes = image.planes
        val buffers = planes.map { it.buffer }.toTypedArray()
        val strides = (planes.map { it.rowStride } + planes.map { it.pixelStride }).toIntArray()
        requireDirect(*buffers)
        return run(count) { handle -> Native.runYuv(handle, buffers, strides, image.width, image.height, rotation) }
    }

    /** Another one with the same model, for another thread. */
    @Synchronized
    fun sibling(threads: Int = 1, cores: IntArray = intArrayOf()): ShuffleNet =
        ShuffleNet(Native.sibling(open(), threads, cores))

    /** Waits for what is running. Afterwards only [close] may be called. */
    @Synchronized
    override fun close() {
        if (handle != 0L) Native.close(handle)
        handle = 0
    }

    private fun open(): Long {
        check(handle != 0L) { "this ShuffleNet is closed" }
        return handle
    }

    @Synchronized
    private fun run(count: Int, picture: (Long) -> Unit): List<Prediction> {
        require(count > 0) { "the count is $count, expected at least 1" }
        picture(open())
        val classes = IntArray(count)
        val probabilities = FloatArray(count)
        val found = Native.top(handle, classes, probabilities)
        return List(found) {
            val label = Native.label(handle, classes[it])?.let { bytes -> String(bytes) }
            Prediction(classes[it], label, probabilities[it])
        }
    }

    companion object {
        /**
         * Opens a model among the app's assets, which is stored there without compression. [threads] share a
         * picture; all but the caller's keep to [cores], or where there are none to those of the thread that opens.
         */
        fun open(assets: AssetManager, name: String, threads: Int = 1, cores: IntArray = intArrayOf()): ShuffleNet =
            assets.openFd(name).use { open(it.parcelFileDescriptor, it.startOffset, it.length, threads, cores) }

        /** Opens a model that is [length] bytes of a file. */
        fun open(
            file: ParcelFileDescriptor, offset: Long = 0, length: Long = file.statSize - offset,
            threads: Int = 1, cores: IntArray = intArrayOf()
        ): ShuffleNet = ShuffleNet(Native.open(file.fd, offset, length, threads, cores))

        /** The [count] fastest of the phone's cores; none where the system does not tell. */
        fun fastestCores(count: Int): IntArray = fastestCores(count, File("/sys/devices/system/cpu"))

        internal fun fastestCores(count: Int, system: File): IntArray {
            val cores = generateSequence(0) { it + 1 }.map { File(system, "cpu$it") }.takeWhile { it.isDirectory }.toList()
            val speeds = listOf("cpu_capacity", "cpufreq/cpuinfo_max_freq")
                .map { file -> cores.map { speed(File(it, file)) } }
                .firstOrNull { null !in it } ?: return intArrayOf()
            return cores.indices.sortedByDescending { speeds[it] }.take(count).toIntArray()
        }

        private fun speed(file: File): Int? = try { file.readText().trim().toInt() } catch (_: Exception) { null }

        /** Keeps the calling thread to some cores. False where the system does not let it. */
        fun keepTo(cores: IntArray): Boolean = Native.keepTo(cores)

        private fun requireDirect(vararg buffers: ByteBuffer) =
            require(buffers.all { it.isDirect }) { "a buffer is not direct" }
    }
}

/** `shufflenet_jni.cpp`. */
private object Native {
    init {
        System.loadLibrary("shufflenet_jni")
    }

    external fun open(file: Int, offset: Long, length: Long, threads: Int, cores: IntArray): Long
    external fun sibling(handle: Long, threads: Int, cores: IntArray): Long
    external fun close(handle: Long)

    external fun runRgba(handle: Long, pixels: ByteBuffer, width: Int, height: Int, rowStride: Int, rotation: Int)
    external fun runYuv(
        handle: Long, planes: Array<ByteBuffer>, strides: IntArray, width: Int, height: Int, rotation: Int
    )

    external fun top(handle: Long, classes: IntArray, probabilities: FloatArray): Int
    external fun label(handle: Long, index: Int): ByteArray?

    external fun keepTo(cores: IntArray): Boolean
}
