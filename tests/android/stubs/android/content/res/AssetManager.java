package android.content.res;

import android.os.ParcelFileDescriptor;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;

/** A package with one asset, between `around` other bytes on each side. */
public final class AssetManager {
    private final File file;
    private final String name;
    private final long around;

    public AssetManager(File file, String name, long around) {
        this.file = file;
        this.name = name;
        this.around = around;
    }

    public AssetFileDescriptor openFd(String name) throws IOException {
        if (!name.equals(this.name)) throw new FileNotFoundException(name);
        ParcelFileDescriptor opened = ParcelFileDescriptor.open(file, ParcelFileDescriptor.MODE_READ_ONLY);
        return new AssetFileDescriptor(opened, around, opened.getStatSize() - 2 * around);
    }
}
