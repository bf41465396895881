package android.graphics;

import java.nio.Buffer;
import java.nio.ByteBuffer;

public final class Bitmap {
    public enum Config { ARGB_8888, RGB_565 }

    private final byte[] bytes;
    private final int width;
    private final int height;
    private final Config config;

    public Bitmap(byte[] bytes, int width, int height, Config config) {
        this.bytes = bytes;
        this.width = width;
        this.height = height;
        this.config = config;
    }

    public int getWidth() {
        return width;
    }

    public int getHeight() {
        return height;
    }

    public int getRowBytes() {
        return bytes.length / height;
    }

    public int getByteCount() {
        return bytes.length;
    }

    public Config getConfig() {
        return config;
    }

    public void copyPixelsToBuffer(Buffer to) {
        ((ByteBuffer) to).put(bytes);
    }
}
