// Runs examples/android in a Java virtual machine: Test MODEL PICTURE.ppm

package shufflenet

import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.ImageFormat
import android.media.Image
import android.os.ParcelFileDescriptor
import java.io.File
import java.nio.ByteBuffer
import kotlin.concurrent.thread
import kotlin.math.abs
import kotlin.math.roundToInt

const val SN_INVALID_ARGUMENT = 2
const val SN_MODEL = 7

/** Red, green and blue. */
class Picture(val width: Int, val height: Int, val rgb: (x: Int, y: Int) -> IntArray) {
    /** Bytes of red, green, blue and alpha, with `gap` bytes between rows. */
    fun rgba(gap: Int): ByteArray {
        val stride = 4 * width + gap
        val bytes = ByteArray(stride * height) { 0x55 }
        for (y in 0 until height) for (x in 0 until width) {
            rgb(x, y).forEachIndexed { channel, value -> bytes[y * stride + 4 * x + channel] = value.toByte() }
        }
        return bytes
    }

    fun turnedLeft() = Picture(height, width) { x, y -> rgb(width - 1 - y, x) }

    /** A camera's frame: luma with a gap between rows; V and U in turn in one plane (NV21), or each in its own (I420). */
    fun frame(nv21: Boolean = true, format: Int = ImageFormat.YUV_420_888): Image {
        fun clamp(value: Double) = value.roundToInt().coerceIn(0, 255).toByte()
        val stride = width + 20
        val luma = ByteBuffer.allocateDirect(stride * height)
        val chroma = ByteBuffer.allocateDirect(stride * height)
        val pixel = if (nv21) 2 else 1
        val v = chroma.slice()
        chroma.position(if (nv21) 1 else stride * height / 2)
        val u = chroma.slice()
        for (y in 0 until height) for (x in 0 until width) {
            val (r, g, b) = rgb(x, y).map { it.toDouble() }
            luma.put(y * stride + x, clamp(0.299 * r + 0.587 * g + 0.114 * b))
            val at = y / 2 * stride + x / 2 * pixel
            u.put(at, clamp(128 - 0.168736 * r - 0.331264 * g + 0.5 * b))
            v.put(at, clamp(128 + 0.5 * r - 0.418688 * g - 0.081312 * b))
        }
        return Frame(
            format, width, height, arrayOf(Plane(luma, stride, 1), Plane(u, stride, pixel), Plane(v, stride, pixel))
        )
    }
}

class Plane(private val bytes: ByteBuffer, private val row: Int, private val pixel: Int) : Image.Plane() {
    override fun getBuffer() = bytes
    override fun getRowStride() = row
    override fun getPixelStride() = pixel
}

class Frame(
    private val format: Int, private val width: Int, private val height: Int, private val planes: Array<Image.Plane>
) : Image() {
    override fun getFormat() = format
    override fun getWidth() = width
    override fun getHeight() = height
    override fun getPlanes() = planes
    override fun close() {}
}

/** Reads a binary PPM file. */
fun picture(file: File): Picture {
    val bytes = file.readBytes()
    val header = Regex("P6\\s+(\\d+)\\s+(\\d+)\\s+255\\s").find(String(bytes, Charsets.ISO_8859_1))!!
    val (width, height) = header.destructured.toList().map { it.toInt() }
    return Picture(width, height) { x, y ->
        val at = header.range.last + 1 + 3 * (y * width + x)
        IntArray(3) { bytes[at + it].toInt() and 0xff }
    }
}

fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).put(bytes)

fun expect(what: String, holds: Boolean) {
    println("${if (holds) "ok     " else "FAILED "} $what")
    if (!holds) System.exit(1)
}

/** Runs what is to fail, and gives what it throws. */
inline fun <reified T : Throwable> failure(block: () -> Unit): T {
    try {
        block()
    } catch (error: Throwable) {
        return error as? T ?: throw error
    }
    throw AssertionError("no ${T::class.java.simpleName}")
}

fun distance(a: List<Prediction>, b: List<Prediction>) =
    a.map { x -> abs(x.probability - b.first { it.index == x.index }.probability) }.max()!!

fun main(args: Array<String>) {
    val (model, ppm) = args.map { File(it) }
    val sneaker = picture(ppm)
    val (width, height) = listOf(sneaker.width, sneaker.height)
    val rgba = direct(sneaker.rgba(0))

    // An asset lies within the package; a name may have characters that take two units of UTF-16.
    val shoe = "Sne\uD83D\uDC5F"
    val text = String(model.readBytes(), Charsets.ISO_8859_1)
    val renamed = text.replaceFirst("Sneaker", String(shoe.toByteArray(), Charsets.ISO_8859_1))
    val around = "x".repeat(4096)
    val apk = createTempFile()
    apk.deleteOnExit()
    apk.writeText(around + renamed + around, Charsets.ISO_8859_1)
    ShuffleNet.open(AssetManager(apk, "model.safetensors", 4096), "model.safetensors").use {
        val found = it.classify(rgba, width, height)
        expect("an asset's labels are UTF-8: $found", found.size == 5 && found[0].label == shoe)
    }

    val file = ParcelFileDescriptor.open(model, ParcelFileDescriptor.MODE_READ_ONLY)
    val net = ShuffleNet.open(file)
    val found = net.classify(rgba, width, height, count = 20)
    expect("a file: ${found[0]}", found[0].label == "Sneaker" && found[0].probability in 0.9..0.95)
    expect("all classes, the likeliest first", found.size == 10 && found == found.sortedByDescending { it.probability })

    val bitmap = Bitmap(sneaker.rgba(8), width, height, Bitmap.Config.ARGB_8888)
    expect("a bitmap with a gap between rows", net.classify(bitmap, count = 10) == found)
    val left = sneaker.turnedLeft()
    val turned = Bitmap(left.rgba(0), left.width, left.height, Bitmap.Config.ARGB_8888)
    expect("a bitmap is turned", net.classify(turned, 90, 10) == found)

    expect("a frame", distance(net.classify(sneaker.frame(), count = 10), found) < 0.001)
    expect("a frame is turned", distance(net.classify(left.frame(), 90, 10), found) < 0.001)
    val colours = Picture(width, height) { x, y -> intArrayOf(255 * x / width, 128, 255 * y / height) }
    val seen = net.classify(colours.frame(), count = 10)
    expect("a frame in I420, as in NV21", net.classify(colours.frame(nv21 = false), count = 10) == seen)
    val swapped = colours.frame().apply { planes[1] = planes[2].also { planes[2] = planes[1] } }
    expect("and not with U for V", net.classify(swapped, count = 10) != seen)
    for (plane in 0..2) {
        val frame = sneaker.frame()
        frame.planes[plane] = Plane(ByteBuffer.allocateDirect(9), 40, 2)
        val cut = failure<ShuffleNetException> { net.classify(frame) }
        expect("status ${cut.status}: ${cut.message}", cut.status == SN_INVALID_ARGUMENT && "YUV"[plane] in cut.message!!)
    }

    val wrong = failure<ShuffleNetException> { net.classify(rgba, width, height, rotation = 45) }
    expect("status ${wrong.status}: ${wrong.message}", wrong.status == SN_INVALID_ARGUMENT && "rotation" in wrong.message!!)
    val short = failure<ShuffleNetException> { net.classify(rgba, width, height + 1) }
    expect("status ${short.status}: ${short.message}", short.status == SN_INVALID_ARGUMENT)
    val negative = failure<ShuffleNetException> { net.classify(rgba, -1, height, 4) }
    expect("status ${negative.status}: ${negative.message}", negative.status == SN_INVALID_ARGUMENT)
    val none = failure<ShuffleNetException> { ShuffleNet.open(file, offset = 8) }
    expect("status ${none.status}: ${none.message}", none.status == SN_MODEL)
    val cores = failure<ShuffleNetException> { ShuffleNet.open(file, threads = 2, cores = intArrayOf(-1)) }
    expect("status ${cores.status}: ${cores.message}", cores.status == SN_INVALID_ARGUMENT)
    failure<IllegalArgumentException> { net.classify(ByteBuffer.allocate(4 * width * height), width, height) }
    failure<IllegalArgumentException> { net.classify(sneaker.frame(format = ImageFormat.JPEG)) }
    failure<IllegalArgumentException> { net.classify(bitmap, count = 0) }
    failure<IllegalArgumentException> { net.classify(Bitmap(ByteArray(2), 1, 1, Bitmap.Config.RGB_565)) }
    expect("it works after errors", net.classify(rgba, width, height, count = 10) == found)

    // The model is shared, and stays as long as one of them.
    val sibling = net.sibling(threads = 2)
    val same = listOf(net, sibling).map { own ->
        var equal = false
        val worker = thread { equal = (1..20).all { own.classify(rgba, width, height, count = 10) == found } }
        worker to { equal }
    }
    same.forEach { (worker, _) -> worker.join() }
    expect("two on two threads", same.all { (_, equal) -> equal() })

    var closed = 0
    val users = List(2) {
        thread {
            try {
                while (true) net.classify(rgba, width, height)
            } catch (_: IllegalStateException) {
                synchronized(file) { closed++ }
            }
        }
    }
    Thread.sleep(50)
    net.close()
    users.forEach { it.join() }
    expect("one on two threads, closed by a third", closed == 2)
    net.close()
    val late = failure<IllegalStateException> { net.sibling() }
    expect("after close: ${late.message}", sibling.classify(rgba, width, height, count = 10) == found)
    sibling.close()
    file.close()
    val gone = failure<ShuffleNetException> { ShuffleNet.open(file, length = 1) }
    expect("status ${gone.status}: ${gone.message}", gone.status == SN_INVALID_ARGUMENT)

    // One prime core, three big ones and four small ones, as the system tells it.
    val system = createTempDir()
    for (cpu in 0 until 8) {
        val folder = File(system, "cpu$cpu/cpufreq")
        folder.mkdirs()
        File(folder, "cpuinfo_max_freq").writeText("${if (cpu < 4) 1800000 else if (cpu < 7) 2400000 else 2800000}\n")
    }
    expect("fastest cores by frequency", ShuffleNet.fastestCores(3, system).toList() == listOf(7, 4, 5))
    for (cpu in 0 until 8) File(system, "cpu$cpu/cpu_capacity").writeText("${if (cpu == 2) 1024 else 400}\n")
    expect("and by capacity, where it is told", ShuffleNet.fastestCores(1, system).toList() == listOf(2))
    system.deleteRecursively()
    expect("none where nothing is told", ShuffleNet.fastestCores(2, system).isEmpty())
    thread {
        expect("a thread keeps to a core", ShuffleNet.keepTo(intArrayOf(0)) && !ShuffleNet.keepTo(intArrayOf(-1)))
    }.join()
}
