package android.os;

import java.io.Closeable;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.lang.reflect.Field;

public class ParcelFileDescriptor implements Closeable {
    public static final int MODE_READ_ONLY = 0x10000000;

    private final FileInputStream stream;

    private ParcelFileDescriptor(FileInputStream stream) {
        this.stream = stream;
    }

    public static ParcelFileDescriptor open(File file, int mode) throws IOException {
        return new ParcelFileDescriptor(new FileInputStream(file));
    }

    /** The number that Java hides: run with `--add-opens java.base/java.io=ALL-UNNAMED`. */
    public int getFd() {
        try {
            Field number = FileDescriptor.class.getDeclaredField("fd");
            number.setAccessible(true);
            return number.getInt(stream.getFD());
        } catch (ReflectiveOperationException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    public long getStatSize() {
        try {
            return stream.getChannel().size();
        } catch (IOException e) {
            return -1;
        }
    }

    @Override
    public void close() throws IOException {
        stream.close();
    }
}
