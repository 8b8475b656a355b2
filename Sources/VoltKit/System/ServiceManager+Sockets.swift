internal import CVoltSystem
internal import Glibc

extension ServiceManager {
    /// The sockets that the service manager listens on for this process (sd_listen_fds(3)), in their order;
    /// none when it was started otherwise. They are kept from children.
    ///
    /// - Parameter environment: for `LISTEN_PID` and `LISTEN_FDS`, which must be of this very process.
    public static func listeningSockets(environment: [String: String]) -> [Int32] {
        guard environment["LISTEN_PID"] == String(getpid()),
            let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }), (1...64).contains(count)
        else { return [] }
        // SD_LISTEN_FDS_START is 3.
        return (3..<(3 + count)).filter { descriptor in
            _ = volt_set_cloexec(descriptor, 1)
            var listens: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 1
        }
    }
}
