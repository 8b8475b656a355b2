internal import CVoltSystem
internal import Glibc
public import VoltCore

/// For helper programs, which are of no use without the program that started them.
public enum ParentWatch {
    /// Ends this process when its parent ends or closes stdout.
    ///
    /// Not PR_SET_PDEATHSIG: that is sent when the *thread* ends that started the child, and the pools of
    /// a Swift server end idle threads.
    public static func endWithParent() throws(VoltError) {
        let parent = volt_pidfd_open(getppid())
        guard parent >= 0 else { throw SystemError.current.during("cannot watch the parent") }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let argument = UnsafeMutableRawPointer(bitPattern: Int(parent))
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                let parent = Int32(Int(bitPattern: argument))
                var watched = [
                    pollfd(fd: parent, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: 1, events: 0, revents: 0),
                ]
                while true {
                    let count = poll(&watched, 2, -1)
                    if count > 0 { _exit(ExitCode.failed.rawValue) }
                    if count < 0, errno != EINTR { return nil }
                }
            }, argument)
        guard result == 0 else { throw SystemError(number: result).during("cannot start a thread") }
    }
}
