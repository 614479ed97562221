// A stand-in for an object store: store://BUCKET/KEY is a file below a local folder, and every delete is written down.
// The folder and the file of deletes are the system properties store.folder and store.deleted.

import java.io.IOException;
import java.net.URI;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.nio.file.spi.FileSystemProvider;
import java.util.*;

public class Store extends FileSystemProvider {
    private final Map<String, Bucket> buckets = new HashMap<>();

    static Path local(Path path) {
        Key key = (Key) path;
        Path folder = Path.of(System.getProperty("store.folder"), key.bucket.name);
        return folder.resolve(folder.getFileSystem().getPath("/").relativize(key.inner));
    }

    @Override public String getScheme() { return "store"; }

    @Override public FileSystem newFileSystem(URI uri, Map<String, ?> settings) { return bucket(uri); }

    @Override public FileSystem getFileSystem(URI uri) { return bucket(uri); }

    @Override public Path getPath(URI uri) { return bucket(uri).getPath(uri.getPath().isEmpty() ? "/" : uri.getPath()); }

    private synchronized Bucket bucket(URI uri) {
        return buckets.computeIfAbsent(uri.getAuthority(), name -> new Bucket(this, name));
    }

    @Override public SeekableByteChannel newByteChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes) throws IOException {
        // As in a store, a file needs no folder.
        if (options.contains(StandardOpenOption.WRITE)) {
            Files.createDirectories(local(path).getParent());
        }
        return Files.newByteChannel(local(path), options);
    }

    @Override public DirectoryStream<Path> newDirectoryStream(Path folder, DirectoryStream.Filter<? super Path> filter) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(local(folder))) {
            for (Path each : stream) {
                Path path = folder.resolve(each.getFileName().toString());
                if (filter.accept(path)) {
                    found.add(path);
                }
            }
        }
        return new DirectoryStream<>() {
            @Override public Iterator<Path> iterator() { return found.iterator(); }
            @Override public void close() {}
        };
    }

    @Override public void createDirectory(Path folder, FileAttribute<?>... attributes) throws IOException { Files.createDirectories(local(folder)); }

    @Override public void delete(Path path) throws IOException {
        Files.writeString(Path.of(System.getProperty("store.deleted")), path.toUri() + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        Files.delete(local(path));
    }

    @Override public void copy(Path source, Path target, CopyOption... options) throws IOException { Files.copy(local(source), local(target), options); }

    @Override public void move(Path source, Path target, CopyOption... options) throws IOException { Files.move(local(source), local(target), options); }

    @Override public boolean isSameFile(Path one, Path other) { return one.equals(other); }

    @Override public boolean isHidden(Path path) { return false; }

    @Override public FileStore getFileStore(Path path) throws IOException { return Files.getFileStore(local(path)); }

    @Override public void checkAccess(Path path, AccessMode... modes) throws IOException {
        if (!Files.exists(local(path))) {
            throw new NoSuchFileException(path.toString());
        }
    }

    @Override public <V extends FileAttributeView> V getFileAttributeView(Path path, Class<V> type, LinkOption... options) {
        return Files.getFileAttributeView(local(path), type, options);
    }

    @Override public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options) throws IOException {
        return Files.readAttributes(local(path), type, options);
    }

    @Override public Map<String, Object> readAttributes(Path path, String names, LinkOption... options) throws IOException {
        return Files.readAttributes(local(path), names, options);
    }

    @Override public void setAttribute(Path path, String name, Object value, LinkOption... options) {}

    static class Bucket extends FileSystem {
        final Store store;
        final String name;

        Bucket(Store store, String name) {
            this.store = store;
            this.name = name;
        }

        Key key(Path inner) { return inner == null ? null : new Key(this, inner); }

        @Override public FileSystemProvider provider() { return store; }
        @Override public void close() {}
        @Override public boolean isOpen() { return true; }
        @Override public boolean isReadOnly() { return false; }
        @Override public String getSeparator() { return "/"; }
        @Override public Iterable<Path> getRootDirectories() { return List.of(getPath("/")); }
        @Override public Iterable<FileStore> getFileStores() { return List.of(); }
        @Override public Set<String> supportedFileAttributeViews() { return Set.of("basic"); }
        @Override public Path getPath(String first, String... more) { return key(Path.of(first, more)); }
        @Override public PathMatcher getPathMatcher(String rule) {
            PathMatcher matcher = FileSystems.getDefault().getPathMatcher(rule);
            return path -> matcher.matches(((Key) path).inner);
        }
        @Override public UserPrincipalLookupService getUserPrincipalLookupService() { throw new UnsupportedOperationException(); }
        @Override public WatchService newWatchService() { throw new UnsupportedOperationException(); }
    }

    static class Key implements Path {
        final Bucket bucket;
        final Path inner;

        Key(Bucket bucket, Path inner) {
            this.bucket = bucket;
            this.inner = inner;
        }

        private static Path inner(Path path) { return path instanceof Key ? ((Key) path).inner : path; }

        @Override public FileSystem getFileSystem() { return bucket; }
        @Override public boolean isAbsolute() { return inner.isAbsolute(); }
        @Override public Path getRoot() { return bucket.key(inner.getRoot()); }
        @Override public Path getFileName() { return bucket.key(inner.getFileName()); }
        @Override public Path getParent() { return bucket.key(inner.getParent()); }
        @Override public int getNameCount() { return inner.getNameCount(); }
        @Override public Path getName(int index) { return bucket.key(inner.getName(index)); }
        @Override public Path subpath(int first, int last) { return bucket.key(inner.subpath(first, last)); }
        @Override public boolean startsWith(Path other) { return inner.startsWith(inner(other)); }
        @Override public boolean endsWith(Path other) { return inner.endsWith(inner(other)); }
        @Override public Path normalize() { return bucket.key(inner.normalize()); }
        @Override public Path resolve(Path other) { return bucket.key(inner.resolve(inner(other))); }
        @Override public Path relativize(Path other) { return bucket.key(inner.relativize(inner(other))); }
        @Override public URI toUri() { return URI.create("store://" + bucket.name + inner); }
        @Override public Path toAbsolutePath() { return this; }
        @Override public Path toRealPath(LinkOption... options) { return this; }
        @Override public WatchKey register(WatchService service, WatchEvent.Kind<?>[] kinds, WatchEvent.Modifier... modifiers) { throw new UnsupportedOperationException(); }
        @Override public int compareTo(Path other) { return inner.compareTo(inner(other)); }
        @Override public boolean equals(Object other) { return other instanceof Key && ((Key) other).bucket == bucket && ((Key) other).inner.equals(inner); }
        @Override public int hashCode() { return inner.hashCode(); }
        @Override public String toString() { return inner.toString(); }
    }
}
