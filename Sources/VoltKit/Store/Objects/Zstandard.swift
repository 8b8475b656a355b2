internal import CZstd
internal import VoltCore

/// Compresses and decompresses records with Zstandard; one for each thread.
final class Zstandard {
    /// What a record is compressed with: 3 is what zstd takes without being told.
    static let level: Int32 = 3

    private let compressor: OpaquePointer?
    private let decompressor: OpaquePointer?
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 16)

    init() {
        compressor = ZSTD_createCCtx()
        decompressor = ZSTD_createDCtx()
        // A frame without its length and a checksum: the record has both.
        ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, Self.level)
        ZSTD_CCtx_setParameter(compressor, ZSTD_c_contentSizeFlag, 0)
    }

    deinit {
        ZSTD_freeCCtx(compressor)
        ZSTD_freeDCtx(decompressor)
        buffer.deallocate()
    }

    /// The bytes of a frame, valid until the next call; nil when they would not be at least a sixteenth fewer.
    func compress(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard bytes.count >= 64 else { return nil }
        let room = bytes.count - bytes.count / 16
        reserve(room)
        let count = ZSTD_compress2(compressor, buffer.baseAddress, room, bytes.baseAddress, bytes.count)
        guard ZSTD_isError(count) == 0 else { return nil }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    /// Fills the place with the bytes of a frame.
    ///
    /// - Returns: whether the frame has exactly so many bytes.
    func decompress(_ frame: UnsafeRawBufferPointer, into place: UnsafeMutableRawBufferPointer) -> Bool {
        let count = ZSTD_decompressDCtx(
            decompressor, place.baseAddress, place.count, frame.baseAddress, frame.count)
        return ZSTD_isError(count) == 0 && count == place.count
    }

    private func reserve(_ count: Int) {
        if buffer.count >= count { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: max(count, 64 << 10), alignment: 16)
    }
}
